"""`patterns_id`: 26 characters that order rows by time of commit, then table, then position.

    48 bits milliseconds since 1970 | 20 bits number of the table | 60 bits position

written from the highest bit in Crockford's base32, lower case. The commit function of the database makes them
in the same way; no random part is needed, as a position is given once.
"""

from patterns_os.rows.errors import RowError


def patterns_id(time_ms: int, table: int, position: int) -> str:
    """Give the id of the row at `position` of the table numbered `table`, committed at `time_ms`.

    Raises:
        RowError: A part is negative or has too many bits.
    """
    for name, value, bits in (
        ("time", time_ms, _TIME_BITS),
        ("table number", table, _TABLE_BITS),
        ("position", position, _POSITION_BITS),
    ):
        if not 0 <= value < 1 << bits:
            raise RowError(f"{name} {value} does not fit a patterns_id: it has {bits} bits", code="row-id")
    number = (time_ms << _TABLE_BITS | table) << _POSITION_BITS | position
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def parse_patterns_id(text: str) -> tuple[int, int, int]:
    """Give time in milliseconds, number of the table and position; upper case is read as lower.

    Raises:
        RowError: The text is no patterns_id.
    """
    number = 0
    for character in text.lower():
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise _not_an_id(text)
        number = number << 5 | digit
    if len(text) != _LENGTH or number >> (_TIME_BITS + _TABLE_BITS + _POSITION_BITS):
        raise _not_an_id(text)
    return (
        number >> (_TABLE_BITS + _POSITION_BITS),
        number >> _POSITION_BITS & (1 << _TABLE_BITS) - 1,
        number & (1 << _POSITION_BITS) - 1,
    )


def _not_an_id(text: str) -> RowError:
    return RowError(
        f'"{text}" is no patterns_id; expected {_LENGTH} characters of {_ALPHABET}, the first at most "7"',
        code="row-id",
    )


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26
_TIME_BITS = 48
_TABLE_BITS = 20
_POSITION_BITS = 60
