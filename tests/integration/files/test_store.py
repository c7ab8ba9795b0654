"""One suite for local folders and for remote storages (fsspec's memory); then what is special to folders."""

import csv
import errno
import gc
import io
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest

from patterns_os.adapters.files import local
from patterns_os.adapters.files.store import FileStore
from patterns_os.errors import PermanentError, TemporaryError
from patterns_os.ports.files import MissingFileError


@pytest.fixture(params=["local", "address", "remote"])
def store(request, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    root = tmp_path / "root"
    return FileStore(
        {"local": root, "address": f"file://{root}", "remote": f"memory://{uuid4()}/in"}[request.param]
    )


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def folder_store(root):
    return FileStore(root)


def put(store, name, data):
    with store.open(name, "w" if isinstance(data, str) else "wb") as opened:
        opened.write(data)


def everything_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def code_of(call):
    with pytest.raises(PermanentError) as raised:
        call()
    return raised.value.code


@pytest.mark.parametrize("text", ["", "plain", "é\r\nline\nlast\r", "\ufeffmark"])
def test_text_comes_back_as_it_was_written(store, text):
    put(store, "deep/down/a.txt", text)

    with store.open("deep/down/a.txt") as opened:
        assert opened.read() == text
    assert store.read("deep/down/a.txt") == text.encode()


def test_bytes_come_back_as_they_were_written(store):
    data = os.urandom(300_000)
    put(store, "a.bin", data)

    with store.open("a.bin", "rb") as opened:
        assert opened.read() == data


def test_nothing_is_seen_before_the_file_is_closed(store):
    opened = store.open("a.txt", "w")
    opened.write("new")
    opened.flush()
    assert (store.exists("a.txt"), store.list()) == (False, ())

    opened.close()
    opened.close()
    assert (store.exists("a.txt"), store.list(), store.read("a.txt")) == (True, ("a.txt",), b"new")


@pytest.mark.parametrize("mode", ["w", "wb", "a", "ab"])
def test_an_exception_leaves_the_old_content(store, mode, tmp_path):
    put(store, "a.txt", "old")

    def write_half():
        with store.open("a.txt", mode) as opened:
            opened.write(b"half" if "b" in mode else "half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert (store.read("a.txt"), store.list()) == (b"old", ("a.txt",))
    assert set(everything_in(tmp_path)) <= {"a.txt"}


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_a_file_that_is_never_closed_never_was(store, mode, tmp_path):
    store.open("a.txt", mode).write(b"x" if "b" in mode else "x")
    gc.collect()

    assert (store.exists("a.txt"), everything_in(tmp_path)) == (False, [])


def test_readers_keep_the_file_that_they_opened(folder_store):
    put(folder_store, "a.txt", "old")
    with folder_store.open("a.txt") as opened:
        put(folder_store, "a.txt", "new")
        assert opened.read() == "old"


@pytest.mark.parametrize("mode", ["a", "ab"])
def test_appending_goes_on_after_what_is_there(store, mode):
    for part in ("one", "twö", "three"):
        with store.open("a.txt", mode) as opened:
            opened.write(part.encode() if "b" in mode else part)

    assert store.read("a.txt").decode() == "onetwöthree"


def test_files_serve_what_writes_csv_and_zip(store):
    with store.open("a.csv", "w") as opened:
        csv.writer(opened).writerows([["a", "b\nc"], [1, 2]])
    with store.open("a.zip", "wb") as opened, zipfile.ZipFile(opened, "w") as archive:
        archive.writestr("inner", "text")

    with store.open("a.csv") as opened:
        assert list(csv.reader(opened)) == [["a", "b\nc"], ["1", "2"]]
    assert zipfile.ZipFile(io.BytesIO(store.read("a.zip"))).read("inner") == b"text"


def test_deleting_tells_whether_there_was_one(store):
    put(store, "deep/a.txt", "x")

    assert [store.delete("deep/a.txt"), store.delete("deep/a.txt"), store.delete("none/at/all")] == [
        True,
        False,
        False,
    ]
    assert (store.exists("deep/a.txt"), store.list()) == (False, ())


def test_names_are_listed_sorted(store):
    for name in ("b.txt", "a/z.txt", "a/b/c.txt"):
        put(store, name, "x")

    assert store.list() == ("a/b/c.txt", "a/z.txt", "b.txt")


def test_an_empty_place_has_no_files(store):
    assert (store.list(), store.exists("a")) == ((), False)


def test_a_file_that_is_not_there_is_missing(store):
    for mode in ("r", "rb"):
        with pytest.raises(MissingFileError, match=r'file "a/b\.txt" doesn\'t exist'):
            store.open("a/b.txt", mode)


def test_a_folder_is_no_file(store):
    put(store, "a/b.txt", "x")

    assert store.exists("a") is False
    assert {code_of(lambda mode=mode: store.open("a", mode)) for mode in ("r", "rb", "w", "ab")} == {
        "file-kind"
    }


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\\b", ".hidden", ""])
def test_names_are_checked_by_all_calls(store, name):
    calls = (store.open, store.exists, store.delete, store.read)

    assert {code_of(lambda call=call: call(name)) for call in calls} == {"file-name"}


def test_modes_are_checked(store):
    assert code_of(lambda: store.open("a", "r+")) == "file-mode"


def test_text_that_is_no_utf_8_fails_and_changes_nothing(store):
    put(store, "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        put(store, "a.txt", "\ud800")

    assert store.read("a.txt") == b"old"


def test_a_file_below_a_file_is_refused(folder_store):
    put(folder_store, "a", "x")

    assert {code_of(lambda mode=mode: folder_store.open("a/b", mode)) for mode in "rw"} == {"file-kind"}


def test_links_that_stay_inside_are_followed(folder_store, root):
    put(folder_store, "real/a.txt", "old")
    (root / "link").symlink_to("real")
    (root / "b.txt").symlink_to("real/a.txt")
    put(folder_store, "b.txt", "new")

    assert (folder_store.read("link/a.txt"), (root / "b.txt").is_symlink()) == (b"new", True)
    assert folder_store.list() == ("b.txt", "real/a.txt")
    assert (folder_store.delete("b.txt"), folder_store.list()) == (True, ("real/a.txt",))


def test_links_that_lead_out_are_refused(folder_store, root, tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "folder").mkdir()
    root.mkdir()
    (root / "a").symlink_to(tmp_path / "secret")
    (root / "b").symlink_to(tmp_path / "folder")
    (root / "c").symlink_to(tmp_path / "nowhere")
    (root / "d").symlink_to("d")

    for name in ("a", "b/x", "c", "d"):
        calls = (
            folder_store.open,
            lambda name: folder_store.open(name, "w"),
            folder_store.exists,
            folder_store.delete,
        )
        assert {code_of(lambda call=call, name=name: call(name)) for call in calls} == {"file-outside"}
    assert (folder_store.list(), everything_in(tmp_path / "folder")) == ((), [])


def test_a_link_put_in_after_the_check_leads_nowhere(folder_store, root, tmp_path, monkeypatch):
    put(folder_store, "a/x.txt", "mine")
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "x.txt").write_text("theirs")
    resolved = local.LocalFiles._resolved

    def swapped(self, name):
        path = resolved(self, name)
        (root / "a").rename(root / f"moved-{uuid4()}")
        (root / "a").symlink_to(tmp_path / "away")
        return path

    monkeypatch.setattr(local.LocalFiles, "_resolved", swapped)
    assert code_of(lambda: folder_store.open("a/x.txt")) == "file-kind"


def test_a_pipe_is_no_file_and_is_not_waited_for(folder_store, root):
    root.mkdir()
    os.mkfifo(root / "pipe")

    assert {code_of(lambda mode=mode: folder_store.open("pipe", mode)) for mode in ("r", "a")} == {
        "file-kind"
    }
    assert (folder_store.exists("pipe"), folder_store.list()) == (False, ())


def test_a_replaced_file_keeps_its_permissions(folder_store, root):
    put(folder_store, "a", "x")
    (root / "a").chmod(0o640)
    put(folder_store, "a", "y")

    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o640


def test_a_full_disk_on_close_leaves_the_old_content(folder_store, root, monkeypatch):
    put(folder_store, "a", "old")

    def no_space(_number):
        raise OSError(errno.ENOSPC, "No space left on device")

    opened = folder_store.open("a", "w")
    opened.write("new")
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(TemporaryError, match='file "a" fails: No space left on device'):
        opened.close()
    monkeypatch.undo()

    assert (opened.closed, folder_store.read("a"), everything_in(root)) == (True, b"old", ["a"])


def test_a_killed_writer_leaves_nothing_to_see_and_its_rest_is_swept(folder_store, root):
    code = "import sys; from patterns_os.adapters.files.store import FileStore\n"
    code += "opened = FileStore(sys.argv[1]).open('a', 'w'); opened.write('half'); opened.flush()\n"
    code += "print('open', flush=True); sys.stdin.read()"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
    ) as writer:
        assert writer.stdout.readline() == b"open\n"
        writer.send_signal(signal.SIGKILL)

    (left,) = root.iterdir()
    assert (folder_store.exists("a"), folder_store.list()) == (False, ())

    put(folder_store, "b", "a fresh one may still be written to")
    assert left.exists()
    old = time.time() - local.ABANDONED_S - 1
    os.utime(left, (old, old))
    put(folder_store, "b", "x")
    assert everything_in(root) == ["b"]


def test_opened_files_leave_no_descriptors_behind(folder_store):
    put(folder_store, "a", "x")
    before = len(list(Path("/dev/fd").iterdir()))
    for mode in ("r", "rb", "w", "ab"):
        folder_store.open("a", mode).close()
        with pytest.raises(PermanentError):
            folder_store.open("a/b", mode)
    with pytest.raises(ZeroDivisionError), folder_store.open("a", "w"):
        raise ZeroDivisionError

    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("nothing://bucket", 'storage "nothing://bucket" is of no known kind'),
        ("s3://me:key@bucket/in?x=y", 'storage "s3://bucket/in" needs a driver that is not installed'),
    ],
)
def test_a_storage_that_cannot_be_used_is_named_without_its_keys(root, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(PermanentError) as raised:
        FileStore(root)

    assert (raised.value.code, raised.value.message) == ("file-storage", said)


def test_a_driver_that_fails_is_temporary(monkeypatch):
    store = FileStore(f"memory://{uuid4()}")

    def broken(*_, **__):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.put_file", broken)
    with pytest.raises(TemporaryError) as raised:
        put(store, "a", "x")

    assert str(raised.value) == 'error[file-storage] file "a" fails: RuntimeError'


def test_a_store_shows_where_its_files_are():
    assert repr(FileStore("memory://bucket/in")) == "FileStore(memory://bucket/in)"
    assert repr(FileStore(Path("/data"))) == "FileStore(/data)"
