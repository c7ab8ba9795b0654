"""Of what a script imports from the app, what it can reach counts, and nothing else."""

from textwrap import dedent

import pytest

from patterns_os.graph.python import analyse_python
from patterns_os.graph.sources import Sources

LIBRARY = """
    import functools
    import threading

    import requests
    import tenacity
    from patterns import Table

    def orders():
        return Table("orders").as_stream()

    def save(rows):
        Table("saved", "w").append(rows)

    def save_all(rows):
        save(rows)

    @tenacity.retry(stop=3)
    def post(row):
        requests.post("https://example.com", json=row)

    def retried(function):
        @functools.wraps(function)
        def inner(*arguments):
            return function(*arguments)
        return inner

    @retried
    def drop(rows):
        Table("dropped", "w").append(rows)

    HANDLERS = {}

    def handler(name):
        def kept(function):
            HANDLERS[name] = function
            return function
        return kept

    @handler("first")
    def first(row):
        Table("first", "w").append(row)

    class Worker(threading.Thread):
        def run(self):
            Table("worked", "w").append({"a": 1})

    class Store:
        def __init__(self, name):
            self.table = Table(name)

        def __iter__(self):
            return iter(self.table.as_stream())

        def dump(self):
            Table("dumped", "w").append({"a": 1})
    """


def found(script):
    sources = Sources({"library.py": dedent(LIBRARY).encode()})
    analysis = analyse_python("script.py", dedent(script).encode(), sources)[0]
    names = sorted({use.name for use in analysis.uses if use.kind == "table"})
    return " ".join([*names, *(seen.name for seen in analysis.observations)])


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("import library", ""),
        ("from library import orders, save", ""),
        ("from library import orders\nlist(orders())", "orders"),
        ("import library\nlibrary.save_all([])", "saved"),
        ("import library\nprint(library.save)", "saved"),
        ("from library import *\nsave([])", "saved"),
        ("import library\ngetattr(library, 'save')([])", "saved"),
        ("from library import post\npost({})", "requests.post"),
        ("from library import drop\ndrop([])", "dropped"),
        ("from library import retried\nretried(print)", ""),
        ("from library import HANDLERS\nHANDLERS[input()]({})", "first"),
        ("from library import Worker\nWorker().start()", "worked"),
        ("from library import Store\nfor row in Store('orders'): pass", "orders"),
        ("from library import Store\nStore('orders').dump()", "dumped orders"),
        ("def nobody():\n    from patterns import Table\n    Table('here').read()", "here"),
    ],
)
def test_what_nobody_can_call_touches_nothing(script, expected):
    assert found(script) == expected


@pytest.mark.parametrize(
    "script",
    [
        "import library\nname = input()\ngetattr(library, name)([])",
        "from library import orders\nglobals()[input()]([])",
        "import inspect, library\ninspect.getmembers(library)",
    ],
)
def test_where_functions_are_reached_without_their_names_all_count(script):
    assert found(script).split()[0] == "dropped"
    assert "saved" in found(script)
