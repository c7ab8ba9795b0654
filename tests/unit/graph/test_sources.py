import pytest

from patterns_os.graph.sources import Sources, normalise_path


def test_gives_files_sorted_by_path():
    sources = Sources({"b.py": b"2", "a.py": b"1"})

    assert list(sources) == ["a.py", "b.py"]
    assert sources["b.py"] == b"2"
    assert len(sources) == 2


def test_is_equal_and_hashes_alike_whatever_the_order():
    one, two = Sources({"a": b"1", "b": b"2"}), Sources({"b": b"2", "a": b"1"})

    assert one == two
    assert hash(one) == hash(two)


def test_shows_paths_and_no_content():
    assert repr(Sources({".env": b"KEY=very-secret"})) == "Sources(.env)"


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../b", "", "a\\b", "./a", "a//b", "a\x00"])
def test_refuses_paths_that_are_not_plain_and_inside(path):
    with pytest.raises(ValueError, match="is not a path inside the app folder"):
        Sources({path: b""})


def test_normalises_paths_that_stay_inside():
    assert normalise_path("./a//b.py") == "a/b.py"
    assert normalise_path("../a") is None
