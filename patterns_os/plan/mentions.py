"""Which name of the app stands at a place in one of its files: what editors ask before anything else.

Texts are looked at while somebody types in them, so nothing here needs them to parse. It is a guess from what
stands around the cursor; what the name means is for whoever knows the app.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from patterns_os.manifest.document import Document, parse_document
from patterns_os.manifest.syntax import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A name, or the beginning of one.

    Attributes:
        kind: `table`, `file`, `store` (either), `model`, `parameter`, `secret`, `column`, `runtime`, `storage`,
            `script`, `drawing` (a Vega-Lite file), `type`, `code`; `key` or `value` for what only the shape of
            the JSON file decides.
        name: All of it, as far as it is written.
        prefix: The part before the cursor.
        start: Offset of its first character.
        end: Offset after its last character.
        path: In JSON the keys and indexes that lead to it (for a `key` those of its object).
        owner: The table, by the name that the text has for it, that a column is asked of; empty where the text
            does not say.
    """

    kind: str
    name: str
    prefix: str
    start: int
    end: int
    path: tuple[str, ...] = ()
    owner: str = ""


def mention_at(file: str, text: str, offset: int) -> Mention | None:
    """Give the name that the cursor is in or at the end of, `None` where there is none.

    Args:
        file: Its path; the ending tells the language.
        text: All of it, as it is being written.
        offset: The cursor, in characters from 0.
    """
    offset = min(max(offset, 0), len(text))
    ending = PurePosixPath(file).suffix.lower()
    if ending == ".json":
        return _in_json(file, text, offset)
    if ending not in CODE:
        return None
    found = _in_quotes(text, offset)
    if found is None and ending == ".sql":
        return _in_sql(text, offset)
    if found is None and ending != ".py":
        return _after_row(text, offset)
    return found


def _in_quotes(text: str, offset: int) -> Mention | None:
    """Give what stands between quotes, by what stands before them."""
    start, end = _line(text, offset)
    for found in _QUOTED.finditer(text, start, end):
        if found.start("name") <= offset <= found.end("name"):
            before = text[max(found.start() - _FAR, 0) : found.start()]
            kind = _kind_before(before)
            return _mention(kind, found.span("name"), text, offset) if kind else None
    return None


def _kind_before(text: str) -> str | None:
    call = _CALL_BEFORE.search(text)
    if call is not None:
        return call["call"].lower()
    if _ENVIRONMENT_BEFORE.search(text):
        return "secret"
    return "column" if _SUBSCRIPT_BEFORE.search(text) else None


def _after_row(text: str, offset: int) -> Mention | None:
    """Give the property of a row: of what a loop of the script calls one."""
    start, _ = _line(text, offset)
    found = _PROPERTY_BEFORE.search(text, start, offset)
    if found is None or not re.search(_LOOP.format(name=re.escape(found["row"])), text):
        return None
    return _mention("column", (found.start("name"), _word_end(text, offset)), text, offset)


def _in_sql(text: str, offset: int) -> Mention:
    start, _ = _line(text, offset)
    found = _WORD_BEFORE.search(text, start, offset)
    first = found.start("name") if found else offset
    before = text[max(first - _FAR, 0) : first]
    mention = _mention("column", (first, _word_end(text, offset)), text, offset)
    if _TABLE_BEFORE.search(before):
        return replace(mention, kind="table")
    owner = _OWNER_BEFORE.search(before)
    return replace(mention, owner=_table_called(text, owner["owner"])) if owner else mention


def _table_called(text: str, alias: str) -> str:
    """Give the table that a statement calls so; the name itself where nothing says."""
    found = re.search(_ALIAS.format(alias=re.escape(alias)), text)
    return (found["called"] or found["bare"]) if found else alias


def _mention(kind: str, span: tuple[int, int], text: str, offset: int) -> Mention:
    start, end = span
    return Mention(kind=kind, name=text[start:end], prefix=text[start:offset], start=start, end=end)


