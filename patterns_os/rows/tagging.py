"""Any plain value as JSON that Postgres keeps, and back.

What JSON or jsonb would refuse or change is written as a dict of one key, the tag:

    {"$text64": "…"}    text with NUL or lone surrogates: base64 of UTF-8, surrogates passed
    {"$float": "…"}     nan, inf, -inf, -0.0, and from 1e16 on, where jsonb drops the sign that it is a float
    {"$int": "…"}       whole numbers beyond 64 bits
    {"$decimal": "…"}   {"$bytes": base64}
    {"$datetime": iso}  {"$date": iso}  {"$time": iso}
    {"$dict": [[k, v]]} a dict of the author's that looks tagged, or with keys that jsonb refuses

jsonb keeps no order of keys; everything else comes back equal and of the same type.
"""

import datetime as dt
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from patterns_os.rows.errors import RowError, render_path
from patterns_os.rows.plain import plain

MAX_DEPTH = 200


def to_json(value: Any, path: Sequence[str | int] = ()) -> Any:  # noqa: ANN401 - rows hold any value
    """Give the value as tagged JSON data.

    Raises:
        RowError: Something in it has no plain equal, a key is not text, or it is nested too deep.
    """
    if len(path) > MAX_DEPTH:
        raise too_deep(path)
    kind = type(value)
    write = _WRITERS.get(kind)
    if write is not None:
        return write(value)
    if kind is list or kind is tuple:
        return [to_json(item, (*path, position)) for position, item in enumerate(value)]
    if kind is dict:
        return _dict_to_json(value, path)
    if kind is dt.time:
        return _time_to_json(value, path)
    return to_json(plain(value, path), path)


def from_json(value: Any) -> Any:  # noqa: ANN401 - rows hold any value
    """Give the value that tagged JSON data stands for.

    The data belongs to this function: lists and dicts in it are changed in place. What looks like a tag and
    is not readable was not written by us and stays as it is.
    """
    if type(value) is dict:
        if len(value) == 1:
            ((key, item),) = value.items()
            read = _READERS.get(key)
            if read is not None:
                return _read_tagged(value, read, item)
        for key, item in value.items():
            if type(item) is dict or type(item) is list:
                value[key] = from_json(item)
    elif type(value) is list:
        for position, item in enumerate(value):
            if type(item) is dict or type(item) is list:
                value[position] = from_json(item)
    return value


def dump_tagged(data: Any) -> bytes:  # noqa: ANN401 - tagged JSON data
    """Give what `to_json` made as text.

    Raises:
        RowError: Its tags made it deeper than JSON writers go.
    """
    try:
        return orjson.dumps(data, option=_OPTIONS)
    except TypeError as error:
        raise too_deep(()) from error


def dump_many(values: Sequence[Any]) -> bytes | None:
    """Give the JSON of all values, one a line, or `None` if one of them needs a closer look."""
    try:
        text = b"\n".join([orjson.dumps(value, option=_OPTIONS) for value in values])
    except TypeError:
        return None
    return None if _may_need_tags(text, values) else text


def is_untagged(values: Sequence[Any]) -> bool:
    """Tell whether orjson writes all of the values as they are and nothing in them needs a tag."""
    try:
        return not _may_need_tags(orjson.dumps(values, option=_OPTIONS), values)
    except TypeError:
        return False


def holds_tags(values: Sequence[Any]) -> bool:
    """Tell whether parsed JSON may hold tags; sometimes true without need."""
    try:
        return b'{"$' in orjson.dumps(values)
    except TypeError:
        return True


