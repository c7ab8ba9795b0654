from hashlib import sha256

import pytest

from patterns_os.triggers.pointers import parsed, value_at
from patterns_os.triggers.repeats import dedupe_of, delivery_key


def digest(text):
    return sha256(text.encode()).digest()


@pytest.mark.parametrize(
    ("preset", "headers", "payload"),
    [
        ("slack", {}, {"event_id": "Ev1"}),
        ("github", {"x-github-delivery": "Ev1"}, {}),
        ("stripe", {}, {"id": "Ev1"}),
        ("shopify", {"x-shopify-webhook-id": "Ev1"}, {}),
        ("twilio", {"i-twilio-idempotency-token": "Ev1"}, {}),
        ("linear", {"linear-delivery": "Ev1"}, {}),
        ("standard-webhooks", {"webhook-id": "Ev1"}, {}),
    ],
)
def test_a_preset_knows_the_id_that_its_provider_sends(preset, headers, payload):
    dedupe = dedupe_of({"preset": preset}, None)

    assert delivery_key(dedupe, b"", headers, payload) == digest("Ev1")
    assert delivery_key(dedupe, b"", {}, {}) is None


@pytest.mark.parametrize("verify", [None, {"preset": "hmac"}, {"preset": "token"}, {"secret": "S"}])
def test_without_a_preset_nothing_is_the_same(verify):
    assert dedupe_of(verify, None) is None
    assert delivery_key(None, b"x", {}, {}) is None


def test_what_is_declared_goes_before_the_preset():
    github = {"preset": "github"}

    assert dedupe_of(github, "off") is None
    assert dedupe_of(github, "body") == "body"
    assert dedupe_of(github, {"header": "X"}) == {"header": "X"}


def test_the_body_may_be_what_is_the_same():
    assert delivery_key("body", b"x", {}, {}) == digest("x")


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        ({"a": {"b": "x"}}, digest("x")),
        ({"a": {"b": 7}}, digest("7")),
        ({"a": {"b": True}}, None),
        ({"a": {"b": None}}, None),
        ({"a": {"b": ""}}, None),
        ({"a": {"b": ["x"]}}, None),
        ({"a": "b"}, None),
        ([{"a": 1}], None),
        ("a", None),
    ],
)
def test_an_id_in_the_body_is_a_text_or_a_whole_number(payload, key):
    assert delivery_key({"pointer": "/a/b"}, b"", {}, payload) == key


def test_pointers_lead_through_lists_and_odd_names():
    value = {"a/b": [{"c~d": 1}, 2], "": {"": 3}}

    assert value_at(value, "/a~1b/0/c~0d") == 1
    assert value_at(value, "/a~1b/1") == 2
    assert value_at(value, "//") == 3
    assert value_at(value, "/a~1b/2") is None
    assert value_at(value, "/a~1b/-1") is None
    assert value_at(value, "/a~1b/x") is None


def test_a_body_that_is_no_json_has_no_value():
    assert parsed(b"a=1") is None
