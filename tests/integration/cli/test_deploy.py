"""Plan, deploy, deployments and rollback, as a user types them."""

import json
from pathlib import Path
from typing import Any

import pytest

from patterns_os.cli.main import run

pytestmark = pytest.mark.postgres

MANIFEST: dict[str, Any] = {
    "name": "shop",
    "scripts": [{"file": "copy.py"}],
    "stores": [{"table": "orders"}, {"table": "copies"}],
    "webhooks": [{"title": "Orders", "path": "/orders", "table": "orders"}],
}
SCRIPT = """
from patterns import Table
for row in Table("orders").as_stream():
    Table("copies", "w").append(row)
"""

DEPLOYED = """\
shop: new, version {version}

Nodes
  + copy  python copy.py
      → new consumer of "orders": starts at the beginning, no row waits

Tables
  + copies
  + orders

Webhooks
  + Orders  POST /orders → orders

Plan: 4 to add, 0 to change, 0 to remove; nothing is dropped.

Deploying to local... DONE

Live endpoints:
  localhost:3000/orders POST

Live schedules:
  None

Storages online:
  {storage}
"""


@pytest.fixture
def app(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in the folder of an app that was never deployed."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "copy.py").write_text(SCRIPT)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)
    return folder


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert run(list(arguments)) == code
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    assert run(list(arguments)) == code
    return next(line for line in capsys.readouterr().err.split("\n") if line.startswith("error"))


def data(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(printed(capsys, *arguments, "--json"))


def edit(app: Path, text: str) -> None:
    (app / "copy.py").write_text(SCRIPT + text)


def test_a_plan_needs_no_database_and_makes_none(
    app: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PATTERNS_DATABASE_URL")

    assert "Plan: 4 to add, 0 to change, 0 to remove; nothing is dropped." in printed(capsys, "plan")
    assert sorted(path.name for path in app.iterdir()) == ["copy.py", "manifest.json"]


def test_deploying_prints_the_plan_and_then_what_is_live(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = data(capsys, "plan")["after"]
    shown = printed(capsys, "deploy", "app", "--yes")

    storage = shown.rstrip("\n").split("\n")[-1].strip()
    assert shown == DEPLOYED.format(version=version[:8], storage=storage)
    assert "dbname=test_" in storage
    assert (
        printed(capsys, "deploy", "--yes")
        == f"Nothing to deploy: version {version[:8]} of shop is active already\n"
    )
    assert (
        printed(capsys, "plan", "--detailed-exitcode")
        == f"No changes: version {version[:8]} of shop is active.\n"
    )


def test_changes_have_an_exit_code_of_their_own_where_it_is_asked_for(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys, "plan", "--detailed-exitcode", code=2)
    printed(capsys, "plan", code=0)


def test_nobody_there_to_ask_deploys_nothing(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = data(capsys, "plan")["after"]

    assert refused(capsys, "deploy", code=2) == (
        f'error[needs-yes] Nobody is there to answer: Deploy version {version[:8]} of "shop"?'
    )
    printed(capsys, "deploy", "--dry-run")
    assert data(capsys, "deployments") == []


def test_a_kept_plan_is_deployed_whatever_the_folder_says_by_then(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = data(capsys, "plan", "--out", "next.plan")["after"]
    edit(app, "print('later')\n")
    told = data(capsys, "deploy", "next.plan", "--yes")

    assert (told["changed"], told["version"]) == (True, version)
    assert data(capsys, "plan")["changes"][0]["details"][0]["text"] == "code: copy.py"


def test_a_kept_plan_says_when_it_is_deployed_what_it_said_when_it_was_kept(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not in the order of the alphabet: files and databases sort keys.
    schema = {"id": "bigint", "amount": "double", "customer": "text"}
    manifest = MANIFEST | {
        "stores": [{"table": "orders", "schema": schema, "retention": {"age": "30d"}}, {"table": "copies"}]
    }
    (app / "manifest.json").write_text(json.dumps(manifest))
    edit(app, SCRIPT.replace("append(row)", 'append({"id": row["customer"]})'))
    printed(capsys, "deploy", "--yes")
    schema["customer"] = "bigint"
    (app / "manifest.json").write_text(json.dumps(manifest))

    planned = printed(capsys, "plan", "--out", "next.plan")

    assert 'column "customer": text → bigint  breaks "copy", may break "Orders"' in planned
    assert printed(capsys, "deploy", "next.plan", "--dry-run") == planned
    printed(capsys, "deploy", "next.plan", "--yes")
    assert printed(capsys, "plan").startswith("No changes")


def test_columns_of_a_kept_plan_are_laid_in_the_order_in_which_they_are_declared(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = {"id": "bigint", "amount": "double", "customer": "text"}
    stores = [{"table": "orders", "schema": schema}, {"table": "copies"}]
    (app / "manifest.json").write_text(json.dumps(MANIFEST | {"stores": stores}))
    printed(capsys, "plan", "--out", "next.plan")

    printed(capsys, "deploy", "next.plan", "--yes")

    (orders,) = (found for found in data(capsys, "table", "list") if found["name"] == "orders")
    assert orders["columns"] == ["id", "amount", "customer"]


def test_a_kept_plan_is_refused_when_the_world_has_moved(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys, "plan", "--out", "next.plan")
    edit(app, "print('sooner')\n")
    number = data(capsys, "deploy", "--yes")["deployment"]

    assert refused(capsys, "deploy", "next.plan", "--yes", code=75) == (
        "error[world-moved] The world moved since the plan was made: the plan is for no deployment, "
        f"and deployment {number} is active now; "
        'table "copies" is there already; table "orders" is there already'
    )


def test_a_plan_is_the_same_bytes_each_time(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.plan", "two.plan"):
        printed(capsys, "plan", "--out", name)

    assert (app / "one.plan").read_bytes() == (app / "two.plan").read_bytes()
    assert str(app).encode() not in (app / "one.plan").read_bytes()


def test_an_earlier_version_comes_back_with_its_code(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = data(capsys, "deploy", "--yes")
    edit(app, "print('second')\n")
    second = data(capsys, "deploy", "--yes")
    back = data(capsys, "rollback", "--yes")

    assert (back["version"], back["plan"]["before"]) == (first["version"], second["version"])
    assert [(one["how"], one["version"], one["active"]) for one in data(capsys, "deployments")] == [
        (f"rollback to {first['deployment']}", first["version"], True),
        ("deploy", second["version"], False),
        ("deploy", first["version"], False),
    ]
    assert data(capsys, "plan", "--against", str(second["deployment"]))["empty"]
    assert data(capsys, "rollback", second["version"][:8], "--yes")["changed"]
    assert not data(capsys, "rollback", second["version"][:8], "--yes")["changed"]


def test_a_table_is_dropped_by_name_alone(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "deploy", "--yes")
    (app / "copy.py").write_text(
        "from patterns import Table\nfor row in Table('orders').as_stream():\n    pass\n"
    )
    (app / "manifest.json").write_text(json.dumps(MANIFEST | {"stores": [{"table": "orders"}]}))

    assert "  - copies\n      → kept, with 0 rows (to delete it: --drop copies)\n" in printed(capsys, "plan")
    assert refused(capsys, "deploy", "--drop", "orders", "--yes", code=2) == (
        'error[table-in-use] Table "orders" is part of the app: it cannot be dropped'
    )
    assert "→ dropped, with 0 rows" in printed(capsys, "deploy", "--drop", "copies", "--yes")
    assert "copies" not in printed(capsys, "table", "list")


def test_what_looks_renamed_stops_plan_and_deploy(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "deploy", "--yes")
    (app / "copy.py").rename(app / "clone.py")
    (app / "manifest.json").write_text(json.dumps(MANIFEST | {"scripts": [{"file": "clone.py"}]}))

    for command in (["plan"], ["deploy", "--yes"]):
        assert refused(capsys, *command, code=78).startswith(
            'error[node-renamed] Node "copy" is gone and node "clone"'
        )
    printed(capsys, "rename", "copy", "clone")
    assert data(capsys, "plan")["empty"]


def test_a_rollback_takes_a_rename_back(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "deploy", "--yes")
    printed(capsys, "webhook", "test", "--data", '{"i": 1}')
    (app / "copy.py").rename(app / "clone.py")
    (app / "manifest.json").write_text(json.dumps(MANIFEST | {"scripts": [{"file": "clone.py"}]}))
    printed(capsys, "rename", "copy", "clone")

    told = printed(capsys, "rollback", "--yes")

    assert "name: clone → copy" in told
    assert 'goes on where it was in "orders": no row waits' in told
    assert 'waits for new rows: "orders"' in printed(capsys, "why", "copy")


def test_a_node_that_was_left_behind_comes_back_where_it_was(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys, "deploy", "--yes")
    printed(capsys, "webhook", "test", "--data", '{"i": 1}')
    (app / "copy.py").rename(app / "clone.py")
    (app / "manifest.json").write_text(json.dumps(MANIFEST | {"scripts": [{"file": "clone.py"}]}))
    printed(capsys, "rename", "--forget", "copy")

    assert 'goes on where it was in "orders": no row waits' in printed(capsys, "rollback", "--yes")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["deploy", "nowhere"], 'error[no-plan] "nowhere" is neither a plan, nor a folder, nor the app here'),
        (
            ["deploy", "copy.py"],
            'error[plan-file] "copy.py" is no plan that this release can deploy, or was changed by hand',
        ),
        (["rollback"], 'error[not-deployed] App "shop" has not run yet: there is nothing to show'),
        (
            ["serve", "--port", "0"],
            'error[not-deployed] App "shop" has not run yet: there is nothing to show',
        ),
        (["plan", "--against", "7"], 'error[unknown-deployment] Deployment "7" is none of this app\'s'),
        (
            ["plan", "--against", "7", "--out", "x"],
            "error[plan-file] A plan against an earlier version can't be deployed",
        ),
    ],
)
def test_calls_that_make_no_sense_are_refused(
    app: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert refused(capsys, *arguments, code=2) == error


def test_secrets_that_are_not_set_are_named(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (app / "manifest.json").write_text(
        json.dumps(
            MANIFEST | {"scripts": [{"file": "copy.py", "secrets": ["SHOP_KEY"]}], "secrets": ["SHOP_KEY"]}
        )
    )

    assert run(["plan"]) == 0
    assert 'secret "SHOP_KEY" is not set here: patterns secret set SHOP_KEY\n' in capsys.readouterr().err
