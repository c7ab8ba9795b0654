"""The kinds of values that both files share: names, paths, durations, and how their violations are told.

Each is a type for a field of a spec. A violation is a `PydanticCustomError` whose type is one of our codes;
its message starts with the value as `{value}`, which the parser fills in from the author's own text.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

Item = TypeVar("Item")


class Spec(BaseModel):
    """Base of everything that an author writes: frozen, exact types, no unknown keys.

    Attributes:
        noun: What messages call it, with its article.
        later: Keys that later versions know, with what they are for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    noun: ClassVar[str] = "an object"
    later: ClassVar[dict[str, str]] = {}

    def to_data(self) -> dict[str, Any]:
        """Give plain data as it is written in JSON: keys as the author spells them, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


Items = Annotated[tuple[Item, ...], Field(strict=False)]
"""A JSON array; a list and a tuple are both taken."""


def slug(text: str, separator: str = "_") -> str:
    """Give the text as a plain name: lower-case ASCII letters and digits, everything else a separator."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", separator, plain).strip(separator)


def parse_duration(value: object) -> float:
    """Give the seconds (above zero) of a number of seconds or a text like `30s`, `10m` or `2h`."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        raise PydanticCustomError(
            "wrong-type", "expected {expected}", {"expected": 'seconds or a text like "30s", "10m" or "2h"'}
        )
    if not 0 < seconds < _LONGEST:
        raise PydanticCustomError(
            "wrong-value",
            '{value} is not a duration, expected seconds or a text like "30s", "10m" or "2h"',
        )
    return seconds


def path_fault(path: str) -> str | None:
    """Say why a path can't name a file of the app on every operating system, or give `None`.

    Good paths are relative, have forward slashes, stay inside and are in Unicode form NFC. Whether symbolic
    links lead out is for whoever opens the file.
    """
    parts = path.split("/")
    faults = {
        "is empty": not path.strip(),
        "holds a control character": _CONTROL.search(path) is not None,
        "holds a backslash": "\\" in path,
        "is absolute": path.startswith(("/", "~")) or _DRIVE.match(path) is not None,
        'holds ".."': ".." in parts,
        'holds an empty part or "."': bool({"", "."} & set(parts)),
        "has a part that ends with a dot or a blank": any(part.endswith((".", " ")) for part in parts),
        "is not in Unicode form NFC": not unicodedata.is_normalized("NFC", path),
        "is too long": len(path.encode()) > _LONGEST_PATH
        or len(max(parts, key=len).encode()) > _LONGEST_PART,
    }
    return next((reason for reason, is_so in faults.items() if is_so), None)


def tag(form: str) -> str:
    """Give the tag of a form. It stands in paths; no key is mistaken for it, as the reader refuses NUL."""
    return f"\0{form}"


def either(expected: str, choose: Callable[[Any], str | None]) -> Discriminator:
    """Tell the forms of a value apart by looking at it; what has none of them is the wrong type.

    Args:
        expected: The forms, as messages name them.
        choose: Gives the tag of the form, or `None`. The form of a spec is the name of its class.
    """
    return Discriminator(
        choose,
        custom_error_type="wrong-type",
        custom_error_message=f"expected {expected}",
    )


def _check_app_name(name: str) -> str:
    if not _APP_NAME.fullmatch(name):
        raise _bad_name("name of an app, expected lower-case letters, digits, - and _", slug(name, "-"))
    return name


def _check_table_name(name: str) -> str:
    if not _TABLE_NAME.fullmatch(name):
        expected = "table name, expected letters, digits and _, at most 63, the first not a digit"
        raise _bad_name(expected, _identifier(name))
    return name


def _check_column_name(name: str) -> str:
    if not name or len(name.encode()) > _LONGEST_NAME or _CONTROL.search(name):
        raise _bad_name("column name, expected 1 to 63 bytes without control characters", _identifier(name))
    return name


def _check_secret_name(name: str) -> str:
    if not _SECRET_NAME.fullmatch(name):
        raise PydanticCustomError(
            "literal-secret",
            "expected the name of a secret (letters, digits, - and _), not the secret itself",
            {"hint": "store the secret with `patterns secret set NAME` and write its name here"},
        )
    return name


def _check_plain_name(name: str) -> str:
    if not name.strip() or name != name.strip() or _CONTROL.search(name) or len(name) > _LONGEST_TITLE:
        raise _bad_name("name, expected 1 to 200 characters, no blank at either end", " ".join(name.split()))
    return name


def _check_path(path: str) -> str:
    reason = path_fault(path)
    if reason is not None:
        message = "{value} {reason}, expected a path inside the app folder"
        raise PydanticCustomError("bad-path", message, {"reason": reason})
    return path


def _check_url_path(path: str) -> str:
    if not _URL_PATH.fullmatch(path) or "/../" in f"{path}/":
        suggestion = "/" + "/".join(filter(None, (slug(part, "-") for part in path.split("/"))))
        expected = "path of a webhook, expected a slash, then letters, digits, -, _, . and slashes"
        raise _bad_name(expected, suggestion)
    return path


def _check_component_name(name: str) -> str:
    if not _COMPONENT_NAME.fullmatch(name):
        expected = "component, expected vendor/name@v1: lower-case letters, digits and -, then its version"
        vendor, _, rest = name.strip().lower().rpartition("/")
        plain, _, version = rest.partition("@")
        number = re.sub(r"[^0-9].*", "", version.lstrip("v")) or "1"
        raise _bad_name(expected, f"{slug(vendor, '-') or 'patterns'}/{slug(plain, '-') or 'name'}@v{number}")
    return name


def _in_schema(pattern: re.Pattern[str]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern.pattern}$"})


def _bad_name(expected: str, suggestion: str) -> PydanticCustomError:
    context: dict[str, Any] = {"expected": expected}
    if suggestion.strip("/"):
        context["hint"] = f'write "{suggestion[:_LONGEST_NAME]}"'
    return PydanticCustomError("bad-name", "{value} is not a {expected}", context)


def _identifier(name: str) -> str:
    plain = slug(name)
    return f"t_{plain}" if plain[:1].isdigit() else plain


_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST: Final = 366 * 86400
_LONGEST_NAME: Final = 63
_LONGEST_PATH: Final = 1024
_LONGEST_PART: Final = 255
_LONGEST_TITLE: Final = 200
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([smhd])")
_APP_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_TABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_SECRET_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_URL_PATH: Final = re.compile(r"/[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
_COMPONENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*@v[0-9]+")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
AppName = Annotated[str, AfterValidator(_check_app_name), _in_schema(_APP_NAME)]
TableName = Annotated[str, AfterValidator(_check_table_name), _in_schema(_TABLE_NAME)]
ColumnName = Annotated[str, AfterValidator(_check_column_name)]
SecretName = Annotated[str, AfterValidator(_check_secret_name), _in_schema(_SECRET_NAME)]
PlainName = Annotated[str, AfterValidator(_check_plain_name)]
FilePath = Annotated[str, AfterValidator(_check_path)]
UrlPath = Annotated[str, AfterValidator(_check_url_path), _in_schema(_URL_PATH)]
ComponentName = Annotated[str, AfterValidator(_check_component_name), _in_schema(_COMPONENT_NAME)]
Metadata = Annotated[dict[str, Any], Field(examples=[{"position": {"x": 120, "y": 40}}])]
SCHEMA_BASE: Final = "https://raw.githubusercontent.com/patterns-os/patterns-os/main/schemas"
"""Where the JSON Schemas of both files are published."""
METADATA: Final = "Whatever other tools keep here; it changes nothing."
Duration = Annotated[
    float,
    PlainValidator(parse_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?[smhd]$"},
            ]
        }
    ),
]
"""Seconds, as a number or a text with a unit."""
