import base64
import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from patterns_os.adapters.secrets import local
from patterns_os.adapters.secrets.keys import KeySource
from patterns_os.adapters.secrets.local import LocalSecrets
from patterns_os.errors import PermanentError, TemporaryError

KEY = {"PATTERNS_SECRET_KEY": secrets.token_urlsafe(32)}


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


@pytest.fixture
def file(app):
    return app / ".patterns" / "secrets.json"


def change(file, edit):
    stored = json.loads(file.read_bytes())
    edit(stored)
    file.write_text(json.dumps(stored))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def code_of(call):
    with pytest.raises(PermanentError) as raised:
        call()
    return raised.value.code


def test_the_value_is_not_in_the_file_and_the_file_is_the_owners(app, file):
    LocalSecrets(app, KEY).set("TOKEN", "hunter22")

    assert b"hunter22" not in file.read_bytes()
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert sorted(path.name for path in file.parent.iterdir()) == [
        ".gitignore",
        "secrets.json",
        "secrets.lock",
    ]


def test_the_same_value_twice_looks_different(app, file):
    store = LocalSecrets(app, KEY)
    store.set("TOKEN", "hunter22")
    first = file.read_bytes()
    store.set("TOKEN", "hunter22")

    assert file.read_bytes() != first


def test_git_ignores_the_file_in_any_app(app):
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    subprocess.run([git, "init", "-q"], cwd=app, check=True)
    LocalSecrets(app, KEY).set("TOKEN", "hunter22")

    assert (
        subprocess.run([git, "status", "--porcelain"], cwd=app, check=True, capture_output=True).stdout == b""
    )


def test_the_first_secret_makes_a_key_outside_of_the_app(app, tmp_path):
    home = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    store = LocalSecrets(app, home)

    assert (store.get("TOKEN"), (tmp_path / "config").exists()) == (None, False)
    store.set("TOKEN", "hunter22")

    key = tmp_path / "config" / "patterns" / "key"
    assert (mode(key), mode(key.parent)) == (0o600, 0o700)
    assert [path.name for path in key.parent.iterdir()] == ["key"]
    assert LocalSecrets(app, home).get("TOKEN") == "hunter22"


@pytest.mark.parametrize("config", [{}, {"XDG_CONFIG_HOME": ""}, {"XDG_CONFIG_HOME": "relative"}])
def test_without_a_configuration_folder_the_key_lies_in_the_home_folder(app, tmp_path, config):
    LocalSecrets(app, {"HOME": str(tmp_path), **config}).set("TOKEN", "hunter22")

    assert (tmp_path / ".config" / "patterns" / "key").is_file()


def test_keys_that_are_made_at_once_are_one(app, tmp_path):
    source = KeySource({"HOME": str(tmp_path)}, app)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: source.find_or_make(), range(16)))

    assert len(keys) == 1


@pytest.mark.parametrize(
    "spelling", [bytes.hex, base64.b64encode, base64.urlsafe_b64encode], ids=["hex", "b64", "url"]
)
def test_a_key_is_read_in_hex_and_base64(app, spelling):
    written = spelling(bytes(range(224, 256)))
    text = written if isinstance(written, str) else written.decode()

    for given in (text, text.rstrip("="), f" {text}\n"):
        assert KeySource({"PATTERNS_SECRET_KEY": given}, app).find() == bytes(range(224, 256))


@pytest.mark.parametrize(
    "given", ["short", "é" * 43, "!" * 43, "g" * 64, base64.b64encode(bytes(31)).decode(), " "]
)
def test_a_key_that_is_none_is_refused_unseen(app, given):
    with pytest.raises(PermanentError) as raised:
        LocalSecrets(app, {"PATTERNS_SECRET_KEY": given}).set("TOKEN", "hunter22")

    assert str(raised.value) == (
        'error[secret-key] "PATTERNS_SECRET_KEY" holds no key: expected 32 random bytes in base64 or hex\n'
        '  hint: make one with `python -c "import secrets; print(secrets.token_urlsafe(32))"`'
    )


def test_a_key_that_others_can_read_is_refused(app, tmp_path):
    home = {"HOME": str(tmp_path)}
    store = LocalSecrets(app, home)
    store.set("TOKEN", "hunter22")
    key = tmp_path / ".config" / "patterns" / "key"
    key.chmod(0o644)

    with pytest.raises(PermanentError) as raised:
        store.get("TOKEN")

    assert raised.value.message == f'the key of the secrets, "{key}", can be read by others'
    assert raised.value.hint == f"chmod 600 {key}"


def test_a_key_inside_the_app_folder_is_refused(app):
    (app / "home").mkdir()
    (app.parent / "link").symlink_to(app / "home")

    assert code_of(lambda: LocalSecrets(app, {"HOME": str(app)}).set("A", "value")) == "secret-key"
    assert (
        code_of(lambda: LocalSecrets(app, {"HOME": str(app.parent / "link")}).set("A", "value"))
        == "secret-key"
    )


