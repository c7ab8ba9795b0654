"""The quick start of the first users' documents, typed into a real shell in an empty folder."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from patterns_os.cli.shell_json import AmbiguousError, read_eaten_json

pytestmark = pytest.mark.postgres

KEY = "sk-acceptance-0123456789abcdef"
SCRIPT = """\
from patterns import File, Model, Parameter, Table 

import openai


messages = Table("slack_messages")
completions = Table("completions", "w")


for event in messages.as_stream():
    text = event["event"]["text"]
    completion = openai.completion(text)
    event["gpt3_completion"] = completion
    completions.append(event)
"""  # noqa: W291 - exactly as printed
ADD_SCRIPTS = """\
patterns add script --from-template=patterns/slack-receive-messages@v0
patterns add script my_py.py && cp ../my_py.txt my_py.py
"""
SEND = 'patterns webhook test --title="Slack messages" --data={"event":{"text":"hello world"}}\n'
TABLE = """\
+----------------------------+-------------------------+--------------------+
| patterns_id                | event                   | gpt3_completion    |
+----------------------------+-------------------------+--------------------+
| iiiiiiiiiiiiiiiiiiiiiiiiii | {"text": "hello world"} | [echo] hello world |
+----------------------------+-------------------------+--------------------+
1 row
"""
RECORD = """\
+----------------------------+----------------------------------------+
| patterns_id                | event                                  |
+----------------------------+----------------------------------------+
| iiiiiiiiiiiiiiiiiiiiiiiiii | {"event": ..., "gpt3_completion": ...} |
+----------------------------+----------------------------------------+
1 row
"""


class Shell:
    """A terminal in an empty folder."""

    def __init__(self, folder, environment):
        self.home = folder
        self.said = []
        tools = folder / "bin"
        tools.mkdir()
        command = tools / "patterns"
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m patterns_os "$@"\n')
        command.chmod(0o755)
        (folder / "my_py.txt").write_text(SCRIPT)
        self.environment = environment | {"PATH": f"{tools}:{os.environ['PATH']}"}

    def type(self, lines, *, code=0, **variables):
        """Type lines, inside the app's folder if it is there; give what is printed to each stream."""
        app = self.home / "quick-start"
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{lines}"],
            cwd=app if app.exists() else self.home, env=self.environment | variables,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        self.said += [done.stdout, done.stderr]
        assert done.returncode == code, f"{lines}: {done}"
        return done.stdout, done.stderr


class Endpoint:
    """A local server that speaks OpenAI's protocol, to those who have the key."""

    def __init__(self):
        self.questions = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.questions.append((self.path, body))
                given = self.headers["Authorization"]
                if given == f"Bearer {KEY}":
                    asked = body["messages"][-1]["content"]
                    answer = {
                        "choices": [{"message": {"role": "assistant", "content": f"you said: {asked}"}}]
                    }
                else:
                    answer = {"error": {"message": f"Incorrect API key provided: {given}"}}
                content = json.dumps(answer).encode()
                self.send_response(200 if "choices" in answer else 401)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def shell(app, tools):
    return Shell(app.folder, app.environment())


@pytest.fixture
def endpoint():
    served = Endpoint()
    yield served
    served.close()


def bind(shell, endpoint):
    """Bind the model to the endpoint, as the documents tell: in patterns.json."""
    path = shell.home / "quick-start" / "patterns.json"
    configuration = json.loads(path.read_text())
    configuration["models"] = [
        {
            "name": "text",
            "provider": "openai",
            "endpoint": endpoint.url,
            "model": "gpt-4o-mini",
            "secret": "OPENAI_API_KEY",
        }
    ]
    path.write_text(json.dumps(configuration))


