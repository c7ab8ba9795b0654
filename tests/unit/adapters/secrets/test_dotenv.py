import pytest

from patterns_os.adapters.secrets.dotenv import parse_dotenv
from patterns_os.errors import PermanentError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("\n  \n# only a comment\n\t# another", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("export A=1\n  export\tB = 2  ", {"A": "1", "B": "2"}),
        ("A=", {"A": ""}),
        ("A= # nothing", {"A": ""}),
        ("A=#nothing", {"A": ""}),
        ("A=a#b # c", {"A": "a#b"}),
        ("A=two words # c", {"A": "two words"}),
        ("A='a # b'# c", {"A": "a # b"}),
        (r"A='a\n$B'", {"A": r"a\n$B"}),
        (r'A="a\n\t\"\\\$B \x"', {"A": 'a\n\t"\\$B \\x'}),
        ("A='a\nb'\nB=\"c\nd\"", {"A": "a\nb", "B": "c\nd"}),
        ('A="a\\\nb"', {"A": "ab"}),
        ("A=it's", {"A": "it's"}),
        ("A=$HOME/${B}", {"A": "$HOME/${B}"}),
        ("A=a=b==", {"A": "a=b=="}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=''", {"A": ""}),
    ],
)
def test_a_file_is_read_as_shells_read_it(text, values):
    assert parse_dotenv(text) == values


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A", 1),
        ("\nexport A", 2),
        ("a-b=1", 1),
        ("1A=1", 1),
        ("A='x\nB=2", 1),
        ('A=1\n\nB= "x', 3),
        ("A='x'y", 1),
        ("A='x\ny'\n=2", 3),
    ],
)
def test_a_line_that_is_not_understood_is_named_and_not_shown(text, line):
    with pytest.raises(PermanentError) as raised:
        parse_dotenv(text)

    assert str(raised.value) == (
        f"error[secret-file] .env:{line} is not understood, expected NAME=value with both quotes or none\n"
        "  hint: put a value with spaces, quotes or # in single quotes"
    )
