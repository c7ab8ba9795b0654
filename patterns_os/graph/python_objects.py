"""What scripts do with collections and objects: items, iteration, copies, and the methods of dictionaries and lists."""

import ast
from collections.abc import Callable, Hashable, Iterable

from patterns_os.graph.python_engine import Engine, Given
from patterns_os.graph.python_values import (
    MOST_CASES,
    NOTHING,
    TOO_MANY,
    Entry,
    Fields,
    Instance,
    Known,
    Listed,
    OneOf,
    Opaque,
    Opened,
    Remainder,
    Stream,
    Value,
    at_run_time,
    computed,
    each,
    either,
    identity,
    lost,
    provenance,
    spelled,
)
from patterns_os.graph.vertices import EVERY_COLUMN

OLDER_NAMES = frozenset({"record", "payload"})
"""Names that give the whole row where no column has them, so the column need not be there."""
MOST_REMAINDERS = 10
"""Unknown parts of one dictionary that are told apart."""
NO_KEY = "the names of the columns are known only at run time"


def get_item(engine: Engine, base: Value, key: Value, node: ast.Subscript) -> Value:
    """Give `base[key]`."""
    found = [value for part in each(base) for value in _item(engine, part, key, node)]
    return either(found) if found else lost(at_run_time(node))


def get_slice(engine: Engine, base: Value, node: ast.Subscript, bounds: tuple[Value, ...]) -> Value:
    """Give a part of a collection."""
    found: list[Value] = []
    for part in each(base):
        if isinstance(part, Listed):
            found.append(_sliced(engine, part, node, bounds))
        elif isinstance(part, Opaque):
            found.append(
                part._replace(
                    is_copied=False, origin=None, reason=f"{spelled(node.value)}[…] is known only at run time"
                )
            )
        else:
            found.append(computed(at_run_time(node), (part,), "text" if isinstance(part, Known) else None))
    return either(found)


def look_up(
    engine: Engine, row: Fields, key: Hashable, node: ast.AST, *, optional: bool = False
) -> Value | None:
    """Give what a dictionary has under a constant key, or `None` where it certainly has nothing."""
    if key in row.entries:
        return row.entries[key].value
    further = [remainder for remainder in row.rest if not remainder.is_gap]
    found = [_remaining(engine, remainder, key, node, optional=optional) for remainder in further]
    return either(found) if found else None


def set_item(engine: Engine, base: Value, key: Value, value: Value, node: ast.AST) -> None:
    """Follow `base[key] = value`."""
    is_one = not isinstance(base, OneOf)
    for part in each(base):
        if isinstance(part, Fields):
            for name in each(key):
                certain = is_one and not isinstance(key, OneOf)
                set_entry(engine, part, name, value, node, is_certain=certain)
        elif isinstance(part, Listed):
            add_to(engine, part, value, is_certain=False)


def set_entry(
    engine: Engine, row: Fields, key: Value, value: Value, node: ast.AST, *, is_certain: bool = True
) -> None:
    """Put a value under a key; where it is not certain that this runs, the old value may be there as well."""
    certain = engine.is_certain(row.region) and is_certain
    if not isinstance(key, Known):
        _cover(row, [unnamed(value)])
        add_rest(row, unnamed(value))
        return
    if not _is_hashable(key.value):
        return
    old = row.entries.get(key.value)
    if not certain:
        further = [found for found in row.rest if not found.is_gap]
        values = [old.value] if old else [found.value for found in further if found.port is None]
        # Where a row as it was read may keep its own value, the column has both.
        values += [
            Opaque(at_run_time(node), frozenset({(found.port, str(key.value))}), is_copied=True)
            for found in further
            if found.port is not None and old is None
        ]
        value = either([*values, value])
    may_lack = not certain and (old is None or old.may_lack)
    row.entries[key.value] = Entry(value, engine.frame.module, node, may_lack)


