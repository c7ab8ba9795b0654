"""`patterns secret`, run as people run it."""

import json
import os
import pty
import subprocess
import sys

import pytest

MANIFEST = {
    "name": "shop",
    "scripts": [{"file": "ask.py", "secrets": ["API_KEY"]}],
    "stores": [{"table": "orders"}],
    "webhooks": [{"title": "Orders", "table": "orders", "verify": {"preset": "slack", "secret": "SIGNING"}}],
}
CONFIGURATION = {
    "models": [{"name": "llm", "provider": "openai", "endpoint": "${WHERE}", "secret": "API_KEY"}]
}


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "ask.py").write_text("print('hello')\n")
    return folder


def environment(app, **extra):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PATTERNS_", "FORCE_"))}
    return {**kept, "XDG_CONFIG_HOME": str(app.parent / "config"), "COLUMNS": "100", **extra}


def patterns(app, *words, given=b"", **extra):
    command = [sys.executable, "-m", "patterns_os", "secret", *words]
    done = subprocess.run(
        command,
        cwd=app,
        env=environment(app, **extra),
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_value_is_kept_encrypted_and_never_shown(app):
    assert patterns(app, "set", "API_KEY", "hunter22") == (
        0,
        "API_KEY is kept, encrypted, in the local store of shop.\n",
        "",
    )
    code, out, err = patterns(app, "list")

    assert (code, err) == (0, "hint: patterns secret set SIGNING\n")
    assert out == (
        "+---------+-------------+------------------+\n"
        "| name    | comes from  | used by          |\n"
        "+---------+-------------+------------------+\n"
        "| API_KEY | local store | ask.py           |\n"
        '| SIGNING | not set     | webhook "Orders" |\n'
        "+---------+-------------+------------------+\n"
    )
    assert "hunter22" not in (app / ".patterns" / "secrets.json").read_text()


def test_the_list_says_where_each_value_comes_from(app):
    (app / ".env").write_text("WHERE=http://x/v1\nSIGNING=in the file\n")
    (app / "patterns.json").write_text(json.dumps(CONFIGURATION))
    patterns(app, "set", "API_KEY", "-", given=b"kept\n")
    code, out, err = patterns(app, "list", "--json", API_KEY="from outside")

    assert (code, err) == (0, "")
    assert json.loads(out) == [
        {
            "name": "API_KEY",
            "source": "environment",
            "declared": True,
            "used_by": ["ask.py", "patterns.json"],
        },
        {"name": "SIGNING", "source": ".env", "declared": True, "used_by": ['webhook "Orders"']},
        {"name": "WHERE", "source": ".env", "declared": True, "used_by": ["patterns.json"]},
    ]


def test_a_name_that_nothing_uses_is_kept_and_said_so(app):
    assert patterns(app, "set", "OTHER", "value") == (
        0,
        "OTHER is kept, encrypted, in the local store of shop.\n",
        'nothing in this app uses "OTHER" yet: name it under "secrets" in manifest.json\n',
    )


def test_a_connection_is_a_use_of_its_secret(app):
    (app / "ask.py").write_text('from patterns import Connection\nprint(Connection("my-slack")["token"])\n')

    assert patterns(app, "set", "CONNECTION_MY_SLACK", "value")[2] == ""


def test_a_stronger_place_is_said_so(app):
    _, _, err = patterns(app, "set", "API_KEY", "value", API_KEY="another")

    assert err == '"API_KEY" is also set in the environment, and that value wins\n'


def test_a_value_comes_from_standard_input_without_its_line_end(app):
    assert patterns(app, "set", "API_KEY", "-", given=b"two\nlines\r\n")[0] == 0
    code, _, err = patterns(app, "set", "API_KEY", "-", given=b"\n")

    assert (code, err) == (
        78,
        'error[secret-value] the value of secret "API_KEY" is empty, expected a text\n',
    )


def test_a_person_is_asked_and_what_is_typed_is_not_shown(app):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "patterns_os", "secret", "set", "API_KEY"],
        cwd=app,
        env=environment(app),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    shown = b""
    while b"(not shown): " not in shown:
        shown += os.read(leader, 1000)
    os.write(leader, b"hunter22\n")
    try:
        while part := os.read(leader, 1000):
            shown += part
    except OSError:
        pass
    os.close(leader)

    assert process.wait(30) == 0
    assert b"is kept, encrypted" in shown
    assert b"hunter22" not in shown


def test_without_a_person_a_value_must_be_given(app):
    assert patterns(app, "set", "API_KEY") == (
        2,
        "",
        (
            'error[secret-value] There is no value for "API_KEY", and nobody to ask for it\n'
            "  hint: give it on standard input: … | patterns secret set API_KEY -\n"
        ),
    )


def test_a_deleted_secret_is_gone(app):
    patterns(app, "set", "API_KEY", "value")

    assert patterns(app, "delete", "API_KEY") == (0, "API_KEY is deleted from the local store of shop.\n", "")
    assert patterns(app, "delete", "API_KEY") == (
        2,
        "",
        'error[unknown-secret] There is no secret "API_KEY"; known: none\n',
    )


def test_what_is_set_elsewhere_is_not_deleted(app):
    (app / ".env").write_text("API_KEY=x\n")
    expected = (
        'error[secret-elsewhere] Secret "API_KEY" is set in {}, not in the local store\n'
        "  hint: remove it from {}\n"
    )

    assert patterns(app, "delete", "API_KEY") == (2, "", expected.format(".env", ".env"))
    assert patterns(app, "delete", "API_KEY", API_KEY="y") == (
        2,
        "",
        expected.format("the environment", "the environment"),
    )


def test_a_misspelt_name_gets_a_hint(app):
    patterns(app, "set", "API_KEY", "value")

    assert patterns(app, "delete", "APIKEY") == (
        2,
        "",
        (
            'error[unknown-secret] There is no secret "APIKEY"; known: "API_KEY"\n'
            '  hint: did you mean "API_KEY"?\n'
        ),
    )


def test_an_app_with_mistakes_can_be_given_its_secrets(app):
    (app / "manifest.json").write_text(json.dumps({**MANIFEST, "scrpits": []}))

    assert patterns(app, "set", "API_KEY", "value")[0] == 0


def test_a_lost_key_hides_no_other_secret(app):
    patterns(app, "set", "API_KEY", "value")
    (app.parent / "config" / "patterns" / "key").unlink()
    code, out, _ = patterns(app, "list", "--json", SIGNING="x")

    assert code == 0
    assert [secret["source"][:11] for secret in json.loads(out)] == ["unreadable:", "environment"]


def test_a_folder_without_an_app_is_said_so(tmp_path):
    code, out, err = patterns(tmp_path, "set", "API_KEY", "value")

    assert (code, out) == (2, "")
    assert err.startswith("error[no-app] No app here")
