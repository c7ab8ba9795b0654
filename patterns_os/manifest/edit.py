"""Edits of the author's files that keep all the rest: comments, indentation, line ends, byte order mark.

An edit is a few splices of the text at parsed places. The result is parsed again and must hold exactly the
data that was meant; otherwise an `InternalError` is raised and there is nothing to write.
"""

import json
from copy import deepcopy
from typing import Any

from patterns_os.errors import CompileError, InternalError
from patterns_os.manifest.document import Document, join_pointer, parse_document, split_pointer
from patterns_os.manifest.layout import (
    children,
    comma_after,
    end_of_line_comments,
    indentation_at,
    indentation_unit,
    is_first_on_line,
    line_end,
    line_start,
    trivia_after,
    write_value,
)
from patterns_os.manifest.syntax import Element
from patterns_os.manifest.tokens import TokenKind

Splice = tuple[int, int, str]
"""Start and end of what is replaced, in characters, and what comes there."""


def append_item(document: Document, pointer: str, value: Any) -> bytes:  # noqa: ANN401 - plain JSON data
    """Give the file with one more item at the end of an array; a missing array, or `null`, is made.

    Raises:
        CompileError: The file has mistakes, which must be mended first.
        InternalError: There is something else than an array, or the edit went wrong.
    """
    _require_sound(document)
    target = document.element(pointer)
    if target is None or target.value is None:
        return set_value(document, pointer, [value])
    if target.items is None:
        raise _impossible(f'"{pointer}" is not a list')
    meant = deepcopy(document.data)
    _container(meant, split_pointer(pointer)).append(value)
    return _apply(document, _insertion(document, target, None, value), meant)


def set_value(document: Document, pointer: str, value: Any) -> bytes:  # noqa: ANN401 - plain JSON data
    """Give the file with a value at a place; a missing key is added, missing objects around it too.

    Raises:
        CompileError: The file has mistakes, which must be mended first.
        InternalError: The place is inside something that is no object, or the edit went wrong.
    """
    _require_sound(document)
    path = split_pointer(pointer)
    target = document.element(pointer)
    if target is not None:
        return _replacement(document, path, target, value)
    depth = next(depth for depth in range(len(path), -1, -1) if _has(document, path[:depth]))
    holder = document.element(join_pointer(path[:depth]))
    if holder is None or holder.members is None:
        raise _impossible(f'"{pointer}" is not inside an object')
    for key in reversed(path[depth + 1 :]):
        value = {key: value}
    meant = deepcopy(document.data)
    _container(meant, path[:depth])[path[depth]] = value
    return _apply(document, _insertion(document, holder, path[depth], value), meant)


def remove_item(document: Document, pointer: str) -> bytes:
    """Give the file without an item of an array, or without a key; a comment on its line goes with it.

    Raises:
        CompileError: The file has mistakes, which must be mended first.
        InternalError: There is nothing at that place, or the edit went wrong.
    """
    _require_sound(document)
    path = split_pointer(pointer)
    holder = document.element(join_pointer(path[:-1]))
    if not path or holder is None or document.element(pointer) is None:
        raise _impossible(f'"{pointer}" does not exist')
    is_object = holder.members is not None
    index = list(holder.members or ()).index(path[-1]) if is_object else int(path[-1])
    meant = deepcopy(document.data)
    del _container(meant, path[:-1])[path[-1] if is_object else index]
    return _apply(document, _removal(document.content, holder, index), meant)


def rename_key(document: Document, pointer: str, key: str) -> bytes:
    """Give the file with another name for a key; its value and its place stay.

    Raises:
        CompileError: The file has mistakes, which must be mended first.
        InternalError: There is no such key, the object has the new one already, or the edit went wrong.
    """
    _require_sound(document)
    path = split_pointer(pointer)
    holder = document.element(join_pointer(path[:-1]))
    members = (holder.members if holder else None) or {}
    if not path or path[-1] not in members or key in members:
        raise _impossible(f'"{pointer}" cannot become "{key}"')
    meant = deepcopy(document.data)
    container = _container(meant, path[:-1])
    renamed = {key if name == path[-1] else name: value for name, value in container.items()}
    container.clear()
    container.update(renamed)
    member = members[path[-1]]
    return _apply(document, [(member.start, member.end, json.dumps(key, ensure_ascii=False))], meant)


def _replacement(document: Document, path: tuple[str, ...], target: Element, value: Any) -> bytes:  # noqa: ANN401 - plain JSON data
    if _same(target.value, value):
        return document.text
    content, flat = document.content, _is_flat(document.content, target)
    written = _written(document, value, indentation_at(content, target.start), flat=flat)
    meant = deepcopy(document.data) if path else value
    if path:
        holder = _container(meant, path[:-1])
        holder[int(path[-1]) if isinstance(holder, list) else path[-1]] = value
    return _apply(document, [(target.start, target.end, written)], meant)


def _insertion(document: Document, holder: Element, key: str | None, value: Any) -> list[Splice]:  # noqa: ANN401 - plain JSON data
    if not children(holder):
        return _first_insertion(document, holder, key, value)
    content = document.content
    start, end = children(holder)[-1]
    comma = comma_after(content, end)
    gap = end_of_line_comments(content, end if comma is None else comma + 1)
    ends_with_line_comment = _ends_with_line_comment(content, end if comma is None else comma + 1, gap)
    own_line = is_first_on_line(content, start)
    if own_line or ends_with_line_comment:
        indentation = indentation_at(content, start if own_line else holder.start)
        indentation += "" if own_line else _unit(document)
        blank = line_end(content) + indentation
    else:
        indentation, blank = indentation_at(content, start), " "
    written = _entry(
        document, key, value, indentation, flat=_is_flat_like(content, holder, own_line=own_line)
    )
    if comma is None:
        return [(end, end, ","), (gap, gap, blank + written)]
    return [(gap, gap, f"{blank}{written},")]


