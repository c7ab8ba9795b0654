"""`patterns serve`: the deployed version at work, whatever lies in the folder; what is deployed is taken over."""

import pytest

pytestmark = pytest.mark.postgres

COPY = """
import os
from patterns import Secret, Table
from tools.naming import name
out = Table("copies", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"], "by": name(), "shell": "SHELL_ONLY" in os.environ, "key": os.environ.get("COPY_KEY")})
    assert Secret("COPY_KEY") == os.environ["COPY_KEY"]
"""


def naming(app, text):
    (app.folder / "tools").mkdir(exist_ok=True)
    (app.folder / "tools" / "__init__.py").touch()
    (app.folder / "tools" / "naming.py").write_text(f'def name():\n    return "{text}"\n')


def copying(app):
    app.write(copies=COPY)
    naming(app, "first")
    app.manifest([{"file": "copies.py", "secrets": ["COPY_KEY"]}], secrets=["COPY_KEY"])
    app.variables |= {"COPY_KEY": "a key of ours", "SHELL_ONLY": "not for scripts"}
    return app


def test_it_runs_what_was_deployed_and_takes_over_what_is_deployed_then(shared_app, tools):
    app = copying(shared_app)
    app.patterns("deploy", "--yes")
    with app.dev(command="serve") as served:

        def arrived(i):
            assert served.post("/events", {"i": i})[0] == 200
            tools.until(lambda: len(app.column("copies", "i")) > i, told=lambda: served.out)
            return app.rows("copies")[i]

        assert arrived(0) == {"i": 0, "by": "first", "shell": False, "key": "a key of ours"}
        naming(app, "second")
        app.write(copies=COPY + "raise SystemExit(3)\n")
        assert arrived(1)["by"] == "first"
        app.write(copies=COPY)
        assert "imported module: tools/naming.py" in app.patterns("plan").out
        number = app.patterns("deploy", "--yes", "--json").json["deployment"]
        served.wait_for(f"deployment {number}: version")
        assert arrived(2)["by"] == "second"
        number = app.patterns("rollback", "--yes", "--json").json["deployment"]
        served.wait_for(f"deployment {number}: version")
        assert arrived(3)["by"] == "first"
        assert "already-running" in app.patterns("dev", "--port=0", code=2).err
    assert served.process.returncode == 0


def test_nothing_is_deployed_over_a_folder_that_is_being_developed(shared_app):
    app = copying(shared_app)
    with app.dev():
        naming(app, "second")
        refused = app.patterns("deploy", "--yes", code=None)
    assert refused.code in {0, 2}  # it may have been reloaded before we asked: then nothing is left to deploy
    assert "error[already-running] `patterns dev`" in refused.err or "Nothing to deploy" in refused.out


def test_it_runs_what_was_deployed_when_the_files_are_gone(shared_app, tools):
    app = shared_app
    naming(app, "module")
    app.write(
        py='from patterns import Table\nfrom tools.naming import name\nout = Table("out", "w")\n'
        'for row in Table("events").as_stream():\n    out.append({"by": name()})\n',
        ts__ts='import { Table } from "patterns";\nimport { name } from "./name.ts";\n'
        'for await (const row of new Table("events").asStream()) new Table("out", "w").append({ by: name() });\n',
        name__ts='export const name = (): string => "typescript";\n',
        cjs__cjs='const { Table } = require("patterns");\nconst { name } = require("./old");\n'
        'for (const row of new Table("events").asStream()) new Table("out", "w").append({ by: name });\n',
        old__cjs='exports.name = "common";\n',
        sql__sql='insert into {{ Table("out", "w") }} (by) select \'sql\' from {{ Table("events").new }}',
    )
    scripts = ["py.py", "ts.ts", "cjs.cjs", "sql.sql"]
    app.manifest(scripts)
    app.patterns("deploy", "--yes")
    for file in (*scripts, "name.ts", "old.cjs", "tools/naming.py", "tools/__init__.py"):
        (app.folder / file).unlink()
    with app.dev(command="serve") as served:
        assert served.post("/events", {"i": 1})[0] == 200
        tools.until(lambda: len(app.column("out", "by")) == len(scripts), told=lambda: served.out)
    assert sorted(app.column("out", "by")) == ["common", "module", "sql", "typescript"]
