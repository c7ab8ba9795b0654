"""Every shipped template is added to a fresh app by the real command line, compiled and run."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from patterns_os.adapters.files.templates import load_index, load_template
from patterns_os.cli.main import run
from patterns_os.manifest.document import parse_document
from patterns_os.manifest.edit import set_value
from patterns_os.registry.resolve import resolve

ENTRIES = load_index().templates


class Web:
    """An HTTP server that gives prepared answers by path, and keeps what it was sent."""

    def __init__(self, answers):
        self.received = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer()

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                web.received.append((self.path, self.headers["authorization"], body))
                self._answer()

            def _answer(self):
                content = json.dumps(answers[self.path.partition("?")[0]]).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def patterns(folder, *arguments, **environment):
    """Run the installed command as a person would; give what it prints."""
    done = subprocess.run(
        [Path(sys.executable).with_name("patterns"), *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"patterns {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def send(folder, title, event, **environment):
    data = json.dumps(event)
    return patterns(folder, "webhook", "test", "--json", "--title", title, "--data", data, **environment)


def rows(folder, table):
    return json.loads(patterns(folder, "table", "data", table, "--format", "json"))


@pytest.fixture
def server(database, monkeypatch):
    """Have the commands use a server that runs already: starting one takes longer than they do."""
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)


@pytest.fixture
def here(tmp_path, monkeypatch, capsys):
    """Run a command that starts nothing, in this process: it is the same one, and faster."""

    def call(folder, *arguments):
        monkeypatch.chdir(folder)
        assert run(list(arguments)) == 0
        return capsys.readouterr().out

    return call


def change(folder, pointer, value):
    """Edit the manifest by hand, as its reader is told to."""
    path = folder / "manifest.json"
    path.write_bytes(set_value(parse_document(path.name, path.read_bytes()), pointer, value))


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if entry.kind != "component"], ids=lambda entry: entry.name
)
def test_every_template_compiles_in_a_fresh_app(entry, tmp_path, here):
    if entry.kind == "app":
        here(tmp_path, "create", "app", "fresh", f"--from-template={entry.name}")
    else:
        here(tmp_path, "create", "app", "fresh")
        here(tmp_path / "fresh", "add", "script", f"--from-template={entry.name}@v0")

    data = json.loads(here(tmp_path / "fresh", "compile", "--json"))

    # A script template asks for a model that only the person can bind; everything else is whole.
    assert [found for found in data["diagnostics"] if found["code"] != "unknown-model"] == []
    assert data["graph"]["app"] == "fresh"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_template_is_described_as_it_is(entry):
    template = load_template(resolve(load_index(), entry.name))

    assert tuple(template.files) == entry.files
    assert template.readme.startswith(f"# {entry.title}\n")
    assert entry.description[-1] != "."


@pytest.mark.postgres
@pytest.mark.usefixtures("server")
def test_the_script_templates_work_together(tmp_path, here):
    app = tmp_path / "together"
    here(tmp_path, "create", "app", "together")
    for entry in ENTRIES:
        if entry.kind == "script":
            here(app, "add", "script", f"--from-template={entry.name}@v0")
    here(app, "add", "model", "base-llm", "--provider", "echo")
    for title in ("Prompts", "Messages", "Events"):
        here(app, "add", "webhook", title, "--table", title.lower())
    answers = {
        "/chat.postMessage": {"ok": True, "channel": "C1", "ts": "1.5"},
        "/data": {"hits": [{"id": 1}, {"id": 2}]},
    }

    with Web(answers) as web:
        change(app, "/scripts/1/parameters", {"api_url": web.url})
        change(app, "/scripts/2/parameters/url", f"{web.url}/data")
        send(app, "Slack messages", {"event": {"text": "hello"}})
        send(app, "Prompts", [{"prompt": "one", "n": 1}, {"prompt": "two", "n": 2}])
        send(app, "Messages", {"channel": "C1", "text": "hi"}, SLACK_BOT_TOKEN="xoxb-1")
        times = ("2024-05-01T23:30:00Z", "2024-05-02T00:30:00+02:00", "2024-05-02T12:00:00Z")
        send(app, "Events", [{"created_at": time} for time in times])
        patterns(app, "trigger", "cron_fetch_json", "--json")

    assert [row["event"] for row in rows(app, "slack_messages")] == [{"text": "hello"}]
    assert [(row["n"], row["completion"]) for row in rows(app, "completions")] == [
        (1, "[echo] one"),
        (2, "[echo] two"),
    ]
    assert web.received == [("/chat.postMessage", "Bearer xoxb-1", {"channel": "C1", "text": "hi"})]
    assert [(row["text"], row["ts"], row["posted"]) for row in rows(app, "posted_messages")] == [
        ("hi", "1.5", True)
    ]
    assert [row["id"] for row in rows(app, "fetched_records")] == [1, 2]
    assert [(row["day"], row["events"]) for row in rows(app, "daily_summary")] == [
        ("2024-05-01", 2),
        ("2024-05-02", 1),
    ]


@pytest.mark.postgres
@pytest.mark.usefixtures("server")
def test_the_slack_ai_bot_answers_offline(tmp_path, here):
    app = tmp_path / "bot"
    here(tmp_path, "create", "app", "bot", "--from-template=patterns/slack-ai-bot@v0")

    mention = {"text": "hello", "channel": "C1", "ts": "1.0"}
    own = {"text": "I am the bot", "channel": "C1", "bot_id": "B1"}
    send(app, "Slack messages", [{"event": mention}, {"event": own}])

    prompt = "Answer this Slack message in a friendly sentence or two: hello"
    posted = rows(app, "posted_messages")
    assert [(row["channel"], row["text"], row["thread_ts"], row["posted"]) for row in posted] == [
        ("C1", f"[echo] {prompt}", "1.0", False)
    ]


@pytest.mark.postgres
@pytest.mark.usefixtures("server")
def test_the_hacker_news_digest_keeps_each_story_once(tmp_path, here):
    app = tmp_path / "digest"
    here(tmp_path, "create", "app", "digest", "--from-template=patterns/hacker-news-digest@v0")
    stories = [
        {"objectID": "1", "title": "Low", "url": "https://a.example", "points": 1},
        {"objectID": "2", "title": "High", "url": None, "points": 9},
    ]

    with Web({"/search": {"hits": stories}}) as web:
        change(app, "/scripts/0/parameters/url", f"{web.url}/search?tags=front_page")
        patterns(app, "trigger", "fetch_stories")
        stories[0]["points"] = 20
        patterns(app, "trigger", "fetch_stories")

    assert sorted((row["id"], row["points"]) for row in rows(app, "stories")) == [("1", 20), ("2", 9)]
    assert {(row["title"], row["url"]) for row in rows(app, "top_stories")} == {
        ("Low", "https://a.example"),
        ("High", "https://news.ycombinator.com/item?id=2"),
    }
    assert [row["digest"] for row in rows(app, "digests")] == [
        "[echo] Sum up the news of the hour:\n- High (9 points)\n- Low (1 points)",
        "[echo] Sum up the news of the hour:\n- Low (20 points)\n- High (9 points)",
    ]
