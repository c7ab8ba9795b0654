"""The refusal of a row."""

from collections.abc import Sequence
from typing import Final

from patterns_os.errors import NodeError

REFUSED: Final = "row-refused"
"""The code of a row that does not fit its table's schema: trying again gives the same, until one of them changes."""


class RowError(NodeError):
    """A row that no table can hold. Raised before anything of its batch is written."""


def render_path(path: Sequence[str | int]) -> str:
    """Give the path of keys and positions as one would write it: `order.lines[2].price`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text.encode("utf-8", "backslashreplace").decode()
