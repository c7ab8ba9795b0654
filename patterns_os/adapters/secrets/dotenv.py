r"""Secrets from the `.env` file of an app folder, for development.

The format is the one that shells and most tools share: `NAME=value` lines, `export` before them or not, `#`
comments, values in single quotes (as they are) or double quotes (`\n \r \t \" \\ \$` mean what they mean
elsewhere), both over several lines too. Nothing is expanded: `$` is a dollar sign.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from patterns_os.errors import PermanentError
from patterns_os.ports.secrets import check_secret_name, check_secret_value, read_only

FILE = ".env"

_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ENTRY = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*+
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?!['"])[^\n]*?))
    [ \t]*(?:(?<![^ \t'"=])\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANING = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "\n": ""}


def parse_dotenv(text: str, file: str = FILE) -> dict[str, str]:
    """Give the values by name; of a name written twice the later value holds.

    Raises:
        PermanentError: `secret-file` with file and line; the line is not shown, as it may hold a secret.
    """
    return dict(_entries(text.removeprefix("\ufeff").replace("\r\n", "\n"), file))


class DotenvSecrets:
    """Reads the `.env` of an app folder; where there is none, it holds nothing.

    Args:
        folder: The app folder.
    """

    label = FILE

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def __repr__(self) -> str:
        """Show no value."""
        return f"DotenvSecrets({str(self._file)!r})"

    def get(self, name: str) -> str | None:
        """Give the value in the file; an empty one is not set."""
        value = self._read().get(check_secret_name(name))
        return check_secret_value(name, value) if value else None

    def set(self, name: str, value: str) -> None:
        """Refuse: the file is the author's, with comments and an order of its own."""
        check_secret_value(check_secret_name(name), value)
        raise read_only(self.label, name)

    def delete(self, name: str) -> bool:
        """Refuse, as `set` does."""
        raise read_only(self.label, check_secret_name(name))

    def names(self) -> tuple[str, ...]:
        """Give the names that have a value in the file."""
        return tuple(sorted(name for name, value in self._read().items() if value))

    def _read(self) -> dict[str, str]:
        try:
            return parse_dotenv(self._file.read_bytes().decode("utf-8"))
        except FileNotFoundError:
            return {}
        except UnicodeDecodeError as error:
            raise PermanentError(
                f"{FILE} is not UTF-8 text", code="secret-file", hint="save it as UTF-8"
            ) from error
        except OSError as error:
            raise PermanentError(f"{FILE} can't be read: {error.strerror}", code="secret-file") from error


def _entries(text: str, file: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        if blank := _BLANK.match(text, at):
            at = blank.end()
        elif entry := _ENTRY.match(text, at):
            at = entry.end()
            yield entry["name"], _value(entry)
        else:
            line = text.count("\n", 0, at) + 1
            raise PermanentError(
                f"{file}:{line} is not understood, expected NAME=value with both quotes or none",
                code="secret-file",
                hint="put a value with spaces, quotes or # in single quotes",
            )


def _value(entry: re.Match[str]) -> str:
    if entry["single"] is not None:
        return entry["single"]
    if entry["double"] is not None:
        return _ESCAPE.sub(lambda found: _MEANING.get(found[1], found[0]), entry["double"])
    return entry["plain"]
