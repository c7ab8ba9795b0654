import os

import pytest

from patterns_os.adapters.files.sources import LARGEST_BYTES, load_sources
from patterns_os.errors import PermanentError


def write(folder, *names, data=b"x"):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_the_files_of_an_app_are_given_sorted_with_their_bytes(tmp_path):
    names = [
        "manifest.json",
        "patterns.json",
        "graph.yml",
        "a.py",
        "b.sql",
        "c.js",
        "d.ts",
        "readme.md",
        "data.json",
    ]
    names += ["requirements.txt", "requirements-dev.txt", "deep/down/e.py", "deep/graph.yml"]
    write(tmp_path, *names, data=b"\xff\r\n")

    sources = load_sources(tmp_path)

    assert list(sources) == sorted(names)
    assert set(sources.values()) == {b"\xff\r\n"}


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".git/a.py",
        ".venv/a.py",
        ".patterns/a.json",
        ".vscode/settings.json",
        ".hidden.py",
        "venv/a.py",
        "node_modules/m/a.js",
        "deep/__pycache__/a.py",
        "other.toml",
        "notes.txt",
        "image.png",
        "a.pyc",
    ],
)
def test_what_is_no_source_is_left_out(tmp_path, name):
    write(tmp_path, name)

    assert load_sources(tmp_path) == {}


def test_a_virtual_environment_of_any_name_is_left_out(tmp_path):
    write(tmp_path, "my-environment/pyvenv.cfg", "my-environment/lib/a.py")

    assert load_sources(tmp_path) == {}


def test_files_of_more_than_a_mebibyte_are_left_out(tmp_path):
    write(tmp_path, "fits.json", data=b"1" * LARGEST_BYTES)
    write(tmp_path, "large.json", data=b"1" * (LARGEST_BYTES + 1))

    assert list(load_sources(tmp_path)) == ["fits.json"]


def test_links_are_followed_to_files_inside_only(tmp_path):
    app = tmp_path / "app"
    write(app, "a.py", "lib/b.py")
    write(tmp_path, "outside.py")
    (app / "inside.py").symlink_to("a.py")
    (app / "out.py").symlink_to("../outside.py")
    (app / "broken.py").symlink_to("nothing")
    (app / "circle.py").symlink_to("circle.py")
    (app / "folder").symlink_to("lib")
    (app / "up").symlink_to("..")

    assert list(load_sources(app)) == ["a.py", "inside.py", "lib/b.py"]


def test_an_app_folder_may_itself_be_a_link(tmp_path):
    write(tmp_path, "app/a.py")
    (tmp_path / "link").symlink_to("app")

    assert load_sources(tmp_path / "link") == {"a.py": b"x"}


def test_pipes_and_folders_with_a_sources_name_are_left_out(tmp_path):
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")

    assert load_sources(tmp_path) == {}


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(PermanentError) as raised:
        load_sources(tmp_path / "none")

    assert (raised.value.code, raised.value.message) == ("folder-missing", f'"{tmp_path}/none" is no folder')


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    write(tmp_path, "deep/a.py")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("patterns_os.adapters.files.sources.open", denied, raising=False)
    with pytest.raises(PermanentError) as raised:
        load_sources(tmp_path)

    assert str(raised.value) == (
        'error[source-unreadable] "deep/a.py" can\'t be read: Permission denied\n'
        "  hint: check the owner and the mode of the file and its folders"
    )


def test_a_large_manifest_is_read(tmp_path):
    (tmp_path / "manifest.json").write_bytes(b" " * (LARGEST_BYTES + 1))
    (tmp_path / "large.py").write_bytes(b" " * (LARGEST_BYTES + 1))
    assert {name: len(content) for name, content in load_sources(tmp_path).items()} == {
        "manifest.json": LARGEST_BYTES + 1
    }