def test_another_key_is_told_from_a_damaged_file(app, file):
    LocalSecrets(app, KEY).set("TOKEN", "hunter22")
    other = LocalSecrets(app, {"PATTERNS_SECRET_KEY": secrets.token_urlsafe(32)})

    with pytest.raises(PermanentError) as raised:
        other.get("TOKEN")

    assert str(raised.value) == (
        f'error[secret-key] the secrets in "{file}" are encrypted with a key that is not the one given here\n'
        "  hint: give the former key in PATTERNS_SECRET_KEY, "
        "or remove the file and set its secrets again: TOKEN"
    )
    assert code_of(lambda: other.set("MORE", "value")) == "secret-key"


def test_a_missing_key_is_told(app, tmp_path):
    LocalSecrets(app, KEY).set("TOKEN", "hunter22")

    with pytest.raises(PermanentError, match="encrypted with a key that is not here"):
        LocalSecrets(app, {"HOME": str(tmp_path)}).get("TOKEN")


def test_names_and_deleting_need_no_key(app, tmp_path):
    LocalSecrets(app, KEY).set("TOKEN", "hunter22")
    store = LocalSecrets(app, {"HOME": str(tmp_path)})

    assert (store.names(), store.delete("TOKEN"), store.names()) == (("TOKEN",), True, ())
    store.set("TOKEN", "with a key of its own")
    assert store.get("TOKEN") == "with a key of its own"


def flip(sealed):
    raw = bytearray(base64.b64decode(sealed))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize(
    "edit",
    [
        lambda stored: stored["secrets"]["A"].update(value=flip(stored["secrets"]["A"]["value"])),
        lambda stored: stored["secrets"]["A"].update(key=flip(stored["secrets"]["A"]["key"])),
        lambda stored: stored["secrets"]["A"].update(value=""),
        lambda stored: stored["secrets"]["A"].update(value="not base64"),
        lambda stored: stored["secrets"].update(A=stored["secrets"]["B"]),
        lambda stored: stored["secrets"]["A"].update(value=stored["secrets"]["B"]["value"]),
        lambda stored: stored["secrets"]["A"].update(key=7),
        lambda stored: stored["secrets"].update(A=None),
        lambda stored: stored.update(format="something/else"),
        lambda stored: stored.pop("key"),
    ],
    ids=[
        "value",
        "key",
        "empty",
        "base64",
        "other entry",
        "other value",
        "number",
        "null",
        "format",
        "no key",
    ],
)
def test_a_changed_file_is_refused(app, file, edit):
    store = LocalSecrets(app, KEY)
    store.set("A", "value of A")
    store.set("B", "value of B")
    change(file, edit)

    with pytest.raises(PermanentError) as raised:
        store.get("A")

    assert raised.value.code == "secret-file"
    assert raised.value.message.startswith(f'"{file}" was changed or is not ours: ')


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"nonsense", b"\xff", b"[" * 100_000], ids=lambda content: repr(content[:8])
)
def test_a_foreign_file_is_refused_and_left_alone(app, file, content):
    file.parent.mkdir()
    file.write_bytes(content)
    store = LocalSecrets(app, KEY)

    calls = (store.names, lambda: store.get("A"), lambda: store.set("A", "value"), lambda: store.delete("A"))
    assert {code_of(call) for call in calls} == {"secret-file"}
    assert file.read_bytes() == content


def test_a_failed_write_leaves_the_old_file(app, file, monkeypatch):
    store = LocalSecrets(app, KEY)
    store.set("TOKEN", "old value")

    def no_space(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(PermanentError, match="can't be written: No space left on device"):
        store.set("TOKEN", "new value")

    assert store.get("TOKEN") == "old value"
    assert sorted(path.name for path in file.parent.iterdir()) == [
        ".gitignore",
        "secrets.json",
        "secrets.lock",
    ]


def test_a_writer_waits_for_the_lock_but_not_for_ever(app, monkeypatch):
    store = LocalSecrets(app, KEY)
    monkeypatch.setattr(local, "LOCK_TIMEOUT_S", 0.05)
    with store._locked(), pytest.raises(TemporaryError) as raised:
        store.set("TOKEN", "hunter22")

    assert raised.value.code == "secret-busy"


def test_writers_in_several_processes_lose_nothing(app):
    code = (
        "import sys, pathlib, os; from patterns_os.adapters.secrets.local import LocalSecrets\n"
        "store = LocalSecrets(pathlib.Path(sys.argv[1]), os.environ)\n"
        "for n in range(10): store.set(f'{sys.argv[2]}_{n}', 'value')\n"
    )
    environ = {**os.environ, **KEY, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([sys.executable, "-c", code, str(app), name], env=environ) for name in "ABC"]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(LocalSecrets(app, KEY).names()) == 30
