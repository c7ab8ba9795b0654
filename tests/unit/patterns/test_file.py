import io

import pytest

from patterns import File, host


class Memory:
    """A host that holds files in a dict."""

    def __init__(self):
        self.files = {}
        self.modes = []

    def open_file(self, name, mode):
        self.modes.append(mode)
        if mode.startswith("r"):
            content = self.files[name]
            return io.BytesIO(content) if "b" in mode else io.StringIO(content.decode())
        return Written(self.files, name, mode)

    def file_exists(self, name):
        return name in self.files

    def delete_file(self, name):
        self.files.pop(name, None)


class Written:
    def __init__(self, files, name, mode):
        self.files, self.name, self.mode = files, name, mode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, data):
        before = self.files.get(self.name, b"") if self.mode.startswith("a") else b""
        self.files[self.name] = before + (data if "b" in self.mode else data.encode())


@pytest.fixture
def memory():
    memory = Memory()
    with host.use(memory):
        yield memory


def test_what_is_written_is_read(memory):
    File("a.txt", "w").write("é")

    assert (File("a.txt").read(), File("a.txt", "rb").read()) == ("é", "é".encode())
    assert (File("a.txt", "w").read_text(), File("a.txt").read_bytes()) == ("é", "é".encode())
    assert memory.modes == ["w", "r", "rb", "r", "rb"]


def test_the_kind_of_data_chooses_text_or_bytes(memory):
    File("a", "w").write(b"one")
    File("a", "a").write("two")
    File("a", "ab").write(b"three")

    assert (memory.files, memory.modes) == ({"a": b"onetwothree"}, ["wb", "a", "ab"])


def test_a_file_opens_in_its_own_mode_unless_told_otherwise(memory):
    File("a", "w").write("x")
    with File("a").open() as opened, File("a", "w").open("rb") as raw:
        assert (opened.read(), raw.read()) == ("x", b"x")


def test_a_file_is_there_until_it_is_deleted(memory):
    memory.files["a"] = b""

    assert File("a").exists is True
    File("a").delete()
    File("a").delete()
    assert File("a").exists is False


def test_a_file_is_shown_as_it_is_written():
    assert (repr(File("a")), repr(File("a", "w"))) == ("File('a')", "File('a', 'w')")
