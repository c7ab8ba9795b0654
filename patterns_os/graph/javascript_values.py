"""What the expressions of a JavaScript or TypeScript script can be, as far as its text proves it.

An expression has a tuple of possible values. What only run time knows is `Computed` where it is seen which
columns go into it, and `Opaque` where not even that is.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from patterns_os.graph.javascript_modules import Module, Scope, Syntax
from patterns_os.graph.vertices import EVERY_COLUMN, ColumnSource
from patterns_os.rows.types import ColumnType

SDK_MODULE = "patterns"
SDK_NAMES = frozenset(
    {"Table", "File", "Model", "Parameter", "State", "Secret", "Connection", "Stream", "once", "default"}
)
MOST_CASES = 500
"""Environments followed for one expression; a script with more gets `Opaque` for the rest."""
MOST_STEPS = 20_000
"""Expressions looked at in one script, which bounds the time of hostile sources."""
MOST_DEPTH = 60

STREAMING = frozenset({"asStream", "as_stream"})
READING_ROWS = frozenset({"read", "readRecords", "read_records"})
READING_SQL = frozenset({"readSql", "read_sql"})


@dataclass(frozen=True, slots=True)
class Known:
    """A constant; `None` stands for null and undefined."""

    value: str | bool | int | float | None


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """A list; each item has its possible values. Compared by identity, for speed.

    Attributes:
        open: Whether there may be any number of each item.
        ordered: Whether the place of an item is its place in the list.
    """

    items: tuple["Values", ...]
    open: bool = False
    ordered: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of an object. `key` is `None` for a spread of something, and for a key known only at run time."""

    key: str | None
    values: "Values"
    node: Syntax
    module: Module
    spread: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """An object literal; later entries win."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Sdk:
    """A name of the SDK; the empty name is the SDK module itself."""

    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What `new Table("x", "w")` makes: a handle on a store."""

    call: Syntax
    kind: str
    name: str
    mode: str


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or class of the app."""

    module: Module
    node: Syntax


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module of the app."""

    module: Module


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table of that port, without some of its columns."""

    table: str
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cell:
    """The value of a column in a row."""

    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that depends on run time, and on these columns and no others.

    Attributes:
        type: The column type where it is proven.
    """

    reason: str
    sources: frozenset[ColumnSource] = frozenset()
    type: ColumnType | None = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value of which not even the origin can be told."""

    reason: str


Value = Known | Items | Shape | Sdk | Opened | Routine | LocalModule | Row | Cell | Computed | Opaque
Values = tuple[Value, ...]
Environment = Mapping[tuple[Scope, str], Values]
NOTHING: Environment = {}
ITSELF = Computed("the value depends on itself")
"""What a value adds to itself: nothing."""
EXHAUSTED = Opaque("the script has too many cases to follow")


def mixed(values: Iterable[Value], reason: str, kind: ColumnType | None = None) -> Value:
    """Give the value that these go into: computed from their columns, unless one of them is opaque."""
    values = tuple(values)
    opaque = next((value for value in _flat(values) if isinstance(value, Opaque)), None)
    return opaque or Computed(reason, sources_in(values), kind)


def sources_of(value: Value) -> frozenset[ColumnSource] | Opaque:
    """Give the columns that go into a value, or why that can't be told."""
    opaque = next((one for one in _flat((value,)) if isinstance(one, Opaque)), None)
    return opaque or sources_in((value,))


def once_each(values: Iterable[Value]) -> Values:
    """Give the values once each, in order."""
    return tuple(dict.fromkeys(values))


def has_sources(value: Value) -> bool:
    """Tell whether columns are known to go into the value."""
    return isinstance(value, Computed) and bool(value.sources)


def text_of(value: Known) -> str | None:
    """Give a constant as JavaScript puts it into a text; `None` where that is not worth following."""
    match value.value:
        case str(text):
            return text
        case None:
            return None
        case bool(truth):
            return "true" if truth else "false"
        case float(number):
            return str(int(number)) if number.is_integer() and abs(number) < _EXACT else None
        case number:
            return str(number)


def number_of(text: str) -> int | float:
    """Give the number of a literal; whole ones are integers."""
    if text.endswith("n"):
        return int(text[:-1], 0)
    return int(text) if text.isdigit() else float(text)


def reason_of(value: Value) -> str:
    """Say why a value is no constant."""
    match value:
        case Computed(reason) | Opaque(reason):
            return reason
        case Cell(table, column):
            return f'it is column "{column}" of table "{table}"'
        case Known():
            return "the value is not a text"
        case _:
            return "the value is known only at run time"


def added_up(left: Value, right: Value) -> Value:
    """Give `left + right`."""
    if isinstance(left, Known) and isinstance(right, Known):
        a, b = left.value, right.value
        if isinstance(a, str) or isinstance(b, str):
            texts = text_of(left), text_of(right)
            if texts[0] is not None and texts[1] is not None:
                return Known(texts[0] + texts[1])
        elif isinstance(a, int | float) and isinstance(b, int | float):
            return Known(a + b)
    is_text = any(isinstance(part, Known) and isinstance(part.value, str) for part in (left, right))
    first = right if isinstance(left, Known) else left
    return mixed((left, right), reason_of(first), ColumnType.TEXT if is_text else None)


def handle(call: Syntax, kind: str, name: Value, mode: Value) -> Value:
    """Give what `new Table(name, mode)` makes, or why that can't be told."""
    for given in (name, mode):
        if not (isinstance(given, Known) and isinstance(given.value, str)):
            return given if isinstance(given, Opaque) else Opaque(reason_of(given))
    if isinstance(name, Known) and isinstance(mode, Known):
        return Opened(call, kind.lower(), str(name.value), str(mode.value))
    return Opaque("the name is not a text")


