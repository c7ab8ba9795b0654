"""`patterns dev` as users know it: requests over HTTP, files that are edited, Ctrl-C, and kills."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.postgres

COPY = """
from patterns import Table
out = Table("copies", "w")
for row in Table("events").as_stream():
    out.append({"i": row["i"], "version": %s})
"""


def copying(app, **more):
    app.write(copies=COPY % 1)
    app.manifest(["copies.py"], **more)
    return app


def arrived(app, tools, count):
    tools.until(lambda: len(app.column("copies", "i")) >= count, told=lambda: app.rows("copies"))
    return app.column("copies", "i")


def test_it_prints_what_is_live_and_takes_what_is_posted(shared_app, tools):
    app = copying(shared_app)
    app.write(ticking='from patterns import Table\nTable("ticks", "w").append({"n": 1})\n')
    app.manifest(
        ["copies.py", {"file": "ticking.py", "trigger": {"cron": "@daily", "timezone": "Europe/Berlin"}}],
        stores=[{"file": "notes.txt"}],
    )
    with app.dev() as dev:
        assert f"Live endpoints:\n  localhost:{dev.port}/events POST\n" in dev.out
        assert "Live schedules:\n  ticking  " in dev.out
        assert "Europe/Berlin" in dev.out
        assert "Storages online:\n  user=patterns dbname=test_" in dev.out
        assert "password" not in dev.out
        assert dev.post("/events", {"i": 1}) == (200, {"ok": True, "rows": 1})
        assert dev.post("/events", [{"i": 2}, {"i": 3}]) == (200, {"ok": True, "rows": 2})
        assert dev.post("/events/", {"i": 4}) == (200, {"ok": True, "rows": 1})
        assert arrived(app, tools, 4) == [1, 2, 3, 4]
        status, answer = dev.post("/events", b'{"i": ')
        assert (status, answer["error"]) == (400, "rejected")
        assert answer["message"].startswith("the body is not JSON")
        assert dev.post("/events", b"")[0] == 400
        assert dev.post("/events", b"\xff\xfe")[0] == 400
        assert dev.post("/events", b'{"text": "' + b"x" * 1_100_000 + b'"}')[0] == 413
        assert dev.post("/nowhere", {"i": 1}) == (
            404,
            {"error": "no-webhook", "message": 'no webhook has the path "/nowhere"'},
        )
        for method in ("GET", "PUT", "DELETE"):
            assert dev.post("/events", b"", method)[0] == 405
        rejected = app.sql(
            "select body, reason from patterns_os.deliveries where status = 'rejected' order by id"
        )
        assert bytes(rejected[0][0]) == b'{"i": '
        assert len(rejected) == 4
        assert "larger than 1048576 bytes" in rejected[3][1]

        app.sql("update patterns_os.schedules set next_at = now() - interval '3 days'")
        # A new version has the clock look at the schedules again.
        app.write(ticking='from patterns import Table\nTable("ticks", "w").append({"n": 1})\n# edited\n')
        tools.until(lambda: app.rows("ticks"))
        assert app.rows("ticks") == [{"n": 1}]
        ((expression, ahead),) = app.sql("select expression, next_at > now() from patterns_os.schedules")
        assert (expression, ahead) == ("0 0 * * *", True)

        second = app.patterns("dev", "--port=0", code=2)
        assert (
            f"error[already-running] `patterns dev` (process {dev.process.pid}) runs this app already"
            in second.err
        )
        assert f"http://localhost:{dev.port}" in second.err or f"http://127.0.0.1:{dev.port}" in second.err
        sent = app.patterns("webhook", "test", "--data", '{"i": 5}')
        assert "stored by the running app" in sent.out
        assert arrived(app, tools, 5) == [1, 2, 3, 4, 5]
        listed = app.patterns("webhook", "list")
        assert f":{dev.port}/events" in listed.out
        assert app.patterns("table", "list").code == 0
        dev.process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert dev.ended() == 0
        assert time.monotonic() - began < 15
        assert "stopped; what is left is done by the next start" in dev.out


def test_an_edited_script_is_reloaded_and_no_row_is_lost(shared_app, tools):
    app = copying(shared_app)
    with app.dev() as dev:
        posted, stop = [], threading.Event()

        def post():
            while not stop.is_set():
                assert dev.post("/events", {"i": len(posted)})[0] == 200
                posted.append(len(posted))

        poster = threading.Thread(target=post)
        poster.start()
        try:
            for version in (2, 3):
                app.write(copies=COPY % version)
                edited = time.monotonic()
                tools.until(lambda v=version: v in app.column("copies", "version"))
                took = time.monotonic() - edited
                assert took < 10
            app.write(copies="for row in (:\n")
            dev.wait_for("the app has errors: the version before goes on")
            assert "copies.py:1:" in dev.out
            before = len(posted)
            tools.until(lambda: len(posted) > before + 10)
            tools.until(lambda: len(app.column("copies", "i")) > before + 5, 15, lambda: dev.out[-3000:])
            app.write(copies=COPY % 4)
            tools.until(lambda: 4 in app.column("copies", "version"))
        finally:
            stop.set()
            poster.join()
        assert arrived(app, tools, len(posted)) == posted
        versions = app.column("copies", "version")
        assert versions == sorted(versions)


def test_a_port_that_is_taken_is_told_before_anything_starts(app):
    copying(app)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = app.patterns("dev", f"--port={port}", code=78)
    assert result.err.endswith(
        f"error[port-taken] The address 127.0.0.1:{port} can't be used: Address already in use\n"
        f"  hint: stop what listens there, or choose another port: patterns dev --port {port + 1}\n"
    )
    assert left_behind(app.folder) == []


def test_after_a_kill_the_next_start_goes_on_and_after_ctrl_c_nothing_is_left(app, tools):
    copying(app)
    app.write(
        copies="""
