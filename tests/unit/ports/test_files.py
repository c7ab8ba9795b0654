import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.errors import PermanentError
from patterns_os.ports.files import MODES, check_file_name, check_mode, missing_file


@pytest.mark.parametrize("name", ["a", "a/b.csv", "reports/2026/é ü.txt", "a..b", "a-b_c+d,e", "日本/x"])
def test_a_relative_name_is_a_name(name):
    assert check_file_name(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", 'file name "" is empty'),
        ("/etc/passwd", 'file name "/etc/passwd" is absolute, expected a relative one'),
        ("../x", 'file name "../x" has "..", which leaves its folder'),
        ("a/../../x", 'file name "a/../../x" has "..", which leaves its folder'),
        ("a//b", 'file name "a//b" has an empty part'),
        ("a/", 'file name "a/" has an empty part'),
        ("./a", 'file name "./a" has an empty part'),
        ("s3://b/a", 'file name "s3://b/a" has an empty part'),
        (".env", 'file name ".env" has a part that begins with a dot'),
        ("a/.git/b", 'file name "a/.git/b" has a part that begins with a dot'),
        ("a./b", 'file name "a./b" has a part that ends with a dot or a space'),
        ("a ", 'file name "a " has a part that ends with a dot or a space'),
        ("a\\b", 'file name "a\\b" has a backslash, expected forward slashes'),
        ("a\0b", 'file name "a\\x00b" has a control character'),
        ("a\nb", 'file name "a\\nb" has a control character'),
        ("\udcff", 'file name "\\udcff" has a control character'),
        ("e\u0301", 'file name "e\u0301" is not in Unicode normal form C'),
    ],
)
def test_a_name_that_could_mean_another_place_is_refused(name, said):
    with pytest.raises(PermanentError) as raised:
        check_file_name(name)

    assert (raised.value.code, raised.value.message) == ("file-name", said)


@given(st.text("ab./\\\0é", max_size=8))
def test_an_accepted_name_has_only_plain_parts(name):
    try:
        check_file_name(name)
    except PermanentError:
        return
    assert not {"", ".", ".."} & set(name.split("/"))
    assert "\\" not in name


def test_modes_are_plain():
    assert [check_mode("a", mode) for mode in MODES] == list(MODES)
    assert [check_mode("a", mode) for mode in ("rt", "wt", "at")] == ["r", "w", "a"]


@pytest.mark.parametrize("mode", ["", "r+", "x", "rw", "wb+", "b", "t", "rbt"])
def test_other_modes_are_refused(mode):
    with pytest.raises(PermanentError) as raised:
        check_mode("a.txt", mode)

    assert str(raised.value) == (
        f'error[file-mode] file "a.txt" can\'t be opened with mode "{mode}", '
        'expected one of "r", "rb", "w", "wb", "a", "ab"'
    )


def test_a_missing_file_is_an_error_that_scripts_know():
    error = missing_file("a.txt")

    assert isinstance(error, FileNotFoundError)
    assert str(error) == (
        'error[file-missing] file "a.txt" doesn\'t exist\n  hint: write it first, or check its name'
    )
