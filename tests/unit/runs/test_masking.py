import json
import time

from hypothesis import given
from hypothesis import strategies as st

from patterns_os.runs.masking import SHORTEST, Masker

VALUES = st.text('abc"\\ é\n', min_size=SHORTEST, max_size=12)


def test_a_value_gives_way_to_its_name():
    assert Masker({"KEY": "hunter22"}).mask("a hunter22 b hunter22") == "a ***KEY*** b ***KEY***"


def test_short_values_are_left_alone():
    assert Masker({"PIN": "12345", "NONE": ""}).mask("12345") == "12345"


def test_the_longest_value_goes_first():
    masker = Masker({"A": "secret", "B": "secret-and-more"})

    assert masker.mask("secret-and-more secret") == "***B*** ***A***"


def test_a_mask_is_not_searched_again():
    assert Masker({"SECRET_NAME": "abcdef", "OTHER": "SECRET_NAME"}).mask("abcdef") == "***SECRET_NAME***"


def test_a_value_under_two_names_gets_the_first_of_them():
    assert Masker({"B": "the same", "A": "the same"}).mask("the same") == "***A***"


def test_lines_json_and_addresses_are_recognised():
    masker = Masker({"PEM": "first line\nsecond line", "PASS": 'p"ss w/rd'})

    assert masker.mask("log: second line") == "log: ***PEM***"
    assert masker.mask(json.dumps({"x": 'p"ss w/rd'})) == '{"x": "***PASS***"}'
    assert masker.mask("https://u:p%22ss%20w%2Frd@host") == "https://u:***PASS***@host"


def test_the_keys_inside_a_connection_give_way_too():
    masker = Masker(
        {"CONNECTION_SLACK": '{"token": "xoxb-123456", "more": [{"key": "abcdefg"}], "n": 1234567}'}
    )

    assert masker.mask("token xoxb-123456, abcdefg") == "token ***CONNECTION_SLACK***, ***CONNECTION_SLACK***"
    assert Masker({"A": '{"token": '}).mask('{"token": ') == "***A***"
    assert Masker({"A": '{"a":' * 100_000}).mask("plain text") == "plain text"


def test_a_text_without_values_is_given_back_itself():
    text = "nothing here " * 10

    assert Masker({"KEY": "hunter22"}).mask(text) is text
    assert Masker({}).mask(text) is text


def test_a_masker_shows_no_value():
    assert repr(Masker({"KEY": "hunter22"})) == "Masker(1 names)"


@given(value=VALUES, before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_value_survives(value, before, after):
    assert value not in Masker({"_": value}).mask(before + value + after)


def test_ten_million_characters_are_masked_in_no_time():
    masker = Masker({f"KEY_{n}": f"value number {n:05}" for n in range(50)})
    text = "an ordinary line of a log, with words\n" * 270_000

    started = time.process_time()
    assert masker.mask(text + "value number 00007").endswith("***KEY_7***")
    assert time.process_time() - started < 5