def merge(engine: Engine, row: Fields, other: Value, node: ast.AST) -> None:
    """Follow `row.update(other)`, or `**other` in a new dictionary."""
    parts = each(other)
    for part in parts:
        certain = len(parts) == 1
        if isinstance(part, Fields):
            if part.rest:
                _cover(row, part.rest)
            for key, entry in part.entries.items():
                if certain and not entry.may_lack and engine.is_certain(row.region):
                    row.entries[key] = entry
                else:
                    set_entry(engine, row, Known(key), entry.value, entry.node, is_certain=False)
            for remainder in part.rest:
                add_rest(row, remainder)
        elif isinstance(part, Listed):
            _merge_pairs(engine, row, part, node)
        elif isinstance(part, Instance):
            merge(engine, row, from_instance(engine, part, node), node)
        elif not isinstance(part, Known):
            reason = part.reason if isinstance(part, Opaque) else NO_KEY
            remainder = Remainder(computed(reason, (part,)), reason=reason)
            _cover(row, [remainder])
            add_rest(row, remainder)


def unnamed(value: Value) -> Remainder:
    """Give entries with this value under keys that nobody can tell."""
    return Remainder(as_computed(value), reason=NO_KEY)


def gap(reason: str) -> Remainder:
    """Say that entries may be missing or changed."""
    return Remainder(NOTHING, reason=reason, is_gap=True)


def as_computed(value: Value) -> Value:
    """Give the value as one that may be another than its source's."""
    if isinstance(value, OneOf):
        return either([as_computed(part) for part in value.values])
    return value._replace(is_copied=False, origin=None) if isinstance(value, Opaque) else value


def add_rest(row: Fields, remainder: Remainder) -> None:
    """Add entries that are not known one by one, unless they are there."""
    if all(
        (identity(found.value), found.port, found.reason)
        != (identity(remainder.value), remainder.port, remainder.reason)
        for found in row.rest
    ):
        row.rest.append(remainder)
    if len(row.rest) > MOST_REMAINDERS:
        sources, _ = provenance(found.value for found in row.rest)
        row.rest[:] = [Remainder(lost(TOO_MANY, sources), reason=TOO_MANY)]


def add_to(engine: Engine, listed: Listed, value: Value, *, is_certain: bool = True) -> None:
    """Add an item to a list."""
    if (
        engine.is_certain(listed.region)
        and is_certain
        and listed.rest is None
        and len(listed.items) < MOST_CASES
    ):
        listed.items.append(value)
    else:
        listed.rest = value if listed.rest is None else either((listed.rest, value))


def items_of(engine: Engine, value: Value, node: ast.AST) -> tuple[list[Value], Value | None]:  # noqa: PLR0911 - a table of kinds
    """Give what iterating gives: the items that are known, and what any further ones can be."""
    match value:
        case Listed(items=items, rest=rest):
            return list(items), rest
        case Fields(entries=entries, rest=further):
            keys: list[Value] = [Known(key) for key, entry in entries.items() if not entry.may_lack]
            others: list[Value] = [Known(key) for key, entry in entries.items() if entry.may_lack]
            others += [_key_of(found) for found in further if not found.is_gap]
            return keys, either(others) if others else None
        case Stream(handle):
            return [], engine.row(handle, node)
        case Opened(kind="table"):
            engine.touch(value, "read", node)
            return [], engine.row(value, node)
        case Known(str() as text) if len(text) <= MOST_CASES:
            return [Known(character) for character in text], None
        case OneOf(values):
            pairs = [items_of(engine, part, node) for part in values]
            found = [item for items, _ in pairs for item in items]
            found += [rest for _, rest in pairs if rest is not None]
            return [], either(found) if found else None
        case Opaque():
            return [], Opaque(
                at_run_time(node),
                value.sources,
                path=f"{value.path}[]" if value.path else "",
                is_lost=value.is_lost,
            )
        case _:
            return [], lost(at_run_time(node), provenance((value,))[0])


def any_item(engine: Engine, value: Value, node: ast.AST) -> Value | None:
    """Give any item of a collection, or `None` where it is certainly empty."""
    items, rest = items_of(engine, value, node)
    found = items if rest is None else [*items, rest]
    return either(found) if found else None


def copy_of(engine: Engine, value: Value, node: ast.AST) -> Value:
    """Give a shallow copy."""
    return either(_copied(engine, part, node) for part in each(value))