def files_with(folder: Path, text: str):
    return [str(p) for p in folder.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


@pytest.mark.parametrize("storage", ["patterns add storage postgresql://localhost\n", ""])
def test_the_quick_start_as_printed_gives_the_table(shell, tools, storage):
    shell.type(f"patterns create app quick-start && cd quick-start\n{storage}{ADD_SCRIPTS}")
    shell.type("patterns add model text --provider echo")
    out, err = shell.type(SEND)
    assert out.splitlines()[0] == "Slack messages          received 1 row"
    assert out.splitlines()[1].startswith("└─ my_py                done     1 → 1 rows")
    assert err.splitlines()[:2] == [
        'the shell has eaten the quotes; understood: {"event":{"text":"hello world"}}',
        """  hint: put the JSON in single quotes: --data='{"event":{"text":"hello world"}}'""",
    ]
    assert ("nothing answers at postgresql://localhost" in err) == bool(storage)
    assert tools.masked(shell.type("patterns table data completions")[0]) == TABLE
    assert tools.masked(shell.type("patterns table data completions --as-record")[0]) == RECORD
    (row,) = json.loads(shell.type("patterns table data completions --format json")[0])
    assert {**row, "patterns_id": ""} == {
        "patterns_id": "",
        "event": {"text": "hello world"},
        "gpt3_completion": "[echo] hello world",
    }
    assert tools.masked(shell.type("patterns table data completions --format csv")[0]) == (
        "patterns_id,event,gpt3_completion\n"
        'iiiiiiiiiiiiiiiiiiiiiiiiii,"{""text"": ""hello world""}",[echo] hello world\n'
    )


def test_without_a_model_the_run_fails_with_a_hint_and_succeeds_after_binding_one(shell, tools):
    shell.type(f"patterns create app quick-start && cd quick-start\n{ADD_SCRIPTS}")
    _, err = shell.type(SEND, code=1)
    assert (
        'error[model-not-bound] my_py: my_py.py:12 model "text" is not bound to anything that answers' in err
    )
    assert "hint: patterns add model text --provider echo" in err
    assert "Traceback" not in err
    shell.type("patterns add model text --provider echo\npatterns run")
    assert tools.masked(shell.type("patterns table data completions")[0]) == TABLE


@pytest.mark.parametrize("keeper", ["environment", "store"])
def test_an_endpoint_answers_and_its_key_is_nowhere_to_be_read(shell, endpoint, keeper):
    shell.type(f"patterns create app quick-start && cd quick-start\n{ADD_SCRIPTS}")
    bind(shell, endpoint)
    variables = {}
    if keeper == "environment":
        variables = {"OPENAI_API_KEY": KEY}
    else:
        shell.type(f"echo {KEY} | patterns secret set OPENAI_API_KEY -")
    shell.type(SEND, **variables)
    out, _ = shell.type("patterns table data completions --json")
    assert json.loads(out)[0]["gpt3_completion"] == "you said: hello world"
    path, body = endpoint.questions[0]
    assert (path, body["model"]) == ("/v1/chat/completions", "gpt-4o-mini")
    assert body["messages"] == [{"role": "user", "content": "hello world"}]
    shell.type(
        "patterns runs --json\npatterns logs my_py\npatterns secret list --json\npatterns why my_py",
        **variables,
    )
    assert KEY not in "".join(shell.said)
    assert files_with(shell.home / "quick-start" / ".patterns", KEY) == []


def test_a_refused_key_is_masked_where_the_endpoint_says_it_again(shell, endpoint):
    shell.type(f"patterns create app quick-start && cd quick-start\n{ADD_SCRIPTS}")
    bind(shell, endpoint)
    wrong = KEY + "-wrong"
    _, err = shell.type(SEND, code=1, OPENAI_API_KEY=wrong)
    assert "error[model-" in err
    shell.type("patterns logs my_py\npatterns runs --json\npatterns why my_py")
    assert wrong not in "".join(shell.said)
    assert files_with(shell.home / "quick-start" / ".patterns", wrong) == []
    (shell.home / "quick-start" / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    shell.type("patterns run")
    out, _ = shell.type("patterns table data completions --json")
    assert len(json.loads(out)) == 1


def words(typed):
    """Give the words that bash makes of what is typed after `patterns webhook test`: our `--data` values."""
    made = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {typed}"], capture_output=True, text=True, check=True
    ).stdout
    return [word.removeprefix("--data=") for word in made.split("\0")[:-1]]


@pytest.mark.parametrize(
    ("typed", "event"),
    [
        ('--data={"event":{"text":"hello world"}}', {"event": {"text": "hello world"}}),
        ("--data={a:1}", {"a": 1}),
        ('--data={"a":1,"b":"two words"}', {"a": 1, "b": "two words"}),
        ('--data={"a":1,"b":true,"c":null,"d":1.5}', {"a": 1, "b": True, "c": None, "d": 1.5}),
        ("""--data='{"text": "a, b: c", "n": [1, {"x": 2}]}'""", {"text": "a, b: c", "n": [1, {"x": 2}]}),
        ('--data={"url":"https://example.com/x"}', {"url": "https://example.com/x"}),
        ('--data={"a":{"b":{"c":"deep"}}}', {"a": {"b": {"c": "deep"}}}),
        ('--data={"a":[1]}', {"a": [1]}),
        ('--data={"a":[1,2]}', {"a": [1, 2]}),
    ],
)
def test_what_bash_leaves_of_an_event_is_understood(typed, event):
    given = words(typed)
    try:
        assert json.loads(given[0]) == event
    except ValueError:
        assert read_eaten_json(given) == event


@pytest.mark.parametrize(
    "typed",
    ['--data={"a":{"b":1,"c":2}}', '--data={"a":{"b":1,"c":2},"d":3}', '--data={"text":"at:10"}'],
)
def test_what_bash_has_mixed_up_is_refused(typed):
    with pytest.raises(AmbiguousError):
        read_eaten_json(words(typed))


def test_events_come_from_files_and_standard_input_as_they_are_and_bad_ones_store_nothing(shared_app):
    app = shared_app
    app.write(
        copies="""
from patterns import Table
out = Table("copies", "w")
for row in Table("events").as_stream():
    out.append(row)
""",
        event__json='{"text": "from a file", "n": 1}',
        broken__json='{"text": ',
    )  # fmt: skip
    app.manifest(["copies.py"])
    app.patterns("webhook", "test", "--data=@event.json")
    app.patterns("webhook", "test", "--data", "-", given='[{"text": "a: b, c"}, {"text": "second"}]')
    assert [row["text"] for row in app.rows("copies")] == ["from a file", "a: b, c", "second"]
    ambiguous = (
        "error[webhook-data] The event is not JSON, and can't be read with its quotes eaten by the shell: "
        '"at:10" has a colon in it: it may be a text, or a key with its value\n'
        '  hint: put it in single quotes: --data=\'{"key": "value"}\', or use --data=@event.json\n'
    )
    no_file = 'error[webhook-data] The file "nowhere.json" can\'t be read: No such file or directory\n'
    nothing = (
        'error[webhook-data] There is no event to send\n  hint: --data \'{"event": {"text": "hello"}}\'\n'
    )
    unknown = 'error[unknown-webhook] No webhook has the title "Nothing"; known: "Events"\n'
    refused = [
        (["--data=@nowhere.json"], no_file),
        ([], nothing),
        (["--data={text:at:10}"], ambiguous),
        (["--data=@broken.json"], "error[webhook-refused] The webhook answers 400: the body is not JSON: "),
        (["--title=Nothing", "--data={}"], unknown),
    ]
    for arguments, message in refused:
        result = app.patterns("webhook", "test", *arguments, code=2)
        assert result.err.startswith(message), result
        assert result.out == ""
    assert app.sql("select count(*) from patterns_os.deliveries where status = 'accepted'") == [(2,)]
    assert app.sql(
        "select reason from patterns_os.deliveries where status = 'rejected' and body = '{\"text\": '"
    )
