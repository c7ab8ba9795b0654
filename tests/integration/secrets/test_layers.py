import pytest

from patterns_os.adapters.secrets.dotenv import DotenvSecrets
from patterns_os.adapters.secrets.environment import EnvironmentSecrets
from patterns_os.adapters.secrets.layered import LayeredSecrets
from patterns_os.adapters.secrets.local import LocalSecrets
from patterns_os.errors import PermanentError

KEY = {"PATTERNS_SECRET_KEY": "00" * 32}


@pytest.fixture
def layers(tmp_path):
    environ = dict(KEY)
    stores = [
        EnvironmentSecrets(environ, declared=["TOKEN"]),
        DotenvSecrets(tmp_path),
        LocalSecrets(tmp_path, environ),
    ]
    return environ, tmp_path / ".env", LayeredSecrets(stores)


def test_the_environment_wins_over_the_file_and_the_file_over_the_store(layers):
    environ, dotenv, secrets = layers
    secrets.set("TOKEN", "kept")
    assert (secrets.get("TOKEN"), secrets.place_of("TOKEN")) == ("kept", "local store")

    dotenv.write_text("TOKEN=written\n")
    assert (secrets.get("TOKEN"), secrets.place_of("TOKEN")) == ("written", ".env")

    environ["TOKEN"] = "given"
    assert (secrets.get("TOKEN"), secrets.place_of("TOKEN")) == ("given", "environment")
    assert secrets.names() == ("TOKEN",)
    assert secrets.label == "environment, .env, local store"


def test_an_empty_value_lets_the_next_place_answer(layers):
    environ, dotenv, secrets = layers
    secrets.set("TOKEN", "kept")
    environ["TOKEN"] = ""
    dotenv.write_text("TOKEN=\n")

    assert (secrets.get("TOKEN"), secrets.place_of("OTHER")) == ("kept", None)


def test_our_own_variables_are_no_secrets(layers):
    _, _, secrets = layers

    assert secrets.get("PATTERNS_SECRET_KEY") is None


def test_bytes_in_the_environment_that_are_no_text_are_refused():
    store = EnvironmentSecrets({"TOKEN": "\udcff"})

    with pytest.raises(PermanentError, match='the value of secret "TOKEN" is not valid UTF-8'):
        store.get("TOKEN")


def test_a_dotenv_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    with pytest.raises(PermanentError, match=r"\.env is not UTF-8 text"):
        DotenvSecrets(tmp_path).get("A")


def test_a_dotenv_that_is_a_folder_is_refused(tmp_path):
    (tmp_path / ".env").mkdir()
    with pytest.raises(PermanentError, match=r"\.env can't be read: Is a directory"):
        DotenvSecrets(tmp_path).get("A")