def members(value: Value) -> list[Values]:
    """Give the items of a list; anything else is an item itself."""
    return list(value.items) if isinstance(value, Items) else [(value,)]


def listed(value: Value) -> Items:
    """Give a list of what can be gone through."""
    return value if isinstance(value, Items) else Items(((value,),), open=True, ordered=False)


def viewed(value: Value, view: str) -> Value:
    """Give what `Object.keys`, `Object.values` or `Object.entries` gives, or the methods of a `Map`."""
    if not isinstance(value, Shape):
        return listed(mixed((value,), "the keys of an object are known only at run time"))
    unknown: Values = (Opaque("the keys of an object are known only at run time"),)
    keys: list[Values] = [unknown if entry.key is None else (Known(entry.key),) for entry in value.entries]
    values = [_held(entry) for entry in value.entries]
    is_open = unknown in keys
    parts = keys if view == "keys" else values
    if view == "entries":
        parts = [(Items(pair),) for pair in zip(keys, values, strict=True)]
    return Items(tuple(parts), is_open, not is_open)


def anything_in(value: Shape) -> Values:
    """Give what any key of an object may lead to."""
    return once_each(one for entry in value.entries for one in _held(entry)) or (Known(None),)


def collected(value: Value, name: str, node: Syntax, module: Module) -> Value:
    """Give what `new Set(value)` or `new Map(value)` makes."""
    given = Items(()) if value == Known(None) else listed(value)
    if name == "Set":
        return Items(given.items, given.open, ordered=False)
    return Shape(tuple(_paired(pair, node, module) for item in given.items for pair in item))


def _paired(pair: Value, node: Syntax, module: Module) -> Entry:
    match pair:
        case Items((keys, values)):
            key = text_of(keys[0]) if len(keys) == 1 and isinstance(keys[0], Known) else None
            return Entry(key, values, node, module)
        case _:
            return Entry(None, (pair,), node, module, spread=True)


def _held(entry: Entry) -> Values:
    if not entry.spread:
        return entry.values
    return tuple(mixed((value,), "a value of an object is known only at run time") for value in entry.values)


def extended(  # noqa: PLR0917 - what is put in, and where
    value: Value,
    items: Iterable[Values],
    entries: Iterable[Entry],
    unknown: Values,
    place: Syntax,
    module: Module,
) -> Value:
    """Give the value with what is put into it elsewhere; `unknown` is put where nothing was at first."""
    match value:
        case Items(first, is_open):
            more = (*items, *(entry.values for entry in entries if entry.key is None or entry.key.isdigit()))
            hidden = (unknown,) if unknown and not first else ()
            return Items((*first, *more, *hidden), is_open or bool(hidden), ordered=not (more or hidden))
        case Shape(first_entries):
            hidden_entries = (
                (Entry(None, unknown, place, module, spread=True),) if unknown and not first_entries else ()
            )
            return Shape((*first_entries, *entries, *hidden_entries))
        case Row():
            more_entries = tuple(entries)
            own = Entry(None, (value,), place, module, spread=True)
            return Shape((own, *more_entries)) if more_entries else value
        case _:
            return value


def _flat(values: Iterable[Value]) -> Iterator[Value]:
    """Give the values and all that they hold, each collection once."""
    pending, seen = list(values), set()
    while pending:
        value = pending.pop()
        yield value
        if isinstance(value, Items | Shape) and id(value) not in seen:
            seen.add(id(value))
            if isinstance(value, Items):
                pending += [one for item in value.items for one in item]
            else:
                pending += [one for entry in value.entries for one in entry.values]


def sources_in(values: Iterable[Value]) -> frozenset[ColumnSource]:
    """Give the columns that go into these values, as far as they are known."""
    found: set[ColumnSource] = set()
    for value in _flat(values):
        match value:
            case Cell(table, column):
                found.add(ColumnSource(table=table, column=column))
            case Row(table):
                found.add(ColumnSource(table=table, column=EVERY_COLUMN))
            case Computed(sources=sources):
                found |= sources
            case _:
                pass
    return frozenset(found)


def _split(text: str, *given: object) -> Value | None:
    if len(given) != 1 or not isinstance(given[0], str) or not given[0]:
        return None
    return Items(tuple((Known(part),) for part in text.split(given[0])))


def _replaced(text: str, *given: object) -> Value | None:
    match given:
        case (str(old), str(new)) if old and "$" not in new:
            return Known(text.replace(old, new))
        case _:
            return None


TEXT_METHODS: Final[Mapping[str, Callable[..., Value | None]]] = {
    "toUpperCase": lambda text, *_: Known(text.upper()),
    "toLowerCase": lambda text, *_: Known(text.lower()),
    "toString": lambda text, *_: Known(text),
    "trim": lambda text, *_: Known(text.strip()),
    "concat": lambda text, *more: (
        Known(text + "".join(more)) if all(isinstance(m, str) for m in more) else None
    ),
    "replaceAll": _replaced,
    "split": _split,
}
"""Methods of texts that are followed where all arguments are known."""

TYPED_METHODS: Final[Mapping[str, ColumnType]] = dict.fromkeys(
    ("toISOString", "toUpperCase", "toLowerCase", "toFixed", "padStart", "padEnd", "replaceAll", "trim"),
    ColumnType.TEXT,
) | dict.fromkeys(("includes", "startsWith", "endsWith", "has", "some", "every"), ColumnType.BOOL)
_EXACT = 2**53