def _first_insertion(document: Document, holder: Element, key: str | None, value: Any) -> list[Splice]:  # noqa: ANN401 - plain JSON data
    content, newline = document.content, line_end(document.content)
    inside = trivia_after(content, holder.start + 1)
    comments = [token for token in inside if token.kind is TokenKind.COMMENT]
    start = comments[-1].end if comments else holder.start + 1
    outer = indentation_at(content, holder.start)
    is_scalar = key is None and not isinstance(value, dict | list)
    if not comments and (is_scalar or not _is_multi_line(document)):
        return [(start, holder.end - 1, _entry(document, key, value, outer, flat=True))]
    inner = outer + _unit(document)
    written = _entry(document, key, value, inner, flat=False)
    return [(start, holder.end - 1, f"{newline}{inner}{written}{newline}{outer}")]


def _removal(content: str, holder: Element, index: int) -> list[Splice]:
    places = children(holder)
    start, end = places[index]
    inside = trivia_after(content, holder.start + 1)
    if len(places) == 1 and not _has_comment(content, holder, end, inside):
        return [(holder.start + 1, holder.end - 1, "")]
    comma = comma_after(content, end)
    splices: list[Splice] = []
    if comma is None and index > 0:
        former = comma_after(content, places[index - 1][1])
        splices += [(former, former + 1, "")] if former is not None else []
    after = end if comma is None else comma + 1
    return [*splices, *_cut(content, start, end, comma, after)]


def _cut(content: str, start: int, end: int, comma: int | None, after: int) -> list[Splice]:
    """Take an item out: with its line where nothing else is on it, else with the blanks around it."""
    line = end_of_line_comments(content, after)
    rest = len(content) - len(content[line:].lstrip(" \t"))
    is_whole_line = is_first_on_line(content, start) and content[rest : rest + 1] in {"\r", "\n"}
    between = content[end:comma] if comma is not None else ""
    if is_whole_line and not between.strip() and "\n" not in content[after:line]:
        newline = 2 if content.startswith("\r\n", rest) else 1
        return [(line_start(content, start), rest + newline, "")]
    if between.strip():
        # A comment stands between the item and its comma; it stays.
        return [(start, end, ""), (after - 1, after, "")]
    if comma is None:
        return [(len(content[:start].rstrip(" \t")), end, "")]
    blanks = len(content[after:]) - len(content[after:].lstrip(" \t"))
    return [(start, after + blanks, "")]


def _has_comment(content: str, holder: Element, end: int, inside: list[Any]) -> bool:
    comma = comma_after(content, end)
    behind = [*trivia_after(content, end), *(trivia_after(content, comma + 1) if comma is not None else ())]
    tokens = [*inside, *(token for token in behind if token.end < holder.end)]
    return any(token.kind is TokenKind.COMMENT for token in tokens)


def _entry(document: Document, key: str | None, value: Any, indentation: str, *, flat: bool) -> str:  # noqa: ANN401 - plain JSON data
    written = _written(document, value, indentation, flat=flat)
    return written if key is None else f"{json.dumps(key, ensure_ascii=False)}: {written}"


def _written(document: Document, value: Any, indentation: str, *, flat: bool) -> str:  # noqa: ANN401 - plain JSON data
    return write_value(value, indentation, _unit(document), line_end(document.content), flat=flat)


def _unit(document: Document) -> str:
    return indentation_unit(document.content, document.root) if document.root else "  "


def _is_multi_line(document: Document) -> bool:
    return "\n" in document.content.strip() or document.data == {}


def _is_flat(content: str, element: Element) -> bool:
    """Tell whether a value with something in it stands on one line."""
    return bool(children(element)) and "\n" not in content[element.start : element.end]


def _is_flat_like(content: str, holder: Element, *, own_line: bool) -> bool:
    """Tell whether a new entry should stand on one line, as those before it do."""
    if not own_line:
        return True
    return holder.items is not None and _is_flat(content, holder.items[-1])


def _ends_with_line_comment(content: str, start: int, end: int) -> bool:
    comments = [token for token in trivia_after(content, start) if token.kind is TokenKind.COMMENT]
    return any(token.end == end and token.source.startswith("//") for token in comments)


def _apply(document: Document, splices: list[Splice], meant: Any) -> bytes:  # noqa: ANN401 - plain JSON data
    parts, done = [], 0
    for start, end, text in sorted(splices, key=lambda splice: splice[0]):
        parts += [document.content[done:start], text]
        done = end
    content = "".join([*parts, document.content[done:]])
    edited = content.encode("utf-8", errors="surrogatepass")
    result = parse_document(document.file, edited)
    if result.diagnostics or not _same(result.data, meant):
        raise _impossible("the edited file does not hold what was meant")
    return edited


def _require_sound(document: Document) -> None:
    if document.diagnostics:
        raise CompileError(document.diagnostics)


def _has(document: Document, path: tuple[str, ...]) -> bool:
    return document.element(join_pointer(path)) is not None


def _container(data: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 - plain JSON data
    for part in path:
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


def _same(left: object, right: object) -> bool:
    # As text: in Python `1 == True` and `1 == 1.0`, in JSON they differ.
    return json.dumps(left) == json.dumps(right)


def _impossible(message: str) -> InternalError:
    return InternalError(f"the file can't be edited: {message}", code="bad-edit")
