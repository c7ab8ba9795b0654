"""`patterns create`, `add`, `search`, `compile` and `graph` as people use them, mistakes included."""

import json
import stat

import pytest

from patterns_os.adapters.files.authored import Change, write_changes
from patterns_os.cli.main import run
from patterns_os.errors import UsageError

HINT_FOR_A_MODEL = """\
`openai.completion` needs a text model, and the app has none yet. Offline, or for real:
  patterns add model base-llm --provider echo
  patterns add model base-llm --provider openai --model gpt-4o-mini --secret OPENAI_API_KEY
"""


@pytest.fixture
def patterns(capsys):
    """Run a command; give exit code, standard output and standard error."""

    def call(*arguments):
        code = run(list(arguments))
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def app(tmp_path, monkeypatch, patterns):
    """Stand in a new app."""
    monkeypatch.chdir(tmp_path)
    patterns("create", "app", "shop")
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def _manifest(app):
    return json.loads((app / "manifest.json").read_bytes())


def test_create_makes_a_folder_that_compiles_and_tells_what_comes_next(tmp_path, monkeypatch, patterns):
    monkeypatch.chdir(tmp_path)

    code, told, _ = patterns("create", "app", "Quick Start")

    assert code == 0
    assert told == (
        'Created the app "quick-start" in Quick Start\n\n'
        '  cd "Quick Start"\n'
        "  patterns add script --from-template=patterns/slack-receive-messages@v0\n"
        "  patterns dev\n\n"
        "`patterns search` lists templates.\n"
    )
    files = sorted(path.name for path in (tmp_path / "Quick Start").iterdir())
    assert files == [".gitignore", "manifest.json", "patterns.json", "readme.md"]
    assert "$schema" in _manifest(tmp_path / "Quick Start")
    assert patterns("-C", "Quick Start", "compile")[0] == 0


