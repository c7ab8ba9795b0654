import subprocess
import sys

import pytest

from patterns_os.adapters.models.echo import EchoModel
from patterns_os.adapters.models.openai_compatible import OpenAICompatibleModel
from patterns_os.adapters.models.registry import provider_for, text_model_of
from patterns_os.errors import PermanentError
from patterns_os.plan.spec import PlannedModel
from patterns_os.ports.models import Completion


def no_secret(_name):
    return None


def test_an_unbound_model_says_how_to_bind_it():
    with pytest.raises(PermanentError) as raised:
        provider_for(PlannedModel(name="text"), no_secret)

    assert str(raised.value) == (
        'error[model-not-bound] model "text" is not bound to anything that answers\n'
        "  hint: patterns add model text --provider echo (made-up answers, offline), or add "
        '"models": [{"name": "text", "provider": "openai", "endpoint": "https://api.openai.com/v1", '
        '"model": "gpt-4o-mini", "secret": "OPENAI_API_KEY"}] to patterns.json'
    )


def test_an_unknown_provider_is_refused_with_the_nearest():
    with pytest.raises(PermanentError) as raised:
        provider_for(PlannedModel(name="text", provider="opnai"), no_secret)

    assert str(raised.value) == (
        'error[model-provider] model "text" is bound to provider "opnai", expected one of "echo", "openai"\n'
        '  hint: did you mean "openai"?'
    )


@pytest.mark.parametrize("value", [None, ""])
def test_a_secret_that_is_not_set_is_named(value):
    with pytest.raises(PermanentError) as raised:
        provider_for(PlannedModel(name="text", provider="openai", secret="KEY"), lambda _: value)

    assert str(raised.value) == (
        'error[model-credentials] model "text" needs secret "KEY", which is not set\n'
        "  hint: set it with `patterns secret set KEY`, or in the environment"
    )


def test_an_endpoint_alone_is_an_openai_compatible_one():
    planned = PlannedModel(name="text", endpoint="http://127.0.0.1:8080/v1", type="next-token-text")

    assert repr(provider_for(planned, no_secret)) == (
        "OpenAICompatibleModel(name='text', url='http://127.0.0.1:8080/v1/completions')"
    )


def test_the_provider_alone_is_its_own_service():
    provider = provider_for(PlannedModel(name="text", provider="openai", secret="KEY"), {"KEY": "k"}.get)

    assert isinstance(provider, OpenAICompatibleModel)
    assert repr(provider) == (
        "OpenAICompatibleModel(name='text', url='https://api.openai.com/v1/chat/completions')"
    )


def test_echo_answers_with_the_marked_question():
    echo = provider_for(PlannedModel(name="text", provider="echo"), no_secret)
    answer = echo.complete(Completion(prompt="hello  world"))

    assert isinstance(echo, EchoModel)
    assert answer.to_json() == {
        "text": "[echo] hello  world",
        "model": "echo",
        "provider": "echo",
        "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
    }
    echo.close()


def test_echo_answers_the_last_turn():
    turns = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    ]

    assert EchoModel("m").complete(Completion(messages=turns)).text == "[echo] Hi"


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("localhost:8080", 'endpoint "localhost:8080" is no http or https address'),
        ("ftp://host/v1", 'endpoint "ftp://host/v1" is no http or https address'),
        ("http://", 'endpoint "http://" is no http or https address'),
        ("http://host:99999", 'endpoint "http://host:99999" is no http or https address'),
        ("https://me:pass@host/v1?key=k", 'endpoint "https://host/v1" holds a user name or password'),
    ],
)
def test_an_endpoint_that_is_none_is_refused_without_its_secrets(endpoint, said):
    with pytest.raises(PermanentError) as raised:
        provider_for(PlannedModel(name="text", endpoint=endpoint), no_secret)

    assert (raised.value.code, raised.value.message) == ("model-endpoint", said)


def test_models_that_make_no_text_are_refused():
    with pytest.raises(PermanentError) as raised:
        provider_for(PlannedModel(name="p", provider="openai", type="text-to-image"), no_secret)

    assert raised.value.message == (
        'a model of type "text-to-image" answers with no text, expected "chat" or "next-token-text"'
    )


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        ([], "text"),
        ([PlannedModel(name="image", type="text-to-image", provider="echo")], "text"),
        ([PlannedModel(name="a"), PlannedModel(name="b")], "a"),
        ([PlannedModel(name="a"), PlannedModel(name="b", provider="echo")], "b"),
    ],
    ids=["none", "no text", "first", "bound before first"],
)
def test_the_text_model_is_the_first_bound_one(models, chosen):
    assert text_model_of(models).name == chosen


def test_choosing_a_provider_imports_no_http_client():
    code = (
        "import sys, patterns_os.adapters.models.registry; "
        "sys.exit(bool({'httpx', 'fsspec', 'cryptography'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
