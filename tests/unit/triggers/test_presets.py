"""What each provider signs, computed here from its documents and not with the code under test."""

import base64
import hmac
import json
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.triggers import twilio
from patterns_os.triggers.signatures import credential_headers, dressed, sign, verify_signature

NOW = 1_700_000_000
SECRET = "whsec_" + base64.b64encode(b"a key of thirty two bytes, or so").decode()
ADDRESS = "https://hooks.example.com/calls?x=1"
TARGET = "/calls?x=1"
HOST = {"Host": "hooks.example.com", "X-Forwarded-Proto": "https"}
JSON_BODY = b'{"id": "evt_1", "text": "h\xc3\xa4"}'
FORM_BODY = b"To=%2B2&From=%2B1&Body=h%C3%A4+b&Empty="


def mac(key, message, algorithm="sha256"):
    return hmac.new(key.encode(), message, algorithm).digest()


def b64(raw):
    return base64.b64encode(raw).decode()


def slack(secret, body, now):
    return {
        "X-Slack-Request-Timestamp": str(now),
        "X-Slack-Signature": "v0=" + mac(secret, b"v0:%d:%s" % (now, body)).hex(),
    }


def github(secret, body, _now):
    return {"X-Hub-Signature-256": "sha256=" + mac(secret, body).hex()}


def stripe(secret, body, now):
    return {"Stripe-Signature": f"t={now},v1={mac(secret, b'%d.%s' % (now, body)).hex()}"}


def shopify(secret, body, _now):
    return {"X-Shopify-Hmac-SHA256": b64(mac(secret, body))}


def linear(secret, body, _now):
    return {"Linear-Signature": mac(secret, body).hex()}


def standard(secret, body, now):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, b"msg_1.%d.%s" % (now, body), sha256).digest()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": "v1," + b64(signature)}


def twilio_form(secret, body, _now):
    fields = sorted(parse_qsl(body.decode(), keep_blank_values=True))
    text = ADDRESS + "".join(name + value for name, value in fields)
    return {**HOST, "X-Twilio-Signature": b64(mac(secret, text.encode(), "sha1"))}


def basic(secret, _body, _now):
    return {"Authorization": "Basic " + b64(secret.encode())}


def api_key(secret, _body, _now):
    return {"X-API-Key": secret}


def linear_body(now=NOW):
    return json.dumps({"action": "create", "webhookTimestamp": now * 1000}).encode()


# preset: how its documents say it is signed, a body, whether a time is signed
PRESETS = {
    "slack": (slack, JSON_BODY, True),
    "github": (github, JSON_BODY, False),
    "stripe": (stripe, JSON_BODY, True),
    "shopify": (shopify, JSON_BODY, False),
    "twilio": (twilio_form, FORM_BODY, False),
    "linear": (linear, linear_body(), True),
    "standard-webhooks": (standard, JSON_BODY, True),
    "basic": (basic, JSON_BODY, False),
    "api-key": (api_key, JSON_BODY, False),
}
SIGNING = [name for name in PRESETS if name not in {"basic", "api-key"}]


def verified(preset, headers, body=None, now=NOW, secret=SECRET, **verify):
    return verify_signature(
        {"preset": preset, **verify},
        secret,
        PRESETS[preset][1] if body is None else body,
        headers,
        now,
        target=TARGET,
    )


def headers_of(preset, secret=SECRET, now=NOW, body=None):
    make, own, _ = PRESETS[preset]
    return make(secret, own if body is None else body, now)


def signature_header(preset):
    return list(headers_of(preset))[-1]


# -- the truth table


@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_provider_signs_is_taken(preset):
    assert verified(preset, headers_of(preset)) is None


@pytest.mark.parametrize("preset", PRESETS)
def test_another_secret_is_refused(preset):
    other = "whsec_" + b64(b"another")

    assert verified(preset, headers_of(preset, other)) is not None


@pytest.mark.parametrize("preset", SIGNING)
def test_another_body_is_refused(preset):
    body = PRESETS[preset][1]

    assert verified(preset, headers_of(preset), body.replace(b"e", b"E") + b" ") is not None


@pytest.mark.parametrize("preset", PRESETS)
def test_a_request_without_the_header_is_refused(preset):
    missing = signature_header(preset)
    rest = {name: value for name, value in headers_of(preset).items() if name != missing}

    assert verified(preset, rest) == f'header "{missing}" is missing'


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "spoil", [str.swapcase, lambda text: text[:-4], lambda text: text + "00", lambda _: ""]
)
def test_a_header_that_is_written_otherwise_is_refused(preset, spoil):
    name = signature_header(preset)
    value = headers_of(preset)[name]
    spoiled = spoil(value)
    # Hex may be in capitals; of the words before it only "Basic" has no case.
    if spoil is str.swapcase and preset == "linear":
        assert verified(preset, {**headers_of(preset), name: spoiled}) is None
    else:
        assert verified(preset, {**headers_of(preset), name: spoiled}) is not None


@pytest.mark.parametrize("preset", SIGNING)
def test_hex_in_the_place_of_base64_and_the_other_way_is_refused(preset):
    name = signature_header(preset)
    value = headers_of(preset)[name]
    raw = value.rpartition("=" if preset in {"slack", "github", "stripe"} else ",")[2] or value
    swapped = (
        b64(bytes.fromhex(raw))
        if preset in {"slack", "github", "stripe", "linear"}
        else (base64.b64decode(raw if preset == "standard-webhooks" else value).hex())
    )
    whole = value.replace(raw, swapped) if raw in value else swapped

    assert whole != value
    assert verified(preset, {**headers_of(preset), name: whole}) is not None


