import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patterns_os.triggers.signatures import credential_headers, sign, token_header, verify_signature

NOW = 1_700_000_000.0
BODY = b'{"a": 1}'
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

SCHEMES = {
    "slack": {"preset": "slack", "secret": "S"},
    "github": {"preset": "github", "secret": "S"},
    "stripe": {"preset": "stripe", "secret": "S"},
    "standard-webhooks": {"preset": "standard-webhooks", "secret": "S"},
    "hmac": {"preset": "hmac", "secret": "S"},
    "hmac by default": {"secret": "S"},
    "hmac sha1": {"secret": "S", "algorithm": "sha1", "header": "X-Sig", "prefix": "sha1="},
    "hmac sha512 base64": {"secret": "S", "algorithm": "sha512", "encoding": "base64"},
    "hmac with a time": {"secret": "S", "timestamp_header": "X-Time"},
    "token": {"preset": "token", "secret": "S"},
    "token in a header": {"preset": "token", "secret": "S", "header": "X-Gitlab-Token"},
}
TIMED = ["slack", "stripe", "standard-webhooks", "hmac with a time"]
SIGNED = [name for name in SCHEMES if not name.startswith("token")]


def signed(name, body=BODY, now_s=NOW, secret=STANDARD_SECRET):
    return sign(SCHEMES[name], secret, body, now_s, "delivery-1")


def verified(name, headers, body=BODY, now_s=NOW, secret=STANDARD_SECRET):
    return verify_signature(SCHEMES[name], secret, body, headers, now_s)


def hex_digest(message, algorithm="sha256", secret=STANDARD_SECRET):
    return hmac.new(secret.encode(), message, algorithm).hexdigest()


# -- what the providers' own documents print


def test_slack_verifies_as_its_documents_print():
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    secret = "8f742231b10e8888abcd99yyyzzz85a5"

    assert verify_signature({"preset": "slack"}, secret, body, headers, 1_531_420_618) is None
    assert sign({"preset": "slack"}, secret, body, 1_531_420_618, "") == headers


def test_github_verifies_as_its_documents_print():
    headers = {
        "X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    }
    secret = "It's a Secret to Everybody"

    assert verify_signature({"preset": "github"}, secret, b"Hello, World!", headers, NOW) is None
    assert sign({"preset": "github"}, secret, b"Hello, World!", NOW, "") == headers


def test_standard_webhooks_verify_as_their_specification_prints():
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    verify, body = {"preset": "standard-webhooks"}, b'{"test": 2432232314}'

    assert verify_signature(verify, STANDARD_SECRET, body, headers, 1_614_265_330) is None
    assert sign(verify, STANDARD_SECRET, body, 1_614_265_330, headers["webhook-id"]) == headers


def test_stripe_signs_time_dot_body():
    expected = hex_digest(b"1700000000." + BODY)

    assert signed("stripe") == {"Stripe-Signature": f"t=1700000000,v1={expected}"}


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("hmac", {"X-Signature": hex_digest(BODY)}),
        ("hmac by default", {"X-Signature": hex_digest(BODY)}),
        ("hmac sha1", {"X-Sig": "sha1=" + hex_digest(BODY, "sha1")}),
        (
            "hmac sha512 base64",
            {
                "X-Signature": base64.b64encode(
                    hmac.new(STANDARD_SECRET.encode(), BODY, hashlib.sha512).digest()
                ).decode()
            },
        ),
        ("hmac with a time", {"X-Time": "1700000000", "X-Signature": hex_digest(b"1700000000." + BODY)}),
        ("token", {"Authorization": f"Bearer {STANDARD_SECRET}"}),
        ("token in a header", {"X-Gitlab-Token": STANDARD_SECRET}),
    ],
)
def test_the_generic_forms_sign_as_they_are_described(name, headers):
    assert signed(name) == headers
    assert verified(name, headers) is None


# -- for every scheme


