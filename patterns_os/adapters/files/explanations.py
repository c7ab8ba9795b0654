"""The pages about codes that are shipped with the package, and the table of all codes."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_ROW: Final = re.compile(r"^\| `([a-z-]+)` \| (.+) \|$", re.MULTILINE)


def load_explanation(code: str) -> str | None:
    """Give the page about a code as Markdown, `None` where there is none."""
    page = _pages().joinpath(f"{code}.md")
    return page.read_text("utf-8") if page.is_file() else None


def known_errors() -> dict[str, str]:
    """Give every code of every command with its sentence: the table of `docs/errors.md`."""
    # An installed package brings the table along; in a checkout it lies where it is written.
    package = files("patterns_os")
    for table in (_pages().joinpath("errors.md"), package.joinpath("..", "docs", "errors.md")):
        if table.is_file():
            return dict(_ROW.findall(table.read_text("utf-8")))
    return {}


def _pages() -> Traversable:
    return files("patterns_os").joinpath("explanations")
