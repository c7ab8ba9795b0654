from patterns_os.registry.components import mentioned_components

KNOWN = ("patterns/a@v1", "patterns/a@v2", "acme/b@v1")


def test_components_are_found_in_every_spelling_of_a_manifest():
    files = {
        "manifest.json": b'{"scripts": [{"uses": "patterns/a@v2"}]}',
        "sub/graph.yml": b"functions:\n  - uses: acme/b@v1\n",
        "readme.md": b"uses patterns/a@v1",
    }

    assert mentioned_components(files, KNOWN) == (("acme/b@v1", "patterns/a@v2"), True)


def test_an_unknown_one_is_mentioned_and_not_loaded():
    assert mentioned_components({"manifest.json": b'{"uses": "x/y@v1"}'}, KNOWN) == ((), True)
    assert mentioned_components({"manifest.json": b'{"name": "patterns/a@v1"}'}, KNOWN) == ((), False)