@pytest.mark.parametrize("name", SCHEMES)
@given(body=st.binary(max_size=50), now_s=st.floats(min_value=0, max_value=4e9))
def test_what_is_signed_verifies(name, body, now_s):
    assert verified(name, signed(name, body, now_s), body, now_s) is None


@pytest.mark.parametrize("name", SCHEMES)
def test_names_of_headers_have_no_case(name):
    headers = signed(name)

    assert verified(name, {key.lower(): value for key, value in headers.items()}) is None
    assert verified(name, {key.upper(): value for key, value in headers.items()}) is None


@pytest.mark.parametrize("name", SIGNED)
@given(body=st.binary(max_size=50).filter(lambda body: body != BODY))
def test_another_body_does_not_fit(name, body):
    header = list(signed(name))[-1]

    assert verified(name, signed(name), body) == f'the signature in header "{header}" does not fit the body'


@pytest.mark.parametrize("name", SIGNED)
def test_another_secret_does_not_fit(name):
    header = list(signed(name))[-1]
    other = "whsec_" + base64.b64encode(b"another").decode()

    assert (
        verified(name, signed(name, secret=other))
        == f'the signature in header "{header}" does not fit the body'
    )


@pytest.mark.parametrize("name", SCHEMES)
def test_each_header_is_needed(name):
    headers = signed(name)
    for missing in headers:
        rest = {key: value for key, value in headers.items() if key != missing}

        assert verified(name, rest) == f'header "{missing}" is missing'


@pytest.mark.parametrize("name", SCHEMES)
def test_an_empty_secret_lets_nobody_in(name):
    headers = signed("hmac") if name == "standard-webhooks" else sign(SCHEMES[name], "", BODY, NOW, "x")

    assert verified(name, headers, secret="") == "the secret is empty"


@pytest.mark.parametrize("name", SCHEMES)
@given(value=st.text(max_size=60))
def test_nonsense_in_the_header_is_refused_and_never_raises(name, value):
    headers = signed(name)
    changed = {**headers, list(headers)[-1]: value}

    assert verified(name, changed) is not None


@pytest.mark.parametrize("name", SCHEMES)
def test_no_reason_shows_the_secret_or_the_right_signature(name):
    headers = signed(name)
    secret_part = list(headers.values())[-1]
    reason = verified(name, headers, BODY + b" ") or verified(name, {}) or ""

    assert STANDARD_SECRET not in reason
    assert secret_part not in reason


# -- the signed time


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize(
    ("off_s", "reason"),
    [
        (0, None),
        (300, None),
        (-300, None),
        (301, "the signed time is too old: 301 seconds off, 300 are tolerated"),
        (-301, "the signed time is too far in the future: 301 seconds off, 300 are tolerated"),
    ],
)
def test_a_signed_time_may_be_five_minutes_off(name, off_s, reason):
    assert verified(name, signed(name), now_s=NOW + off_s) == reason


@pytest.mark.parametrize("name", TIMED)
def test_the_tolerance_can_be_given(name):
    verify = {**SCHEMES[name], "tolerance": 10.0}

    assert verify_signature(verify, STANDARD_SECRET, BODY, signed(name), NOW + 10) is None
    assert (
        verify_signature(verify, STANDARD_SECRET, BODY, signed(name), NOW + 11)
        == "the signed time is too old: 11 seconds off, 10 are tolerated"
    )


@pytest.mark.parametrize("name", [name for name in SIGNED if name not in TIMED])
def test_without_a_signed_time_age_does_not_matter(name):
    assert verified(name, signed(name), now_s=NOW + 1e6) is None


def test_a_changed_time_no_longer_fits():
    changed = {**signed("slack"), "X-Slack-Request-Timestamp": "1700000001"}

    assert verified("slack", changed) == 'the signature in header "X-Slack-Signature" does not fit the body'


