"""Other spellings, run by the real command line: a graph.yml, apps within apps, and the shipped components."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from patterns_os.composition.authoring import load

EXAMPLES = Path(__file__).parents[2] / "examples"


class World:
    """A server that gives prepared answers by path and keeps what is posted to it."""

    def __init__(self, answers=None):
        self.posted, self.asked = [], []
        world = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                world.asked.append(self.path)
                kind, text = answers[self.path.partition("?")[0]]
                self._answer(kind, text)

            def do_POST(self):
                world.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self._answer("text/plain", "ok")

            def _answer(self, kind, text):
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

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


def copied(app, example):
    shutil.copytree(EXAMPLES / example, app.folder, dirs_exist_ok=True)
    return app


def write(app, scripts, **more):
    body = {"name": "try", "scripts": scripts, **more}
    (app.folder / "manifest.json").write_text(json.dumps(body), "utf-8")


def graph_data(app):
    """Give what the app means, without where it stands."""
    data = json.loads(app.patterns("graph", "--format=json").out)
    return {
        **data,
        "edges": [{k: v for k, v in e.items() if k not in {"file", "line"}} for e in data["edges"]],
    }


def test_a_graph_yml_runs_from_the_mention_to_the_post(shared_app):
    app = copied(shared_app, "11-graph-yml")
    with World() as slack:
        app.variables["slack_webhook_url"] = f"{slack.url}/services/hook"
        app.send({"event": {"user": "U1", "text": "@librarian who wrote Emma?"}})
        app.send({"event": {"user": "U2", "text": "nobody is meant"}})

    answer = "[echo] Answer as a librarian: who wrote Emma?"
    assert slack.posted == [{"text": f"<@U1> {answer}"}]
    assert app.rows("replies", "librarian") == [
        {"user": "U1", "question": "who wrote Emma?", "text": answer, "size": len(answer)}
    ]


def test_a_converted_graph_yml_compiles_to_the_same_graph_and_is_never_overwritten_unasked(app):
    copied(app, "11-graph-yml")
    before = graph_data(app)

    told = app.patterns("convert", "graph.yml")
    (app.folder / "graph.yml").unlink()

    assert told.out.startswith("Wrote ")
    assert 'kept in "metadata", where nothing reads it: "dashboards", "icon_url"' in told.err
    assert graph_data(app) == before
    assert load(app.folder).plan is not None

    (app.folder / "graph.yml").write_text("slug: other\nfunctions: []\n")
    refused = app.patterns("convert", "graph.yml", code=2)

    assert "error[needs-yes]" in refused.err
    assert json.loads((app.folder / "manifest.json").read_text())["name"] == "librarian"
    assert json.loads(app.patterns("convert", "--output=-").out)["name"] == "other"


def test_of_two_manifests_the_json_counts_and_that_is_said(app):
    write(app, [])
    (app.folder / "graph.yml").write_text("slug: other\n")

    assert (
        'warning[two-manifests] graph.yml:1:1: the folder has "manifest.json" and "graph.yml": the first '
        "counts, the other is not read."
    ) in app.patterns("compile").err


def test_an_app_is_included_twice_and_each_keeps_its_own(shared_app):
    app = copied(shared_app, "12-sub-app")
    for order, email in ((1, "Ann@example.com"), (2, "ann@example.com "), (1, "bob@example.com")):
        app.send({"order_id": order, "email": email})

    assert app.rows("report", "shop") == [{"orders": 2, "customers": 2}]
    assert [row["key"] for row in app.rows("new_customers__seen", "shop")] == [
        *("ann@example.com", "ann@example.com", "bob@example.com")
    ]
    drawn = app.patterns("graph").out
    assert "new-customers" in drawn
    assert "new-customers.keep_first" not in drawn
    assert "new-customers.keep_first" in app.patterns("graph", "--expand").out


def test_the_completion_component_asks_the_app_s_text_model(shared_app):
    parameters = {
        "prompt_template": "Say {prompt}!",
        "max_tokens": 5,
        "connection": "${{ connection.openai }}",
    }
    write(
        shared_app,
        [
            {
                "uses": "patterns/openai-completion@v4",
                "inputs": {"prompts": "events"},
                "outputs": {"completions": "answers"},
                "parameters": parameters,
            }
        ],
        webhooks=[{"title": "Events", "table": "events"}],
        models=[{"name": "text", "type": "chat"}],
    )
    (shared_app.folder / "patterns.json").write_text('{"models": [{"name": "text", "provider": "echo"}]}')
    shared_app.variables["CONNECTION_OPENAI"] = "sk-none"

    shared_app.send({"prompt": "hello", "n": 1})

    assert shared_app.rows("answers") == [{"prompt": "hello", "n": 1, "completion": "[echo] Say hello!"}]


def test_the_slack_component_posts_each_row_once_though_the_script_fails_after_it(shared_app):
    with World() as slack:
        write(
            shared_app,
            [
                {
                    "uses": "patterns/slack-post-message@v5",
                    "inputs": {"messages": "events"},
                    "parameters": {
                        "slack_webhook_url": "${{ SLACK_URL }}",
                        "message_template": "{n:d}: {text}",
                    },
                }
            ],
            webhooks=[{"title": "Events", "table": "events"}],
        )
        shared_app.variables["SLACK_URL"] = slack.url
        # The second row has no number for the template: its run fails after the first was posted.
        shared_app.send([{"n": 1, "text": "a"}, {"text": "b"}, {"n": 3, "text": "c"}], code=None)
        shared_app.run_to_the_end()

    assert sorted(post["text"] for post in slack.posted) == ["1: a", "3: c"]


@pytest.mark.parametrize(
    ("kind", "text", "more"),
    [
        ("application/json", '{"hits": [{"id": 9, "t": "a"}, {"id": 10, "t": "b"}]}', {"records_at": "hits"}),
        ("text/csv", "id,t\n9,a\n10,b\n", {}),
        ("application/x-ndjson", '{"id": 9, "t": "a"}\n{"id": 10, "t": "b"}\n', {}),
    ],
)
def test_the_import_component_takes_each_record_once(shared_app, kind, text, more):
    answers = {"/records": (kind, text)}
    with World(answers) as web:
        parameters = {"url": f"{web.url}/records", "cursor_field": "id", "cursor_parameter": "since", **more}
        write(
            shared_app,
            [
                {
                    "uses": "patterns/import-http@v1",
                    "name": "import",
                    "trigger": "@daily",
                    "outputs": {"records": "stories"},
                    "parameters": parameters,
                }
            ],
        )
        shared_app.patterns("trigger", "import.import_http")
        shared_app.patterns("trigger", "import.import_http")

    assert [row["t"] for row in shared_app.rows("stories")] == ["a", "b"]
    assert web.asked == ["/records", "/records?since=10"]


def test_an_unknown_component_is_named_with_the_known_ones(app):
    write(app, [{"uses": "acme/openai-completion@v4"}])

    assert app.patterns("compile", code=1).err.splitlines()[:3] == [
        (
            "error[unknown-component] manifest.json:1:38 /scripts/0/uses: there is no component "
            '"acme/openai-completion@v4".'
        ),
        (
            '  known components: "patterns/import-http@v1", "patterns/openai-completion@v4", '
            '"patterns/slack-post-message@v5"'
        ),
        '  hint: did you mean "patterns/openai-completion@v4"?',
    ]


def test_a_connection_is_asked_for_by_name_and_brought_by_a_parameter(shared_app):
    app = shared_app
    app.write(
        asks="""
from patterns import Connection, Table
key = Connection("openai")["api_key"]
print("the key is", key)
for event in Table("events").as_stream():
    Table("keys", "w").append({"key": key[:4]})
""",
        brings="""
from patterns import Connection, Parameter, Table
slack = Parameter("slack", type=Connection("slackbot"))
for event in Table("events").as_stream():
    Table("keys", "w").append({"key": slack["token"][:4]})
""",
        graph__yml="""
slug: try
stores: [{table: events}, {table: keys}]
functions:
  - webhook: events
  - node_file: asks.py
  - node_file: brings.py
    parameter_values: {slack: "${{ connection.my-slack }}"}
""",
    )
    for name, value in (("OPENAI", '{"api_key": "key-of-openai"}'), ("MY_SLACK", "xoxb-of-slack")):
        app.patterns("secret", "set", f"CONNECTION_{name}", "-", given=value)

    assert app.send({"i": 1}).err == ""

    assert sorted(app.column("keys", "key")) == ["key-", "xoxb"]
    assert app.logs("asks") == ["the key is ***CONNECTION_OPENAI***"]
