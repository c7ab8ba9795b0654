"""Which name of the app stands at a place in one of its files: what editors ask before anything else.

Texts are looked at while somebody types in them, so nothing here needs them to parse.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from patterns_os.manifest.document import Document, parse_document
from patterns_os.manifest.syntax import Element, Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A name, or the beginning of one.

    Attributes:
        kind: `table`, `file`, `model`, `parameter`, `secret`, `connection`, `column`, `runtime`, `storage`,
            `script`; `key` or `value` for what only the shape of the JSON file decides.
        name: All of it, as far as it is written.
        prefix: The part before the cursor.
        start: Offset of its first character.
        end: Offset after its last character.
        path: In JSON the keys and indexes that lead to it (for a `key` those of its object).
    """

    kind: str
    name: str
    prefix: str
    start: int
    end: int
    path: tuple[str, ...] = ()


def mention_at(file: str, text: str, offset: int) -> Mention | None:
    """Give the name that the cursor is in or at the end of, `None` where there is none.

    Args:
        file: Its path; the ending tells the language.
        text: All of it, as it is being written.
        offset: The cursor, in characters from 0.
    """
    ending = PurePosixPath(file).suffix.lower()
    if ending == ".json":
        return _in_json(file, text, offset)
    found = _in_call(text, offset)
    if found is None and ending == ".sql":
        return _in_sql(text, offset)
    return found or _in_subscript(text, offset)


def _in_call(text: str, offset: int) -> Mention | None:
    for found in _CALL.finditer(text, *_line(text, offset)):
        if found.start("name") <= offset <= found.end("name"):
            return _mention(_CALLS[found["call"]], found, offset)
    return None


def _in_subscript(text: str, offset: int) -> Mention | None:
    for found in _SUBSCRIPT.finditer(text, *_line(text, offset)):
        if found.start("name") <= offset <= found.end("name"):
            return _mention("column", found, offset)
    return None


def _in_sql(text: str, offset: int) -> Mention | None:
    for found in _WORD.finditer(text, *_line(text, offset)):
        if found.start("name") <= offset <= found.end("name"):
            before = text[: found.start()].rstrip().rpartition("\n")[2]
            is_table = _TABLE_BEFORE.search(before or text[: found.start()].rstrip()) is not None
            return _mention("table" if is_table else "column", found, offset)
    return Mention(kind="column", name="", prefix="", start=offset, end=offset)


def _mention(kind: str, found: re.Match[str], offset: int) -> Mention:
    start, end = found.span("name")
    return Mention(
        kind=kind, name=found["name"], prefix=found["name"][: offset - start], start=start, end=end
    )


def _line(text: str, offset: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return start, len(text) if end < 0 else end


def _in_json(file: str, text: str, offset: int) -> Mention | None:
    document = parse_document(file, text.encode("utf-8", "replace"))
    for path, start, end, is_key in _texts(document):
        if start < offset <= max(end - 1, start + 1):
            inner = text[start + 1 : end].rstrip('"\n\r')
            kind = "key" if is_key else _kind_of(PurePosixPath(file).name, path)
            prefix = text[start + 1 : offset]
            return Mention(
                kind=kind, name=inner, prefix=prefix, start=start + 1, end=start + 1 + len(inner), path=path
            )
    return None


def _texts(document: Document) -> Iterator[tuple[tuple[str, ...], int, int, bool]]:
    pending: list[tuple[tuple[str, ...], Element]] = [((), document.root)] if document.root else []
    while pending:
        path, element = pending.pop()
        if isinstance(element.value, str):
            yield path, element.start, element.end, False
        for name, member in (element.members or {}).items():
            yield from _key(path, member)
            pending.append(((*path, name), member.element))
        pending += [((*path, str(index)), item) for index, item in enumerate(element.items or ())]


def _key(path: tuple[str, ...], member: Member) -> Iterator[tuple[tuple[str, ...], int, int, bool]]:
    yield path, member.start, member.end, True


def _kind_of(file: str, path: tuple[str, ...]) -> str:
    shape = "/".join("*" if part.isdigit() else part for part in path)
    for pattern, kind in _PLACES.get(file, ()):
        if re.fullmatch(pattern, shape):
            return kind
    return "value"


_CALLS: Final = {
    name: name.lower() for name in ("Table", "File", "Model", "Parameter", "Secret", "Connection")
}
_CALL: Final = re.compile(
    rf"\b(?P<call>{'|'.join(_CALLS)})\(\s*(?P<quote>[\"'`])(?P<name>[^\"'`\n]*)"  # noqa: ISC003 - one pattern
)
_SUBSCRIPT: Final = re.compile(r"[\w\])](?:\[|\.get\()\s*[\"'](?P<name>[^\"'\n]*)")
_WORD: Final = re.compile(r"\"?(?P<name>[A-Za-z_][A-Za-z0-9_]*)")
_TABLE_BEFORE: Final = re.compile(r"(?i)\b(?:from|join|into|update|table)\s*\"?$")
_PLACES: Final = {
    "manifest.json": (
        (r"scripts/\*/file|charts/\*/file", "script"),
        (r"scripts/\*/runtime", "runtime"),
        (r"scripts/\*/(?:inputs|outputs)(?:/[^/]+)?(?:/table)?", "table"),
        (r"scripts/\*/trigger/on/\*", "table"),
        (r"scripts/\*/secrets/\*|secrets/\*", "secret"),
        (r"stores/\*/table|webhooks/\*/table|charts/\*/(?:table|input)", "table"),
        (r"stores/\*/file", "file"),
        (r"stores/\*/storage", "storage"),
        (r"models/\*/name", "model"),
        (r"parameters/\*/name", "parameter"),
    ),
    "patterns.json": (
        (r"models/\*/name", "model"),
        (r"models/\*/secret|secrets/\*", "secret"),
        (r"runtimes/\*/name", "runtime"),
        (r"storages/\*/name", "storage"),
    ),
}