def listed_from(engine: Engine, value: Value, node: ast.AST) -> Value:
    """Give a list of what iterating gives; what nobody can iterate stays what it is."""
    if isinstance(value, Opaque):
        return value._replace(is_copied=False)
    items, rest = items_of(engine, value, node)
    return Listed(node, engine.region, items, rest)


def from_instance(engine: Engine, instance: Instance, node: ast.AST) -> Fields:
    """Give the attributes of an object as a dictionary."""
    entries: dict[Hashable, Entry] = {
        name: Entry(value, engine.frame.module, node) for name, value in instance.attributes.items()
    }
    return Fields(node, engine.region, entries)


def call_of_fields(engine: Engine, row: Fields, name: str, given: Given) -> Value:
    """Give what a method of a dictionary returns."""
    function = _FIELDS_METHODS.get(name)
    if function is None:
        return computed(at_run_time(given.node), (row, *given.values()))
    return function(engine, row, given)


def call_of_listed(  # noqa: C901, PLR0911 - a table of all methods
    engine: Engine, listed: Listed, name: str, given: Given
) -> Value:
    """Give what a method of a list or set returns."""
    node = given.node
    match name, given.arguments:
        case "append" | "add" | "appendleft", [value]:
            add_to(engine, listed, value)
        case "insert", [_, value]:
            add_to(engine, listed, value)
        case "extend" | "update" | "extendleft", [value]:
            extend(engine, listed, value, node)
        case "copy", []:
            return Listed(node, engine.region, list(listed.items), listed.rest)
        case "pop" | "popleft", _:
            return any_item(engine, listed, node) or lost(at_run_time(node))
        case "union" | "intersection" | "difference", _:
            result = Listed(node, engine.region, list(listed.items), listed.rest)
            for value in given.arguments:
                extend(engine, result, value, node)
            return result
        case "count" | "index", _:
            return computed(at_run_time(node), (listed,), "bigint")
        case "sort" | "reverse" | "remove" | "discard", _:
            return NOTHING
        case "clear", _:
            if engine.is_certain(listed.region):
                listed.items.clear()
                listed.rest = None
        case _:
            return computed(at_run_time(node), (listed, *given.values()))
    return NOTHING


def extend(engine: Engine, listed: Listed, value: Value, node: ast.AST) -> None:
    """Add the items of a collection to a list."""
    items, rest = items_of(engine, value, node)
    for item in items:
        add_to(engine, listed, item)
    if rest is not None:
        add_to(engine, listed, rest, is_certain=False)


def _item(engine: Engine, base: Value, key: Value, node: ast.Subscript) -> Iterable[Value]:
    match base:
        case Fields():
            return _entry_of(engine, base, key, node)
        case Listed():
            return _at(base, key)
        case Opaque():
            if isinstance(key, Known) and isinstance(key.value, str):
                engine.need(base, "jsonb")
            return (_opaque_item(base, key, node),)
        case Known(str()):
            return (computed(at_run_time(node), (key,), "text"),)
        case _:
            reason = f"{spelled(node.value)}[…] is known only at run time"
            return (lost(reason, provenance((base, key))[0]),)


def _entry_of(engine: Engine, row: Fields, key: Value, node: ast.AST) -> Iterable[Value]:
    names = each(key)
    for part in names:
        if isinstance(part, Known) and _is_hashable(part.value):
            found = look_up(engine, row, part.value, node)
            if found is not None:
                yield found
    name = next((part for part in names if not isinstance(part, Known)), None)
    if name is not None:
        yield from (entry.value for entry in row.entries.values())
        for remainder in [found for found in row.rest if not found.is_gap]:
            is_every = isinstance(name, Opaque) and remainder.port in name.keys_of
            yield remainder.value if is_every else as_computed(remainder.value)


def _at(listed: Listed, key: Value) -> Iterable[Value]:
    for index in each(key):
        number = index.value if isinstance(index, Known) else None
        exact = listed.rest is None and isinstance(number, int)
        if exact and isinstance(number, int) and -len(listed.items) <= number < len(listed.items):
            yield listed.items[number]
        else:
            yield from listed.items
            if listed.rest is not None:
                yield listed.rest