@pytest.mark.parametrize(("preset", "is_timed"), [(name, timed) for name, (_, _, timed) in PRESETS.items()])
def test_an_old_time_is_refused_where_the_provider_signs_one(preset, is_timed):
    reason = verified(preset, headers_of(preset), now=NOW + 301)

    assert reason == ("the signed time is too old: 301 seconds off, 300 are tolerated" if is_timed else None)
    if is_timed:
        assert verified(preset, headers_of(preset), now=NOW + 301, tolerance=400.0) is None
        assert verified(preset, headers_of(preset), now=NOW - 301) is not None


@pytest.mark.parametrize("preset", PRESETS)
@given(text=st.text(max_size=40))
def test_nonsense_is_refused_and_never_raises(preset, text):
    assert verified(preset, {**headers_of(preset), signature_header(preset): text}) is not None


@pytest.mark.parametrize("preset", PRESETS)
def test_we_sign_as_the_provider_does(preset):
    make, body, _ = PRESETS[preset]
    ours = sign({"preset": preset}, SECRET, body, NOW + 0.9, "msg_1", url=ADDRESS)

    assert make(SECRET, body, NOW) | ours == make(SECRET, body, NOW)
    assert ours.keys() >= make(SECRET, body, NOW).keys() - HOST.keys()


# -- Twilio


@pytest.mark.parametrize(
    ("number", "signature"),
    [("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("+12349013030", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=")],
)
def test_twilio_signs_as_its_documents_print(number, signature):
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": number, "Digits": "1234", "From": number}
    body = urlencode({**fields, "To": "+18005551212"}).encode()
    headers = {"x-twilio-signature": signature, "host": "mycompany.com"}

    assert twilio.verify("12345", body, headers, ["https://mycompany.com/myapp.php?foo=1&bar=2"]) is None


def test_twilios_address_is_the_declared_one_or_what_the_headers_tell():
    assert twilio.addresses("https://a.b/c", {"host": "x"}, "/c?d=1") == [
        "https://a.b/c?d=1",
        "https://a.b:443/c?d=1",
    ]
    assert twilio.addresses(None, {"host": "a.b:443"}, "/c") == [
        "https://a.b:443/c",
        "https://a.b/c",
        "http://a.b:443/c",
    ]
    assert twilio.addresses(
        None, {"host": "x", "x-forwarded-host": "a.b", "x-forwarded-proto": "http"}, "/c"
    ) == [
        "http://a.b/c",
        "http://a.b:80/c",
    ]


def test_twilio_to_another_address_is_refused():
    reason = verify_signature(
        {"preset": "twilio"}, SECRET, FORM_BODY, headers_of("twilio"), NOW, target="/calls?x=2"
    )

    assert reason == 'the signature in header "X-Twilio-Signature" does not fit the address and the form'


def test_a_body_of_twilio_that_is_no_form_is_checked_by_its_hash():
    body = b'{"a": 1}'
    target = f"/calls?bodySHA256={sha256(body).hexdigest()}"
    signature = b64(mac(SECRET, f"https://hooks.example.com{target}".encode(), "sha1"))
    headers = {**HOST, "Content-Type": "application/json", "X-Twilio-Signature": signature}

    def reason(body, target):
        return verify_signature({"preset": "twilio"}, SECRET, body, headers, NOW, target=target)

    assert reason(body, target) is None
    assert reason(b'{"a": 2}', target) == 'the "bodySHA256" does not fit the body'
    assert reason(body, "/calls") == 'the body is no form, and the address has no "bodySHA256"'
    assert (
        reason(body, target + "0") == 'the signature in header "X-Twilio-Signature" does not fit the address'
    )


# -- Linear, basic, keys


def test_a_body_of_linear_without_a_time_is_refused():
    body = b'{"action": "create"}'
    reason = verified("linear", linear(SECRET, body, NOW), body)

    assert reason == "the signed time is not a number of seconds since 1970"


def test_the_word_basic_has_no_case_and_other_words_are_told_apart():
    credentials = basic(SECRET, b"", NOW)["Authorization"].partition(" ")[2]

    assert verified("basic", {"Authorization": f"bAsIc {credentials}"}) is None
    assert (
        verified("basic", {"Authorization": f"Bearer {credentials}"})
        == 'header "Authorization" does not begin with "Basic"'
    )
    assert verified("basic", {"Authorization": "Basic eA=="}) == "user or password are wrong"


def test_keys_are_credentials_and_may_stand_in_another_header():
    assert credential_headers({"preset": "api-key"}) == {"x-api-key"}
    assert credential_headers({"preset": "api-key", "header": "X-Mine"}) == {"x-mine"}
    assert verified("api-key", {"X-Mine": SECRET}, header="X-Mine") is None
    assert verified("api-key", {"X-API-Key": "x"}) == 'the token in header "X-API-Key" is wrong'


# -- test events


def test_a_test_event_has_the_form_in_which_the_provider_sends_it():
    assert dressed({"preset": "twilio"}, b'{"From": "+1", "N": 2}', NOW) == (
        b"From=%2B1&N=2",
        "application/x-www-form-urlencoded",
    )
    assert (
        dressed({"preset": "linear"}, b'{"a": 1}', NOW)[0] == b'{"a": 1, "webhookTimestamp": 1700000000000}'
    )
    assert dressed({"preset": "linear"}, b"{}", NOW)[0] == b'{"webhookTimestamp": 1700000000000}'
    assert dressed({"preset": "linear"}, b'{"webhookTimestamp": 1}', NOW)[0] == b'{"webhookTimestamp": 1}'
    assert dressed({"preset": "linear"}, b"[1]", NOW) == (b"[1]", "application/json")
    assert dressed(None, b"{}", NOW) == (b"{}", "application/json")