import time
from patterns import Table
out = Table("copies", "w")
for row in Table("events").as_stream():
    time.sleep(0.02)
    out.append({"i": row["i"]})
"""
    )
    with app.dev() as dev:
        for start in range(0, 200, 50):
            assert dev.post("/events", [{"i": i} for i in range(start, start + 50)])[0] == 200
        tools.until(lambda: len(app.column("copies", "i")) > 10)
        dev.process.kill()
        dev.ended()
    assert len(app.column("copies", "i")) < 200
    with app.dev() as dev:
        assert dev.post("/events", {"i": 200})[0] == 200
        assert arrived(app, tools, 201) == list(range(201))
        dev.process.send_signal(signal.SIGINT)
        assert dev.ended() == 0
    tools.until(lambda: not left_behind(app.folder), 10, lambda: left_behind(app.folder))
    assert app.patterns("run", "--json").json[1]["rows_in"] == 0


def test_a_folder_that_cannot_be_served_is_told_in_one_message(app):
    assert app.patterns("dev", code=2).err == (
        f'error[no-app] No app here: neither "{app.folder}" nor a folder above it has a manifest.json or a graph.yml\n'
        "  hint: patterns create app my-app && cd my-app\n"
    )
    app.manifest(["copies.py", "broken.py"])
    app.write(broken="for row in (:\n")
    result = app.patterns("dev", code=1)
    assert "error[" in result.err
    assert "broken.py:1:" in result.err
    assert '"copies.py" does not exist' in result.err
    assert "Traceback" not in result.err
    app.manifest([])
    app.variables["PATTERNS_DATABASE_URL"] = "postgresql://nobody:secret-word@127.0.0.1:1/nothing"
    result = app.patterns("dev", "--port=0", code=75)
    assert result.err.startswith("error[storage-unreachable] ")
    assert "secret-word" not in result.err


def left_behind(folder):
    """Give the command lines of processes that work in a folder or on its database."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = str((process / "cwd").readlink())
        except OSError:
            continue
        if process.name != str(os.getpid()) and (str(folder) in line or place.startswith(str(folder))):
            found.append(line)
    return found


def test_json_of_a_status_is_for_this_machine_only(shared_app):
    app = copying(shared_app)
    with app.dev() as dev:
        status, answer = dev.post("/_patterns/status", b"", "GET")
        assert (status, answer["app"]) == (200, "try")
        with socket.create_connection(("127.0.0.1", dev.port)) as plain:
            plain.sendall(
                b"GET /_patterns/status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
            )
            assert plain.makefile("rb").readline().split()[1] == b"400"
    assert json.loads(app.patterns("webhook", "list", "--json").out)[0]["table"] == "events"