def _opaque_item(base: Opaque, key: Value, node: ast.Subscript) -> Value:
    sources, is_lost = provenance((base, key))
    path = f"{base.path}[]" if base.path else ""
    reason = f"{spelled(node.value)}[…] is known only at run time"
    return Opaque(reason, sources, path=path, type=type_of_item(path), is_lost=is_lost, origin=None)


def type_of_item(path: str) -> str | None:
    """Give the column type of an item of what the path names."""
    return "text" if path in {"os.environ[]", "csv.DictReader()[][]"} else None


def _remaining(
    engine: Engine, remainder: Remainder, key: Hashable, node: ast.AST, *, optional: bool
) -> Value:
    if remainder.port is None or not isinstance(key, str):
        return as_computed(remainder.value)
    optional = optional or bool(engine.guards) or key in OLDER_NAMES
    read = engine.findings.read(remainder.port, key, engine.place(node), optional=optional)
    return Opaque(at_run_time(node), frozenset({(remainder.port, key)}), is_copied=True, origin=read)


def _key_of(remainder: Remainder) -> Opaque:
    ports = frozenset(() if remainder.port is None else (remainder.port,))
    return Opaque(NO_KEY, type="text", is_present=True, keys_of=ports, is_lost=remainder.reason is not None)


def _cover(row: Fields, rest: list[Remainder]) -> None:
    # What comes later may have the same key: then its value is the one that counts.
    for key, entry in list(row.entries.items()):
        later = [
            as_computed(found.value)
            if found.port is None
            else Opaque(NO_KEY, frozenset({(found.port, str(key))}), is_copied=True)
            for found in rest
            if not found.is_gap
        ]
        row.entries[key] = entry._replace(value=either([entry.value, *later]))


def _merge_pairs(engine: Engine, row: Fields, pairs: Listed, node: ast.AST) -> None:
    for pair in [*pairs.items, *(() if pairs.rest is None else (pairs.rest,))]:
        certain = pair is not pairs.rest
        if isinstance(pair, Listed) and len(pair.items) == 2 and pair.rest is None:  # noqa: PLR2004 - key and value
            set_pair(engine, row, pair.items[0], pair.items[1], node, is_certain=certain)
        else:
            add_rest(row, unnamed(lost(NO_KEY, provenance((pair,))[0])))


def set_pair(
    engine: Engine, row: Fields, key: Value, value: Value, node: ast.AST, *, is_certain: bool = True
) -> None:
    """Put a value under a key, where both may run through the columns of a row."""
    whole = _whole_row(key, value)
    if whole is not None:
        _cover(row, [whole])
        add_rest(row, whole)
        return
    for name in each(key):
        set_entry(engine, row, name, value, node, is_certain=is_certain and not isinstance(key, OneOf))


def _whole_row(key: Value, value: Value) -> Remainder | None:
    if not isinstance(key, Opaque) or not key.keys_of or key.is_lost:
        return None
    parts = each(value)
    if (
        isinstance(value, Opaque)
        and value.is_copied
        and {column for _, column in value.sources} == {EVERY_COLUMN}
    ):
        return Remainder(value, next(iter(key.keys_of)) if len(key.keys_of) == 1 else None)
    return Remainder(computed(NO_KEY, parts))


def _sliced(engine: Engine, listed: Listed, node: ast.Subscript, bounds: tuple[Value, ...]) -> Listed:
    constants = [bound.value for bound in bounds if isinstance(bound, Known)]
    positions = [value for value in constants if value is None or isinstance(value, int)]
    if listed.rest is None and len(positions) == len(bounds) and positions[2] != 0:
        return Listed(node, engine.region, listed.items[slice(*positions)])
    found = [*listed.items, *(() if listed.rest is None else (listed.rest,))]
    return Listed(node, engine.region, rest=either(found) if found else None)


def _copied(engine: Engine, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Fields):
        return Fields(node, engine.region, dict(value.entries), list(value.rest))
    if isinstance(value, Listed):
        return Listed(node, engine.region, list(value.items), value.rest)
    if isinstance(value, Instance):
        return Instance(value.owner, node, engine.region, dict(value.attributes))
    return value


def _is_hashable(value: object) -> bool:
    return not isinstance(value, float) or value == value  # noqa: PLR0124 - not-a-number differs from itself


