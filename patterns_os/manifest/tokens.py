"""The smallest parts of a JSON text with comments: marks, texts, words, blanks, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class TokenKind(StrEnum):
    """What a part is; `mark` is one of the six signs of JSON, `word` all that stands without quotes."""

    BLANK = "blank"
    COMMENT = "comment"
    OPEN_COMMENT = "open_comment"
    TEXT = "text"
    OPEN_TEXT = "open_text"
    QUOTED = "quoted"
    MARK = "mark"
    STRANGE = "strange"
    WORD = "word"
    END = "end"


TRIVIA: Final = frozenset({TokenKind.BLANK, TokenKind.COMMENT})
"""What may stand between any two parts without a meaning."""

BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Token:
    """A part of the text: `source` is `content[start:end]`."""

    kind: TokenKind
    start: int
    end: int
    source: str

    def is_mark(self, *signs: str) -> bool:
        """Tell whether this is one of these signs."""
        return self.kind is TokenKind.MARK and self.source in signs


def read_tokens(content: str, start: int = 0) -> Iterator[Token]:
    """Give all parts from `start` on; together they are the text, a leading byte order mark apart.

    Nothing is refused: what no JSON text may hold comes as `open_comment` (runs to the end), `open_text`
    (to the end of its line), `quoted` (single or typographic quotes) or `strange` (a blank that JSON doesn't
    know, a lone quote).
    """
    position = start
    if position == 0 and content.startswith(BYTE_ORDER_MARK):
        position = 1
    while found := _TOKEN.match(content, position):
        position = found.end()
        yield Token(TokenKind(found.lastgroup or ""), found.start(), position, found.group())


# Possessive repeats: without them a long text that is not closed costs the square of its length. Of characters
# only, never of groups: Python 3.11.2, which Debian 12 has, goes past a look-ahead inside a possessive group.
_TOKEN: Final = re.compile(
    r"""
      (?P<blank>[ \t\r\n]+)
    | (?P<comment>//[^\r\n]*+ | /\*[\s\S]*?\*/)
    | (?P<open_comment>/\*[\s\S]*+)
    | (?P<text>"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*")
    | (?P<open_text>"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*\\?)
    | (?P<quoted>'[^'\\\r\n]*+(?:\\[^\r\n][^'\\\r\n]*+)*' | [\u201c-\u201f][^"\u201c-\u201f\r\n]*+[\u201c-\u201f])
    | (?P<mark>[{}\[\]:,])
    | (?P<word>(?:[^\s,:\[\]{}"'/\ufeff\u200b\u2060\u201c-\u201f]++|/(?![/*]))+)
    | (?P<strange>[\s\S])
    """,
    re.VERBOSE,
)