def test_create_leaves_a_folder_alone_that_holds_something(tmp_path, monkeypatch, patterns):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")

    assert patterns("create", "app", "shop") == (
        2,
        "",
        (
            'error[folder-not-empty] the folder "shop" is not empty, it holds "notes.txt"\n'
            "  hint: choose another name\n"
        ),
    )
    assert patterns("create", "app", "file")[2] == (
        'error[folder-not-empty] "file" is a file, expected a folder or nothing\n'
        "  hint: choose another name\n"
    )
    assert patterns("create", "app")[2] == (
        "error[no-name] the app has no name\n  hint: patterns create app my-app\n"
    )
    assert patterns("create", "app", "x", "--from-template=patterns/slack-post-message")[2] == (
        'error[template-kind] template "patterns/slack-post-message" is for a script, '
        "expected one for an app\n"
        "  hint: create the app, then in it: patterns add script "
        "--from-template=patterns/slack-post-message\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "shop"]


def test_the_quick_start_up_to_the_first_event(app, patterns):
    assert patterns("add", "storage", "postgresql://localhost")[:2] == (
        0,
        (
            'Added storage "postgres" for tables: postgresql://localhost\n'
            "  where nothing listens there, the embedded Postgres serves the app\n"
        ),
    )
    code, told, _ = patterns("add", "script", "--from-template=patterns/slack-receive-messages@v0")
    assert code == 0
    assert told.startswith(
        "Added patterns/slack-receive-messages@v0\n"
        '  webhook "Slack messages": POST /slack-messages appends to table "slack_messages"\n'
    )
    assert patterns("add", "script", "my_py.py") == (
        0,
        'Added script "my_py.py", a starter file to edit\n'
        "  reads   slack_messages\n"
        "  writes  completions\n" + HINT_FOR_A_MODEL,
        "",
    )
    assert patterns("add", "model", "base-llm", "--provider", "echo") == (
        0,
        'Added model "base-llm", answered by echo\n',
        "",
    )
    code, told, complaints = patterns("compile")
    assert (code, complaints) == (0, "")
    assert told.splitlines()[-1].startswith("2 nodes, 2 tables, version ")


def test_an_existing_script_is_only_registered(app, patterns):
    script = b'from patterns import Table\n\nTable("totals", "w").append({"n": 1})\n'
    (app / "scripts").mkdir()
    (app / "scripts" / "count.py").write_bytes(script)

    code, told, _ = patterns("add", "script", "scripts/count.py", "--name", "counter", "--trigger", "@daily")

    assert (code, told) == (0, 'Added script "scripts/count.py"\n  reads   nothing\n  writes  totals\n')
    assert _manifest(app)["scripts"] == [{"file": "scripts/count.py", "name": "counter", "trigger": "@daily"}]
    assert (app / "scripts" / "count.py").read_bytes() == script


def test_from_a_folder_below_paths_are_those_of_the_app(app, patterns, monkeypatch):
    (app / "scripts").mkdir()
    monkeypatch.chdir(app / "scripts")

    patterns("add", "script", "fresh.py")

    assert _manifest(app)["scripts"] == [{"file": "scripts/fresh.py"}]
    assert (app / "scripts" / "fresh.py").exists()


def test_comments_and_layout_stay(app, patterns):
    (app / "manifest.json").write_text('{"name": "shop", // ours\n "stores": [{"table": "a"},],\n}\n')

    patterns("add", "table", "b", "--unique-on", "x, y")

    assert (app / "manifest.json").read_text() == (
        '{"name": "shop", // ours\n'
        ' "stores": [{"table": "a"}, {"table": "b", "unique_on": ["x", "y"]},],\n}\n'
    )


def test_what_is_there_already_changes_nothing(app, patterns):
    twice = [
        (("table", "orders"), 'manifest.json has table "orders" already; nothing has changed\n'),
        (
            ("webhook", "New orders", "--table", "orders"),
            'manifest.json has webhook "New orders" already; nothing has changed\n',
        ),
        (("script", "a.py"), 'manifest.json has script "a.py" already; nothing has changed\n'),
        (
            ("script", "--from-template=patterns/slack-post-message"),
            (
                'patterns/slack-post-message@v0 is in the app already, as node "slack_post_message"; '
                "nothing has changed\n"
            ),
        ),
        (
            ("model", "m", "--provider", "echo"),
            'manifest.json has model "m" already; nothing has changed\n',
        ),
        (
            ("storage", "s3://bucket/path"),
            'patterns.json has storage "files" already; nothing has changed\n',
        ),
    ]
    for arguments, _ in twice:
        assert patterns("add", *arguments)[0] == 0
    before = {path.name: path.read_bytes() for path in app.iterdir() if path.is_file()}

    told = [patterns("add", *arguments) for arguments, _ in twice]

    assert told == [(0, "", expected) for _, expected in twice]
    assert {path.name: path.read_bytes() for path in app.iterdir() if path.is_file()} == before


MISTAKES = {
    "nothing named": (
        ("script",),
        (
            "error[no-script] there is no script to add\n"
            "  hint: patterns add script my_py.py, or --from-template=…\n"
        ),
    ),
    "outside": (("script", "../x.py"), 'error[bad-path] "../x.py" is not inside the app folder\n'),
    "hidden": (
        ("script", ".git/x.py"),
        'error[bad-path] ".git/x.py" is hidden: no part of a script\'s path may begin with a dot\n',
    ),
    "a folder": (
        ("script", "folder.py"),
        'error[script-ending] "folder.py" is a folder, expected a script\n',
    ),
    "node name": (
        ("script", "sub/known.py"),
        (
            'error[name-taken] the node "known" would have the name that script "known.py" has already\n'
            "  hint: choose another: --name NAME\n"
        ),
    ),
    "cron": (
        ("script", "x.py", "--trigger", "@dayly"),
        (
            'error[wrong-value] "@dayly" is not a cron, expected five fields (minute hour day month weekday) '
            'or @daily\n  hint: did you mean "@daily"?\n'
        ),
    ),
    "file of a template": (
        ("script", "--from-template=patterns/openai-completion"),
        (
            'error[template-clash] the template brings a file "openai_completion.py", and the app has '
            "another one of that name\n"
            "  hint: name another file: patterns add script OTHER.py --from-template=…\n"
        ),
    ),
    "table name": (
        ("table", "my orders"),
        (
            'error[bad-name] "my orders" is not a table name, expected letters, digits and _, at most 63, '
            'the first not a digit\n  hint: write "my_orders"\n'
        ),
    ),
    "webhook path": (
        ("webhook", "Second", "--path", "/first"),
        (
            'error[duplicate-name] the webhook path "/first" is here a second time, it is first on line 22\n'
            '  hint: give one of them another "path"\n'
        ),
    ),
    "key as secret": (
        ("model", "m", "--provider", "openai", "--secret", "sk-abc123"),
        (
            "error[literal-secret] --secret takes the name of a secret, and this looks like the key itself\n"
            "  hint: patterns secret set OPENAI_API_KEY asks for the key; then --secret OPENAI_API_KEY\n"
        ),
    ),
    "echo with a model": (
        ("model", "m", "--provider", "echo", "--model", "gpt"),
        "error[model-options] the provider echo takes no --model\n  hint: --provider openai does\n",
    ),
    "storage name": (
        ("storage", "s3://other", "--name", "db"),
        (
            'error[name-taken] patterns.json has storage "db" already, with other settings\n'
            "  hint: choose another name\n"
        ),
    ),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_explained_and_nothing_is_written(app, patterns, arguments, message):
    (app / "folder.py").mkdir()
    patterns("add", "script", "known.py")
    patterns("add", "webhook", "First", "--table", "orders")
    patterns("add", "storage", "./files", "--name", "db")
    (app / "openai_completion.py").write_text("mine = True\n")
    before = {path.name: path.read_bytes() for path in app.iterdir() if path.is_file()}

    code, told, complaints = patterns("add", *arguments)

    assert (told, complaints) == ("", message)
    assert code in {1, 2}
    assert {path.name: path.read_bytes() for path in app.iterdir() if path.is_file()} == before


def test_a_new_finding_is_shown_and_an_old_one_is_not_repeated(app, patterns):
    (app / "broken.py").write_text("for\n")

    code, told, complaints = patterns("add", "script", "broken.py")

    assert (code, told) == (0, 'Added script "broken.py"\n  reads   nothing\n  writes  nothing\n')
    assert complaints.startswith("error[script-syntax] broken.py:1:4")
    assert complaints.endswith("The app does not compile yet: 1 error, see `patterns compile`.\n")
    assert patterns("add", "table", "t")[2] == (
        "The app does not compile yet: 1 error, see `patterns compile`.\n"
    )


def test_outside_of_an_app_all_say_where_they_looked(tmp_path, monkeypatch, patterns):
    monkeypatch.chdir(tmp_path)
    expected = (
        f'error[no-app] No app here: neither "{tmp_path}" nor a folder above it has a manifest.json or a graph.yml\n'
        "  hint: patterns create app my-app && cd my-app\n"
    )

    for arguments in (("add", "table", "x"), ("compile",), ("graph",)):
        assert patterns(*arguments) == (2, "", expected)


def test_a_manifest_that_is_no_json_is_not_touched(app, patterns):
    (app / "manifest.json").write_text('{"name": "shop", "stores": [')

    code, told, complaints = patterns("add", "table", "x")

    assert (code, told) == (1, "")
    assert complaints.startswith("error[syntax-error] manifest.json:1:")
    assert (app / "manifest.json").read_text() == '{"name": "shop", "stores": ['


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path):
    new, changed = tmp_path / "sub" / "new.py", tmp_path / "manifest.json"
    changed.write_bytes(b"edited")

    with pytest.raises(UsageError) as caught:
        write_changes(
            (
                Change(path=new, before=None, after=b"x"),
                Change(path=changed, before=b"read", after=b"written"),
            )
        )

    assert caught.value.code == "file-changed"
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    assert changed.read_bytes() == b"edited"


def test_a_link_and_the_mode_of_a_file_stay(tmp_path):
    real, link = tmp_path / "real.json", tmp_path / "manifest.json"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)

    write_changes((Change(path=link, before=b"old", after=b"new"),))

    assert (link.is_symlink(), real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (True, b"new", 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "real.json"]


def test_compile_as_data_says_what_is_wrong_and_where(app, patterns):
    (app / "manifest.json").write_text('{"name": "shop",\n "scripts": [{"file": "gone.py"}]}')

    code, told, complaints = patterns("compile", "--json")

    data = json.loads(told)
    assert (code, complaints, data["ok"], data["version"]) == (1, "", False, None)
    assert [(found["code"], found["line"]) for found in data["diagnostics"]] == [("missing-file", 2)]
    assert [node["name"] for node in data["graph"]["nodes"]] == ["gone"]
    code, told, complaints = patterns("compile")
    assert (code, told) == (1, "")
    assert complaints.endswith("\n1 error\n")


def test_a_graph_is_written_in_the_format_of_its_ending(app, patterns):
    patterns("add", "webhook", "Orders", "--table", "orders")

    assert patterns("graph", "-o", "g.svg") == (0, "Wrote g.svg\n", "")
    assert (app / "g.svg").read_text().startswith("<svg ")
    assert patterns("graph", "--format", "mermaid")[1].startswith("flowchart LR\n")
    assert patterns("graph", "-o", "g.png") == (
        2,
        "",
        (
            'error[graph-format] "g.png" has an ending that says no format, expected '
            ".txt, .mmd, .mermaid, .svg, .json\n"
            "  hint: or say it: --format=svg\n"
        ),
    )


def test_search_lists_finds_and_shows(patterns):
    code, told, _ = patterns("search", "slack", "post")
    assert code == 0
    assert [line.split()[1] for line in told.splitlines()[3:-1]] == ["patterns/slack-post-message@v0"]

    assert patterns("search", "slak")[1:] == (
        'No template mentions "slak".\n',
        'hint: did you mean "slack"?\n',
    )
    assert [entry["name"] for entry in json.loads(patterns("search", "digest", "--json")[1])] == [
        "patterns/hacker-news-digest"
    ]
    shown = patterns("search", "patterns/slack-receive-messages@v0")[1]
    assert shown.startswith("patterns/slack-receive-messages@v0, for a script\n\n# Receive Slack messages\n")
    assert '"verify": {"preset": "slack", "secret": "SLACK_SIGNING_SECRET"}' in shown