def _get(engine: Engine, row: Fields, given: Given) -> Value:
    key = given.get(0, "key") or lost(NO_KEY)
    default = given.get(1, "default")
    found: list[Value] = []
    for name in each(key):
        if isinstance(name, Known) and _is_hashable(name.value):
            value = look_up(engine, row, name.value, given.node, optional=True)
            found.append(NOTHING if value is None and default is None else value or default or NOTHING)
            entry = row.entries.get(name.value)
            if entry is not None and entry.may_lack:
                found.append(default or NOTHING)
            elif default is not None and entry is None:
                found.append(default)
        else:
            found += _entry_of(engine, row, name, given.node)
            found.append(default or NOTHING)
    return either(found)


def _items(engine: Engine, row: Fields, given: Given) -> Value:
    node, region = given.node, engine.region
    pairs: list[Value] = []
    further: list[Value] = []
    for key, entry in row.entries.items():
        (further if entry.may_lack else pairs).append(Listed(node, region, [Known(key), entry.value]))
    further += [Listed(node, region, [_key_of(found), found.value]) for found in row.rest if not found.is_gap]
    return Listed(node, region, pairs, either(further) if further else None)


def _keys(engine: Engine, row: Fields, given: Given) -> Value:
    return Listed(given.node, engine.region, *items_of(engine, row, given.node))


def _values(engine: Engine, row: Fields, given: Given) -> Value:
    items = [entry.value for entry in row.entries.values() if not entry.may_lack]
    rest = [entry.value for entry in row.entries.values() if entry.may_lack]
    rest += [found.value for found in row.rest if not found.is_gap]
    return Listed(given.node, engine.region, items, either(rest) if rest else None)


def _copy(engine: Engine, row: Fields, given: Given) -> Value:
    return _copied(engine, row, given.node)


def _update(engine: Engine, row: Fields, given: Given) -> Value:
    for other in given.arguments:
        merge(engine, row, other, given.node)
    for name, value in given.keywords.items():
        set_entry(engine, row, Known(name), value, given.node)
    if given.is_open:
        add_rest(row, unnamed(lost(NO_KEY)))
    return NOTHING


def _setdefault(engine: Engine, row: Fields, given: Given) -> Value:
    key = given.get(0, "key") or lost(NO_KEY)
    value = given.get(1, "default") or NOTHING
    old = look_up(engine, row, key.value, given.node, optional=True) if isinstance(key, Known) else None
    # What is there stays; what is set is one of both, so the key is certainly there from now on.
    result = value if old is None else either((old, value))
    set_entry(engine, row, key, result, given.node)
    return result


def _pop(engine: Engine, row: Fields, given: Given) -> Value:
    result = _get(engine, row, given)
    take_out(engine, row, given.get(0, "key") or lost(NO_KEY))
    return result


def take_out(engine: Engine, row: Fields, key: Value) -> None:
    """Follow `del row[key]`."""
    if not isinstance(key, Known):
        add_rest(row, unnamed(lost(NO_KEY)))
        return
    entry = row.entries.get(key.value)
    if engine.is_certain(row.region):
        row.entries.pop(key.value, None)
    elif entry is not None:
        row.entries[key.value] = entry._replace(may_lack=True)
    if any(found.port is not None for found in row.rest):
        add_rest(row, gap(f'"{key.value}" is taken out of the row'))


def _popitem(engine: Engine, row: Fields, given: Given) -> Value:  # noqa: ARG001 - one signature for all
    add_rest(row, unnamed(lost(NO_KEY)))
    return computed(at_run_time(given.node), (row,))


def _clear(engine: Engine, row: Fields, given: Given) -> Value:  # noqa: ARG001 - one signature for all
    if engine.is_certain(row.region):
        row.entries.clear()
        row.rest.clear()
    return NOTHING


_FIELDS_METHODS: dict[str, Callable[[Engine, Fields, Given], Value]] = {
    "get": _get,
    "items": _items,
    "keys": _keys,
    "values": _values,
    "copy": _copy,
    "update": _update,
    "setdefault": _setdefault,
    "pop": _pop,
    "popitem": _popitem,
    "clear": _clear,
}
