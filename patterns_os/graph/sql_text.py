"""The rendered text of a SQL script as plain data: small, comparable, and enough to follow its columns.

Nothing here loads a parser, so that a graph can carry it and a cache can keep it.
"""

from bisect import bisect_right
from dataclasses import dataclass

from patterns_os.diagnostics import Location

POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Places:
    """Where in a file the characters of its rendered text come from.

    Attributes:
        pieces: Where each piece of the rendered text begins, where its origin in the file does, and whether it
            is the file's own text; the result of an expression comes from the expression as a whole.
        lines: Where the lines of the file begin.
        length: Of the file, in characters.
    """

    file: str
    pieces: tuple[tuple[int, int, bool], ...]
    lines: tuple[int, ...]
    length: int

    def locate(self, offset: int) -> Location:
        """Give the place in the file that the rendered character comes from."""
        index = bisect_right(self.pieces, offset, key=lambda piece: piece[0]) - 1
        start, origin, literal = self.pieces[max(index, 0)]
        return self.locate_source(origin + (offset - start if literal else 0))

    def locate_source(self, offset: int) -> Location:
        """Give the place of a character of the file."""
        inside = min(max(offset, 0), self.length)
        line = bisect_right(self.lines, inside)
        return Location(file=self.file, line=line, column=inside - self.lines[line - 1] + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedSql:
    """A SQL script whose columns can be followed once the columns of its inputs are known.

    Attributes:
        text: Plain SQL, table names as the script spells them (its ports).
        dialect: The parser's name of the dialect.
        output: The port that a bare select fills.
    """

    text: str
    places: Places
    output: str
    dialect: str = POSTGRES


def line_starts(source: str) -> tuple[int, ...]:
    """Give where the lines of a text begin."""
    found = [0]
    at = source.find("\n")
    while at >= 0:
        found.append(at + 1)
        at = source.find("\n", at + 1)
    return tuple(found)