def is_storable_text(text: str) -> bool:
    """Tell whether Postgres can hold the text: no NUL, no lone surrogates."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def too_deep(path: Sequence[str | int]) -> RowError:
    """Give the error for a value that is nested too deep; of the path only the first key helps."""
    place = f'value at "{render_path(path[:1])}"' if path else "row"
    return RowError(
        f"{place} is nested deeper than {MAX_DEPTH} levels, or holds itself",
        code="row-value",
        hint="write it as text, for example with json.dumps()",
    )


def _may_need_tags(text: bytes, values: Sequence[Any]) -> bool:
    """Look at what orjson wrote of the values; sometimes true without need."""
    return (
        b'{"$' in text
        or b"\\u0000" in text
        or b"-0.0" in text
        or _EXPONENT.search(text) is not None
        # orjson makes null of nan and infinities too.
        or (b"null" in text and not _is_finite(values))
    )


def _is_finite(value: Any) -> bool:  # noqa: ANN401 - rows hold any value
    kind = type(value)
    if kind is float:
        return bool(value - value == 0.0)
    if kind is dict:
        return all(map(_is_finite, value.values()))
    if kind is list or kind is tuple:
        return all(map(_is_finite, value))
    return kind in _NEVER_NULL


def _dict_to_json(value: dict[Any, Any], path: Sequence[str | int]) -> dict[str, Any]:
    found = {}
    must_tag = False
    for key, item in value.items():
        if not isinstance(key, str):
            raise _bad_key(key, path)
        name = str.__str__(key)
        must_tag = must_tag or not is_storable_text(name)
        found[name] = to_json(item, (*path, name))
    if must_tag or (len(found) == 1 and next(iter(found)).startswith("$")):
        return {"$dict": [[_text_to_json(key), item] for key, item in found.items()]}
    return found


def _text_to_json(value: str) -> Any:  # noqa: ANN401 - text, or a tagged dict
    if is_storable_text(value):
        return value
    return {"$text64": b64encode(value.encode("utf-8", "surrogatepass")).decode()}


def _int_to_json(value: int) -> Any:  # noqa: ANN401 - a number, or a tagged dict
    if -_BEYOND_INT64 <= value < _BEYOND_UINT64:
        return value
    # Python refuses to print and read very long decimal numbers.
    return {"$int": str(value) if value.bit_length() < _HEX_FROM_BITS else hex(value)}


def _float_to_json(value: float) -> Any:  # noqa: ANN401 - a number, or a tagged dict
    if -_WHOLE_FROM < value < _WHOLE_FROM and (value or repr(value) == "0.0"):
        return value
    return {"$float": repr(value)}


def _time_to_json(value: dt.time, path: Sequence[str | int]) -> dict[str, str]:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise RowError(
            f'value at "{render_path(path)}" is a time of day in a zone whose offset depends on the day',
            code="row-value",
            hint="write the time without its zone, or a whole datetime",
        )
    return {"$time": value.isoformat()}


def _read_tagged(value: dict[str, Any], read: Callable[[Any], Any], item: Any) -> Any:  # noqa: ANN401 - as from_json
    if type(item) is not str and type(item) is not list:
        return value
    try:
        return read(item)
    except (ValueError, TypeError, ArithmeticError):
        return value


def _read_dict(pairs: Any) -> dict[str, Any]:  # noqa: ANN401 - may be anything that another writer left
    if type(pairs) is not list:
        raise TypeError
    found = {from_json(key): item for key, item in pairs}
    if not all(type(key) is str for key in found):
        raise TypeError
    return {key: from_json(item) for key, item in found.items()}


def _read_text64(text: str) -> str:
    return b64decode(text, validate=True).decode("utf-8", "surrogatepass")


def _bad_key(key: Any, path: Sequence[str | int]) -> RowError:  # noqa: ANN401 - whatever the author wrote
    place = f'dict at "{render_path(path)}"' if path else "row"
    return RowError(
        f'{place} has the key {key!r} of type "{type(key).__name__}"; expected text keys',
        code="row-key",
        hint="convert the keys with str()",
    )


_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
)
# From 1e16 on orjson writes floats with an exponent (plus or not); jsonb makes those whole numbers.
_EXPONENT = re.compile(rb"e\+?[1-9]\d{1,2}(?=[],}\n]|\Z)")
_NEVER_NULL = frozenset({type(None), bool, int, str})
_WHOLE_FROM = 1e16
_BEYOND_INT64 = 2**63
_BEYOND_UINT64 = 2**64
_HEX_FROM_BITS = 10_000
_WRITERS: dict[type, Callable[[Any], Any]] = {
    type(None): lambda value: value,
    bool: lambda value: value,
    str: _text_to_json,
    int: _int_to_json,
    float: _float_to_json,
    bytes: lambda value: {"$bytes": b64encode(value).decode()},
    Decimal: lambda value: {"$decimal": str(value)},
    dt.datetime: lambda value: {"$datetime": value.isoformat()},
    dt.date: lambda value: {"$date": value.isoformat()},
}
_READERS: dict[str, Callable[[Any], Any]] = {
    "$text64": _read_text64,
    "$float": float,
    "$int": lambda text: int(text, 0),
    "$decimal": Decimal,
    "$bytes": lambda text: b64decode(text, validate=True),
    "$datetime": dt.datetime.fromisoformat,
    "$date": dt.date.fromisoformat,
    "$time": dt.time.fromisoformat,
    "$dict": _read_dict,
}
