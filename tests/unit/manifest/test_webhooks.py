import json

import pytest

from patterns_os.manifest.parse import parse_manifest
from patterns_os.manifest.webhooks import per_second, verifying_secrets


def read(**webhook):
    manifest = {"name": "app", "webhooks": [{"title": "Hook", "table": "rows", **webhook}]}
    return parse_manifest(json.dumps(manifest).encode())


def data(**webhook):
    parsed = read(**webhook)
    assert parsed.diagnostics == ()
    return parsed.spec.webhooks[0].to_data()


def fault(**webhook):
    (diagnostic,) = read(**webhook).diagnostics
    return diagnostic.code, diagnostic.message, diagnostic.where.pointer.removeprefix("/webhooks/0")


@pytest.mark.parametrize(
    "preset",
    [
        "slack",
        "github",
        "stripe",
        "shopify",
        "twilio",
        "linear",
        "standard-webhooks",
        "hmac",
        "basic",
        "api-key",
        "token",
    ],
)
def test_each_preset_needs_no_more_than_a_secret(preset):
    assert data(verify={"preset": preset, "secret": "S"})["verify"] == {"preset": preset, "secret": "S"}


def test_previous_secrets_are_names_too():
    verify = data(verify={"secret": "NEW", "previous": ["OLD", "OLDER"]})["verify"]

    assert verifying_secrets(verify) == ("NEW", "OLD", "OLDER")
    assert verifying_secrets({"secret": "S"}) == ("S",)
    assert verifying_secrets(None) == ()
    assert fault(verify={"secret": "NEW", "previous": ["whsec_a/b="]}) == (
        "literal-secret",
        (
            'item 1 of "previous" is not a name, expected the name of a secret '
            "(letters, digits, - and _), not the secret itself"
        ),
        "/verify/previous/0",
    )


@pytest.mark.parametrize("dedupe", ["body", "off", {"header": "X-Id"}, {"pointer": "/event/id"}])
def test_what_is_the_same_is_said_in_four_ways(dedupe):
    assert data(dedupe=dedupe)["dedupe"] == dedupe


def test_another_way_is_refused():
    assert fault(dedupe="header") == (
        "wrong-value",
        '"dedupe" is "header", expected "body" or "off"',
        "/dedupe",
    )
    assert fault(dedupe=1) == (
        "wrong-type",
        '"dedupe" is a number, expected "body", "off", or an object with "header" or "pointer"',
        "/dedupe",
    )
    assert fault(dedupe={"pointer": "id"})[0] == "wrong-value"
    assert fault(dedupe={}) == ("missing-key", 'a dedupe needs "header"', "/dedupe")


def test_limits_are_sizes_and_rates():
    assert data(limits={"body": "5MB", "rate": "100/s"})["limits"] == {"body": 5 * 2**20, "rate": "100/s"}
    assert data(limits={"body": 1000})["limits"] == {"body": 1000}
    assert data(limits={"body": "12 KB"})["limits"] == {"body": 12 * 1024}
    assert data(limits={"rate": "7 / m"})["limits"] == {"rate": "7 / m"}
    assert data()["table"] == "rows"


@pytest.mark.parametrize(
    ("rate", "expected"), [("100/s", (100.0, 100)), ("30/m", (0.5, 30)), ("7200 / h", (2.0, 7200))]
)
def test_a_rate_is_told_by_the_second_and_at_once(rate, expected):
    assert per_second(rate) == expected


@pytest.mark.parametrize("body", [0, -1, "0MB", "5", "5GB", "65MB", 2**26 + 1])
def test_a_size_that_makes_no_sense_is_refused(body):
    code, message, pointer = fault(limits={"body": body})

    assert (code, pointer) == ("wrong-value", "/limits/body")
    assert message.endswith(' is not a size, expected 1 to 64 MB, in bytes or like "500KB" or "5MB"')


@pytest.mark.parametrize("rate", ["0/s", "5", "5/d", "-1/s", "a/s", "1.5/s"])
def test_a_rate_that_makes_no_sense_is_refused(rate):
    assert fault(limits={"rate": rate}) == (
        "wrong-value",
        f'"{rate}" is not a rate, expected a text like "100/s", "600/m" or "5000/h"',
        "/limits/rate",
    )


def test_other_kinds_of_values_are_refused():
    assert fault(limits={"rate": 5})[0] == "wrong-type"
    assert fault(limits={"body": True})[0] == "wrong-type"
