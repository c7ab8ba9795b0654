"""Values of rows as people and machines read them."""

import json
import math
from collections.abc import Mapping
from typing import Any

from patterns_os.cli.console import cell_text, json_default, shorten

NESTED_WIDTH = 40
_LONGEST_TEXT = 1_000
_TEXTS_INSIDE = (24, 16, 8)


def short_cell(value: Any) -> str:  # noqa: ANN401 - any value of a row
    """Give a value for a box: one line; a nested value keeps its shape as long as that fits."""
    if isinstance(value, str):
        return cell_text(value[:_LONGEST_TEXT])
    if not isinstance(value, (dict, list)):
        return cell_text(value)
    text = cell_text(value)
    for most in _TEXTS_INSIDE:
        if len(text) <= NESTED_WIDTH:
            break
        text = cell_text(_with_short_texts(value, most))
    return shorten(text, NESTED_WIDTH)


def elided(record: Mapping[str, Any]) -> str:
    """Give a record by its keys alone: `{"event": ..., "text": ...}`."""
    keys = ", ".join(f"{json.dumps(key, ensure_ascii=False)}: ..." for key in record)
    return cell_text("{" + keys + "}")


def csv_cell(value: Any) -> str:  # noqa: ANN401 - any value of a row
    """Give a value for CSV, whole: JSON for nested values, nothing for none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, (dict, list, bool)):
        return _storable(json.dumps(json_ready(value), default=json_default, ensure_ascii=False))
    return str(json_default(value))


def json_ready(value: Any) -> Any:  # noqa: ANN401 - any value of a row
    """Give a value with which JSON can be written that everybody can read: no NaN, no lone surrogates."""
    if isinstance(value, Mapping):
        return {_storable(str(key)): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _storable(value) if isinstance(value, str) else value


def _with_short_texts(value: Any, most: int) -> Any:  # noqa: ANN401 - any nested value
    if isinstance(value, str):
        return shorten(value, most)
    if isinstance(value, dict):
        return {key: _with_short_texts(item, most) for key, item in value.items()}
    return [_with_short_texts(item, most) for item in value] if isinstance(value, list) else value


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