def _line(text: str, offset: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    return start, len(text) if end < 0 else end


def _word_end(text: str, offset: int) -> int:
    found = _WORD.match(text, offset)
    return found.end() if found else offset


def _in_json(file: str, text: str, offset: int) -> Mention | None:
    document = parse_document(file, text.encode("utf-8", "replace"))
    for path, start, end, is_key in _texts(document):
        last = end - 1 if _is_closed(document.content[start:end]) else end
        if start < offset <= last:
            name = PurePosixPath(file).name
            kind = _kind_at(_KEYS, name, path, "key") if is_key else _kind_at(_PLACES, name, path, "value")
            found = _mention(kind, (start + 1, last), document.content, offset)
            return replace(found, path=path, owner=_owner(document, path) if kind == "column" else "")
    return None


def _is_closed(source: str) -> bool:
    return _CLOSED.fullmatch(source) is not None


def _owner(document: Document, path: tuple[str, ...]) -> str:
    """Give the name of the table whose declaration this is."""
    store = document.element("/" + "/".join(path[:2]))
    table = (store.members or {}).get("table") if store else None
    return str(table.element.value) if table else ""


def _texts(document: Document) -> Iterator[tuple[tuple[str, ...], int, int, bool]]:
    """Give path, start and end of each text of the file, and whether it is a key."""
    pending: list[tuple[tuple[str, ...], Element]] = [((), document.root)] if document.root else []
    while pending:
        path, element = pending.pop()
        if isinstance(element.value, str):
            yield path, element.start, element.end, False
        for name, member in (element.members or {}).items():
            yield path, member.start, member.end, True
            pending.append(((*path, name), member.element))
        pending += [((*path, str(index)), item) for index, item in enumerate(element.items or ())]


def _kind_at(
    places: dict[str, tuple[tuple[str, str], ...]], file: str, path: tuple[str, ...], other: str
) -> str:
    shape = "/".join("*" if part.isdecimal() else part for part in path)
    return next((kind for pattern, kind in places.get(file, ()) if re.fullmatch(pattern, shape)), other)


CODE: Final = frozenset({".py", ".sql", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})
"""Endings of the files that scripts are written in."""
_FAR: Final = 200
"""So many characters before a name say what it is."""
_CLOSED: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_QUOTED: Final = re.compile(
    r"(?P<quote>[\"'`])(?P<name>(?:(?!(?P=quote))[^\\\n]|\\.)*)(?:(?P=quote)|$)", re.MULTILINE
)
_CALL_BEFORE: Final = re.compile(
    r"\b(?P<call>Table|File|Model|Parameter|Secret)(?:<[^<>()]{0,80}>)?\s*\(\s*(?:name\s*=\s*)?$"
)
_ENVIRONMENT_BEFORE: Final = re.compile(
    r"\b(?:environ\s*(?:\[|\.get\s*\()|getenv\s*\(|process\.env\s*\[)\s*$"
)
_SUBSCRIPT_BEFORE: Final = re.compile(r"[\w\])](?:\[|\.get\()\s*$")
_PROPERTY_BEFORE: Final = re.compile(r"(?<![\w.])(?P<row>[A-Za-z_$][\w$]*)\??\.(?P<name>[A-Za-z_]\w*|)$")
_LOOP: Final = r"\bfor\s*(?:await\s*)?\(\s*(?:const|let|var)\s+{name}\s+of\b"
_WORD: Final = re.compile(r"[A-Za-z0-9_]*")
_WORD_BEFORE: Final = re.compile(r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z_][A-Za-z0-9_]*)$")
_TABLE_BEFORE: Final = re.compile(r"(?i)\b(?:from|join|into|update|table)\s+\"?$")
_OWNER_BEFORE: Final = re.compile(r"(?P<owner>[A-Za-z_][A-Za-z0-9_]*)\"?\.\"?$")
_ALIAS: Final = (
    r"(?i)(?:\bTable\(\s*[\"'](?P<called>[^\"'\n]+)[\"'][^(){{}}]*\)\s*\}}\}}"
    r"|\b(?:from|join|into|update)\s+\"?(?P<bare>\w+)\"?)\s+(?:as\s+)?\"?{alias}\b"
)
_KEYS: Final = {
    "manifest.json": (
        (r"scripts/\*/parameters", "parameter"),
        (r"stores/\*/schema", "column"),
    ),
    "patterns.json": ((r"rules", "code"),),
}
_PLACES: Final = {
    "manifest.json": (
        (r"scripts/\*/file", "script"),
        (r"charts/\*/file", "drawing"),
        (r"scripts/\*/runtime", "runtime"),
        (r"scripts/\*/trigger/on/\*", "table"),
        (r"scripts/\*/(?:inputs|outputs)(?:/[^/]+)?(?:/table)?|exposes/(?:inputs|outputs)/\*", "store"),
        (r"scripts/\*/secrets/\*|secrets/\*|webhooks/\*/verify/(?:secret|previous/\*)", "secret"),
        (r"stores/\*/table|webhooks/\*/table|charts/\*/table", "table"),
        (r"stores/\*/file", "file"),
        (r"stores/\*/storage", "storage"),
        (r"stores/\*/unique_on/\*", "column"),
        (r"stores/\*/schema(?:/[^/]+(?:/type)?)?", "type"),
        (r"models/\*/name", "model"),
        (r"parameters/\*/name|exposes/parameters/\*", "parameter"),
    ),
    "patterns.json": (
        (r"models/\*/name", "model"),
        (r"models/\*/secret|secrets/\*", "secret"),
        (r"runtimes/\*/name", "runtime"),
        (r"storages/\*/name", "storage"),
    ),
}
