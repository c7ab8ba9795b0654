"""What the expressions of a script can be, as far as its text proves it.

A value is one of the classes below. What only run time knows is `Opaque`, which says why, and from which columns
of which tables it was made. Collections are objects that a script changes, as in Python: two names may stand for
the same one.
"""

import ast
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias, Union

from patterns_os.graph.python_modules import Module
from patterns_os.graph.vertices import EVERY_COLUMN

MOST_CASES = 500
"""Items of a collection that are followed one by one."""
MOST_CHOICES = 100
"""Possibilities followed for one value; a value with more is lost."""
MOST_PARTS = 200
"""Parts of a value that are looked at to see what it is made from; a value with more may be made from more."""

Column: TypeAlias = tuple[str, str]
"""A port and a column of its table."""
Columns: TypeAlias = frozenset[Column]
NO_COLUMNS: Columns = frozenset()

TOO_MANY = "the script has too many cases to follow"
DEPENDS_ON_ITSELF = "the value depends on itself"


@dataclass(slots=True, eq=False)
class Region:
    """A part of a script that runs not exactly once for each time that its surroundings run.

    What is changed within a region that its object does not belong to may or may not have been changed.
    """

    outer: "Region | None" = None
    is_loop: bool = False

    def holds(self, inner: "Region") -> bool:
        """Tell whether what was made in `inner` is certainly the one thing that is changed here."""
        found: Region | None = inner
        while found is not self:
            if found is None or found.is_loop:
                return False
            found = found.outer
        return True


class Known(NamedTuple):
    """A constant."""

    value: object


class Opaque(NamedTuple):
    """A value that depends on run time.

    Attributes:
        reason: Why it is not known.
        sources: The columns that it is made from.
        path: Where it comes from outside of the app, spelled out: `requests.Session().post`, `builtins.len`.
        type: The column type that it has for certain.
        is_copied: Whether it is the value of its source, unchanged.
        is_lost: Whether it may be made from more than its sources.
        is_present: Whether it is certainly not null.
        origin: What made it, where later use says more of that: a read of a column, a moment without zone.
        keys_of: The ports whose column names it runs through.
    """

    reason: str
    sources: Columns = NO_COLUMNS
    path: str = ""
    type: str | None = None
    is_copied: bool = False
    is_lost: bool = False
    is_present: bool = False
    origin: Hashable = None
    keys_of: frozenset[str] = frozenset()


class Opened(NamedTuple):
    """What `Table("x", "w")` or `File("x")` returns: a handle on a store."""

    call: ast.Call
    module: Module
    kind: str
    name: str
    mode: str


class Stream(NamedTuple):
    """What `as_stream()` of a table returns."""

    handle: Opened


class Entry(NamedTuple):
    """The value under one key, the place that gives it, and whether the key may be missing."""

    value: "Value"
    module: Module
    node: ast.AST
    may_lack: bool = False


class Remainder(NamedTuple):
    """Entries of a dictionary that are not known one by one.

    Attributes:
        port: The table whose row this is, where it is a row as it was read.
        value: What each of the entries holds.
        reason: Why nobody can tell which keys there are; `None` where it is all of those of the value's sources.
        is_gap: Whether it only says, by its reason, that other entries may be missing or changed.
    """

    value: "Value"
    port: str | None = None
    reason: str | None = None
    is_gap: bool = False


@dataclass(slots=True, eq=False)
class Fields:
    """A dictionary: entries by constant key, and what there may be besides."""

    site: ast.AST
    region: Region
    entries: dict[Hashable, Entry] = field(default_factory=dict)
    rest: list[Remainder] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Listed:
    """A list, tuple, set or iterator: its items, and what any further ones can be."""

    site: ast.AST
    region: Region
    items: "list[Value]" = field(default_factory=list)
    rest: "Value | None" = None