def test_a_changed_id_no_longer_fits():
    changed = {**signed("standard-webhooks"), "webhook-id": "another"}

    assert (
        verified("standard-webhooks", changed)
        == 'the signature in header "webhook-signature" does not fit the body'
    )


def test_a_time_that_is_none_is_refused_though_it_is_signed():
    headers = {"X-Time": "yesterday", "X-Signature": hex_digest(b"yesterday." + BODY)}

    assert verified("hmac with a time", headers) == "the signed time is not a number of seconds since 1970"


def test_a_time_in_milliseconds_is_understood():
    headers = {"X-Time": "1700000000000", "X-Signature": hex_digest(b"1700000000000." + BODY)}

    assert verified("hmac with a time", headers) is None


# -- how signatures are written


def test_one_of_several_signatures_is_enough():
    stripe = signed("stripe")["Stripe-Signature"]
    time, right = stripe.split(",")

    assert verified("stripe", {"Stripe-Signature": f"{time}, v1=00, {right}, v0=11"}) is None
    assert (
        verified("stripe", {"Stripe-Signature": f"{time},v1=00,v0=11"})
        == 'the signature in header "Stripe-Signature" does not fit the body'
    )

    standard = signed("standard-webhooks")
    both = {**standard, "webhook-signature": f"v1a,xx v1,AA== {standard['webhook-signature']}"}

    assert verified("standard-webhooks", both) is None


def test_a_header_without_the_prefix_is_told_apart():
    assert (
        verified("github", {"X-Hub-Signature-256": "sha1=00"})
        == 'header "X-Hub-Signature-256" has no signature that begins with "sha256="'
    )
    assert (
        verified("token", {"Authorization": "Basic abc"})
        == 'header "Authorization" does not begin with "Bearer"'
    )


def test_a_stripe_header_without_a_time_is_told_apart():
    assert (
        verified("stripe", {"Stripe-Signature": "v1=00"})
        == 'header "Stripe-Signature" has no time, expected "t=…"'
    )


def test_hex_may_be_in_capitals_and_base64_for_addresses():
    assert verified("hmac", {"X-Signature": hex_digest(BODY).upper()}) is None

    for body in (b"%d" % n for n in range(20)):
        (written,) = signed("hmac sha512 base64", body).values()
        for_addresses = written.translate(str.maketrans("+/", "-_")).rstrip("=")

        assert verified("hmac sha512 base64", {"X-Signature": for_addresses}, body) is None


def test_a_secret_of_standard_webhooks_must_be_base64():
    headers = signed("standard-webhooks")

    assert (
        verified("standard-webhooks", headers, secret="whsec_not base64")
        == 'the secret is not base64, with or without "whsec_" before it'
    )
    assert verified("standard-webhooks", headers, secret="whsec_") == "the secret is empty"
    assert verified("standard-webhooks", headers, secret=STANDARD_SECRET.removeprefix("whsec_")) is None


# -- tokens


def test_a_wrong_token_is_refused():
    for wrong in ("", "x", STANDARD_SECRET[:-1], STANDARD_SECRET + "x"):
        assert (
            verified("token in a header", {"X-Gitlab-Token": wrong})
            == 'the token in header "X-Gitlab-Token" is wrong'
        )


def test_the_word_bearer_has_no_case():
    assert verified("token", {"authorization": f"bearer {STANDARD_SECRET}"}) is None


def test_a_token_stands_where_it_is_said():
    assert token_header({"preset": "token"}) == ("Authorization", "Bearer ")
    assert token_header({"preset": "token", "prefix": "Token "}) == ("Authorization", "Token ")
    assert token_header({"preset": "token", "header": "X-Key"}) == ("X-Key", "")


def test_only_tokens_are_credentials_in_themselves():
    assert credential_headers({"preset": "token", "header": "X-Key"}) == {"x-key"}
    assert credential_headers({"preset": "slack"}) == frozenset()
    assert credential_headers(None) == frozenset()
