import json

import pytest

from patterns import Connection, host
from patterns.errors import NoHostError, ParameterError
from patterns_os.launcher.undeclared import undeclared_secret
from patterns_os.manifest.interpolation import fill, secret_behind

KEYS = '{"api_key": "sk-1", "more": {"id": 7}}'


class Vault:
    """A host that has secrets."""

    def __init__(self, **secrets):
        self.secrets = secrets

    def secret(self, name):
        if name == "CONNECTION_OTHER":
            raise undeclared_secret("node", name)
        return self.secrets.get(name)


@pytest.fixture(autouse=True)
def vault():
    with host.use(Vault(CONNECTION_MY_OPENAI=KEYS, CONNECTION_SLACKBOT="xoxb-1", CONNECTION_ODD="[1]")):
        yield


def test_a_connection_is_a_dict_of_its_keys():
    connection = Connection("my-openai")

    assert isinstance(connection, dict)
    assert connection == {"api_key": "sk-1", "more": {"id": 7}}
    assert {**connection} == dict(connection.items()) == json.loads(KEYS)
    assert (connection["api_key"], connection.get("token"), "more" in connection) == ("sk-1", None, True)
    assert (list(connection), list(connection.values())) == (["api_key", "more"], ["sk-1", {"id": 7}])
    assert connection.connection_type == "my-openai"


@pytest.mark.parametrize(("name", "key"), [("slackbot", "xoxb-1"), ("odd", "[1]")])
def test_a_plain_key_has_all_the_names_that_keys_have(name, key):
    assert Connection(name) == {"api_key": key, "token": key, "access_token": key}


@pytest.mark.parametrize("name", ["my-openai", "slackbot", "odd", "My OpenAI", "_slackbot-"])
def test_a_parameter_brings_the_same_keys(name):
    text = Vault(CONNECTION_MY_OPENAI=KEYS, CONNECTION_SLACKBOT="xoxb-1", CONNECTION_ODD="[1]").secret(
        secret_behind(f"connection.{name}")
    )

    assert Connection(name) == fill("${{ connection.x }}", lambda _: text)


def test_no_key_is_printed():
    assert repr(Connection("slackbot")) == 'Connection("slackbot")' == str(Connection("slackbot"))


@pytest.mark.parametrize(
    ("name", "error", "hint"),
    [
        (
            "absent",
            'Connection "absent" is not kept: secret "CONNECTION_ABSENT" is not set',
            "patterns secret set CONNECTION_ABSENT",
        ),
        (
            "other",
            'Node "node" uses secret "CONNECTION_OTHER", which it does not declare',
            'add "CONNECTION_OTHER" to the "secrets" of the script in manifest.json',
        ),
    ],
)
def test_what_is_not_kept_may_be_named_and_not_asked(name, error, hint):
    connection = Connection(name)

    for ask in (
        lambda: connection["token"],
        lambda: connection.get("token"),
        lambda: "token" in connection,
        lambda: list(connection),
        lambda: {**connection},
        connection.items,
        connection.values,
    ):
        with pytest.raises(ParameterError) as caught:
            ask()
        assert (caught.value.message, caught.value.hint) == (error, hint)


def test_a_key_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(ParameterError) as caught:
        Connection("my-openai")["token"]

    assert caught.value.message == 'Connection "my-openai" has no key "token"; its keys: "api_key", "more"'


def test_outside_of_a_run_there_is_none():
    with host.use(None), pytest.raises(NoHostError):
        Connection("slackbot")