@dataclass(slots=True, eq=False)
class Frame:
    """The names of a module, a class body or one call of a function.

    Attributes:
        elsewhere: The frames that names declared `global` or `nonlocal` belong to.
        outer: The frame around it, as the text nests them.
        routine: The function that runs, `None` for modules and class bodies.
        owner: The class whose body this is.
        stars: Modules from outside of the app of which everything is imported.
    """

    module: Module
    region: Region
    names: "dict[str, Value]" = field(default_factory=dict)
    outer: "Frame | None" = None
    routine: "Routine | None" = None
    owner: "Class | None" = None
    elsewhere: "dict[str, Frame]" = field(default_factory=dict)
    returned: "list[Value]" = field(default_factory=list)
    yielded: "list[Value] | None" = None
    stars: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Routine:
    """A function of the app, with the object that it is bound to."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    frame: Frame
    defaults: "dict[str, Value]"
    owner: "Class | None" = None
    bound: "Value | None" = None
    decorators: tuple[str, ...] = ()

    @property
    def spelled(self) -> str:
        """The function in a sentence."""
        return "a lambda" if isinstance(self.node, ast.Lambda) else f'"{self.node.name}"'


@dataclass(slots=True, eq=False)
class Class:
    """A class of the app."""

    node: ast.ClassDef
    frame: Frame
    bases: "tuple[Value, ...]"
    decorators: tuple[str, ...] = ()
    instances: "list[Instance]" = field(default_factory=list)

    def look_up(self, name: str, depth: int = 0) -> "tuple[Class, Value] | None":
        """Give what the class or the first of its bases that has it has under the name, and which has it."""
        if name in self.frame.names:
            return self, self.frame.names[name]
        bases = self.bases if depth < 20 else ()  # noqa: PLR2004 - a class may be its own base, in a wrong script
        found = (base.look_up(name, depth + 1) for base in bases if isinstance(base, Class))
        return next((pair for pair in found if pair is not None), None)


@dataclass(slots=True, eq=False)
class Instance:
    """An object of a class of the app."""

    owner: Class
    site: ast.AST
    region: Region
    attributes: "dict[str, Value]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Super:
    """What `super()` returns."""

    owner: Class
    bound: "Value"


@dataclass(frozen=True, slots=True, eq=False)
class LocalModule:
    """A module of the app; a folder without `__init__.py` has no frame."""

    file: str
    name: str
    level: int
    importer: str
    frame: Frame | None


class Method(NamedTuple):
    """A method of one of these values, not yet called."""

    base: "Value"
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """A callable with arguments given beforehand."""

    callee: "Value"
    arguments: "tuple[Value, ...]"
    keywords: "tuple[tuple[str, Value], ...]"


@dataclass(frozen=True, slots=True, eq=False)
class OneOf:
    """One of several values; none of them is a `OneOf`."""

    values: "tuple[Value, ...]"


Value: TypeAlias = Union[  # noqa: UP007 - the classes above name it before it is there
    Known,
    Opaque,
    Opened,
    Stream,
    Fields,
    Listed,
    Routine,
    Class,
    Instance,
    Super,
    LocalModule,
    Method,
    Partial,
    OneOf,
]
NOTHING = Known(None)


def each(value: Value) -> tuple[Value, ...]:
    """Give the possibilities that a value has."""
    return value.values if isinstance(value, OneOf) else (value,)


def either(values: Iterable[Value]) -> Value:
    """Give a value that is one of these; equal ones count once."""
    found: dict[object, Value] = {}
    if isinstance(values, list) and len(values) == 1:
        only: Value = values[0]
        return only
    for value in values:
        for part in each(value):
            found.setdefault(identity(part), part)
            if len(found) > MOST_CHOICES:
                return lost(TOO_MANY)
    if len(found) == 1:
        return next(iter(found.values()))
    return OneOf(tuple(found.values())) if found else lost("there is no value")


def identity(value: Value) -> object:
    """Give what equal values share; collections and objects are equal to themselves alone."""
    if isinstance(value, Known):
        return type(value.value), value.value
    return value if isinstance(value, Opaque | Opened | Stream) else id(value)


def lost(reason: str, sources: Columns = NO_COLUMNS) -> Opaque:
    """Give a value of which nothing is known."""
    return Opaque(reason, sources, is_lost=True)


def computed(reason: str, values: Iterable[Value], column_type: str | None = None, path: str = "") -> Opaque:
    """Give a value that is made from others."""
    sources, is_lost = provenance(values)
    return Opaque(
        reason, sources, path=path, type=column_type, is_lost=is_lost, is_present=column_type is not None
    )


def provenance(values: Iterable[Value]) -> tuple[Columns, bool]:
    """Give the columns that the values are made from, all their parts included, and whether there may be more."""
    sources: set[Column] = set()
    is_lost = False
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        if type(value) is Known:
            continue
        if isinstance(value, Opaque):
            sources |= value.sources
            is_lost = is_lost or value.is_lost
        elif id(value) not in seen:
            seen.add(id(value))
            if len(seen) > MOST_PARTS:
                return frozenset(sources), True
            pending += parts(value)
    return frozenset(sources), is_lost


def is_constant(value: Value) -> bool:
    """Tell whether the value and all its parts are constants."""
    if isinstance(value, Listed):
        return value.rest is None and all(is_constant(item) for item in value.items[:MOST_CASES])
    if isinstance(value, Fields):
        return not value.rest and all(is_constant(entry.value) for entry in value.entries.values())
    return isinstance(value, Known)


def parts(value: Value) -> Iterator[Value]:
    """Give the values that a value holds."""
    match value:
        case OneOf(values):
            yield from values
        case Listed(items=items, rest=rest):
            yield from items[: MOST_PARTS + 1]
            if rest is not None:
                yield rest
        case Fields(entries=entries, rest=further):
            yield from (entry.value for entry in entries.values())
            yield from (remainder.value for remainder in further if not remainder.is_gap)
        case Instance(attributes=attributes):
            yield from attributes.values()
        case Method(base=base):
            yield base
        case Stream(handle):
            yield Opaque("", frozenset({(handle.name, EVERY_COLUMN)}))
        case Opened(kind="table", name=name, mode="r"):
            yield Opaque("", frozenset({(name, EVERY_COLUMN)}))
        case _:
            pass


def spelled(node: ast.AST) -> str:
    """Give the expression in a sentence."""
    match node:
        case ast.Name(id=name):
            return f'"{name}"'
        case ast.Attribute(attr=name):
            return f'".{name}"'
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return f'the result of "{name}(…)"'
        case _:
            return "the value"


def at_run_time(node: ast.AST) -> str:
    """Say that the expression is known only at run time."""
    return f"{spelled(node)} is known only at run time"
