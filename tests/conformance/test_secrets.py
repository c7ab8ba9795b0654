"""One suite for every place that holds secrets; a place that is only read is filled from behind."""

import secrets

import pytest

from patterns_os.adapters.secrets.dotenv import DotenvSecrets
from patterns_os.adapters.secrets.environment import EnvironmentSecrets
from patterns_os.adapters.secrets.layered import LayeredSecrets
from patterns_os.adapters.secrets.local import LocalSecrets
from patterns_os.errors import PermanentError

VALUES = {
    "PLAIN": "hunter22",
    "_Quoted1": 'it\'s "two" words # no comment',
    "UNICODE": "pässwörd ✓",
    "LINES": "a\nb\n",
}


def environment(_folder, values):
    return EnvironmentSecrets(values, declared=values)


def dotenv(folder, values):
    def quoted(value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    lines = [f"{name}={quoted(value)}\n" for name, value in values.items()]
    (folder / ".env").write_text("".join(lines), encoding="utf-8")
    return DotenvSecrets(folder)


def local(folder, values):
    store = LocalSecrets(folder, {"PATTERNS_SECRET_KEY": secrets.token_hex(32)})
    for name, value in values.items():
        store.set(name, value)
    return store


def layered(folder, values):
    return LayeredSecrets([environment(folder, {}), dotenv(folder, {}), local(folder, values)])


READ_ONLY = [environment, dotenv]
WRITABLE = [local, layered]


@pytest.fixture(params=READ_ONLY + WRITABLE)
def make(request, tmp_path):
    return lambda values: request.param(tmp_path, values)


@pytest.fixture(params=READ_ONLY)
def read_only(request, tmp_path):
    return request.param(tmp_path, VALUES)


@pytest.fixture(params=WRITABLE)
def writable(request, tmp_path):
    return request.param(tmp_path, {})


def test_what_is_held_is_given(make):
    store = make(VALUES)

    assert {name: store.get(name) for name in VALUES} == VALUES


def test_names_are_sorted_and_once_each(make):
    assert make(VALUES).names() == tuple(sorted(VALUES))


def test_what_is_not_held_is_none(make):
    store = make({})

    assert (store.get("PLAIN"), store.names()) == (None, ())


@pytest.mark.parametrize("name", ["", "1A", "a-b", "a b", "é", "A\n", "A.B", "../x"])
def test_a_name_that_is_none_is_refused_everywhere(make, name):
    store = make({})

    for call in (store.get, store.delete, lambda name: store.set(name, "value")):
        with pytest.raises(PermanentError) as raised:
            call(name)
        assert raised.value.code == "secret-name"


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800"], ids=["empty", "nul", "surrogate"])
def test_a_value_that_no_place_can_hold_is_refused(make, value):
    with pytest.raises(PermanentError) as raised:
        make({}).set("PLAIN", value)

    assert raised.value.code == "secret-value"


def test_no_value_is_shown(make):
    store = make(VALUES)

    assert not any(value in repr(store) + store.label for value in VALUES.values())


def test_a_place_that_is_only_read_says_so(read_only):
    for call in (lambda: read_only.set("PLAIN", "new"), lambda: read_only.delete("PLAIN")):
        with pytest.raises(PermanentError) as raised:
            call()
        assert str(raised.value) == (
            f'error[secret-read-only] secret "PLAIN" can\'t be changed in the {read_only.label}, '
            "which is only read\n"
            "  hint: change it where it is set; `patterns secret set` keeps it in the local store"
        )


def test_the_last_value_set_is_given(writable):
    writable.set("PLAIN", "old")
    writable.set("OTHER", "other")
    writable.set("PLAIN", "new")

    assert (writable.get("PLAIN"), writable.get("OTHER")) == ("new", "other")
    assert writable.names() == ("OTHER", "PLAIN")


def test_deleting_tells_whether_there_was_one(writable):
    writable.set("PLAIN", "value")

    assert [writable.delete("PLAIN"), writable.delete("PLAIN")] == [True, False]
    assert (writable.get("PLAIN"), writable.names()) == (None, ())
