from patterns_os.graph.fingerprint import fingerprint
from patterns_os.graph.sources import Sources

FILES = Sources({"a.py": b"1", "b.py": b"2", "c.py": b"3"})


def test_is_a_sha_256_that_stays_the_same():
    found = fingerprint(["a.py"], FILES, {"p": 1}, None)

    assert found == "db86b864ae6feee6ba865e1416f3259c14ab76d17d847080ac2265ac2c3e15dd"
    assert found == fingerprint(["a.py"], FILES, {"p": 1}, None)


def test_order_of_files_and_keys_plays_no_part():
    one = fingerprint(["a.py", "b.py"], FILES, {"p": 1, "q": 2}, {"name": "r", "image": "i"})
    two = fingerprint(["b.py", "a.py", "b.py"], FILES, {"q": 2, "p": 1}, {"image": "i", "name": "r"})

    assert one == two


def test_files_parameters_and_runtime_each_count():
    base = fingerprint(["a.py"], FILES, {}, None)

    assert base != fingerprint(["a.py", "b.py"], FILES, {}, None)
    assert base != fingerprint(["a.py"], Sources({"a.py": b"2"}), {}, None)
    assert base != fingerprint(["a.py"], FILES, {"p": None}, None)
    assert base != fingerprint(["a.py"], FILES, {}, {})


def test_contents_do_not_run_into_each_other():
    one = Sources({"a": b"1", "b": b"23"})
    two = Sources({"a": b"12", "b": b"3"})

    assert fingerprint("ab", one, {}, None) != fingerprint("ab", two, {}, None)
