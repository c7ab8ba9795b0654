import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patterns_os.diagnostics import Location
from patterns_os.errors import UsageError
from patterns_os.graph.topology import can_trigger, cycles, to_networkx, topological_order
from patterns_os.graph.vertices import (
    Access,
    Edge,
    Graph,
    Node,
    NodeKind,
    Origin,
    Store,
    StoreKind,
)

HERE = Location(file="a.py")


def node(name, **spec):
    return Node(name=name, kind=NodeKind.PYTHON, where=HERE, file=f"{name}.py", spec=spec)


def edge(text):
    """Give the edge of `node > table` (write), `node < table` (stream) or `node ? table` (read)."""
    name, access, table = text.split()
    meaning = {">": Access.WRITE, "<": Access.STREAM, "?": Access.READ}[access]
    return Edge(
        node=name,
        store=table,
        port=table,
        kind=StoreKind.TABLE,
        access=meaning,
        origin=Origin.INFERRED,
        where=HERE,
    )


def graph(*texts, nodes=()):
    edges = tuple(edge(text) for text in texts)
    names = sorted({found.node for found in edges} - {given_node.name for given_node in nodes})
    all_nodes = tuple(sorted([*nodes, *(node(name) for name in names)], key=lambda found: found.name))
    stores = tuple(
        Store(name=name, kind=StoreKind.TABLE, declared=False, where=HERE)
        for name in sorted({found.store for found in edges})
    )
    order = topological_order(all_nodes, edges)
    return Graph(app="app", nodes=all_nodes, stores=stores, edges=edges, order=order)


def test_upstream_comes_first_and_ties_go_by_name():
    assert graph("z > t", "b < t", "a < t", "c > u").order == ("c", "z", "a", "b")


def test_a_look_up_gives_way_where_it_would_close_a_circle():
    found = graph("a < in", "a ? t", "a > u", "b < u", "b > t")

    assert found.order == ("a", "b")
    assert cycles(found) == ()


def test_a_circle_is_entered_at_its_first_name():
    assert graph("b < one", "b > two", "a < two", "a > one").order == ("a", "b")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a < t", "a > u", "b < u", "b > t"], [("a", "u", "b", "t", "a")]),
        (["a < t", "a > t"], [("a", "t", "a")]),
        (["a ? t", "a > t"], []),
        (["a ? t", "a > u", "b ? u", "b > t"], [("a", "u", "b", "t", "a")]),
        (["a < t", "a > t", "b < u", "b > u"], [("a", "t", "a"), ("b", "u", "b")]),
        (
            ["c < t", "c > u", "b < u", "b > v", "a < v", "a > t", "b > t"],
            [("a", "t", "c", "u", "b", "v", "a")],
        ),
        (["a > t", "b < t"], []),
    ],
)
def test_circles_are_paths_that_end_where_they_begin(texts, expected):
    assert list(cycles(graph(*texts))) == expected


@pytest.mark.parametrize(
    ("text", "trigger", "others", "expected"),
    [
        pytest.param("a < t", None, [], True, id="stream"),
        pytest.param("a < t", "@daily", [], True, id="stream under a cron can still make a circle"),
        pytest.param("a ? t", None, [], True, id="read without streams"),
        pytest.param("a ? t", None, ["a < u"], False, id="read beside a stream"),
        pytest.param("a ? t", None, ["a > t"], False, id="read of its own table"),
        pytest.param("a ? t", "@daily", [], False, id="read under a cron"),
        pytest.param("a ? t", {"on": ["t"]}, ["a < u"], True, id="read that is named"),
        pytest.param("a ? t", {"on": ["u"]}, [], False, id="read that is not named"),
        pytest.param("a > t", None, [], False, id="write"),
    ],
)
def test_what_can_trigger(text, trigger, others, expected):
    edges = [edge(text), *(edge(other) for other in others)]
    spec = {} if trigger is None else {"trigger": trigger}

    assert can_trigger(edges[0], edges, node("a", **spec)) is expected


names = st.sampled_from("abcdef")
tables = st.sampled_from(["t", "u", "v", "w"])
texts = st.builds("{} {} {}".format, names, st.sampled_from("><?"), tables)


@settings(deadline=None)
@given(st.lists(texts, unique=True, max_size=12))
def test_without_circles_the_order_respects_every_trigger(found):
    result = graph(*found)
    rank = {name: index for index, name in enumerate(result.order)}

    assert sorted(result.order) == [given_node.name for given_node in result.nodes]
    if not cycles(result):
        for write in result.edges:
            for use in result.edges:
                triggers = use.access is Access.STREAM and write.store == use.store
                if write.access is Access.WRITE and triggers:
                    assert rank[write.node] < rank[use.node]


@settings(deadline=None)
@given(
    st.lists(texts, unique=True, max_size=12).flatmap(
        lambda found: st.tuples(st.just(found), st.permutations(found))
    )
)
def test_order_and_circles_do_not_depend_on_the_order_of_edges(both):
    one, two = graph(*both[0]), graph(*both[1])

    assert one.order == two.order
    assert cycles(one) == cycles(two)


def test_networkx_gets_vertices_and_edges_along_the_data():
    pytest.importorskip("networkx")
    result = to_networkx(graph("a > t", "b < t"))

    assert sorted(result.nodes) == [("node", "a"), ("node", "b"), ("table", "t")]
    assert sorted(result.edges()) == [(("node", "a"), ("table", "t")), (("table", "t"), ("node", "b"))]
    assert result.graph["app"] == "app"


def test_without_networkx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)

    with pytest.raises(UsageError) as raised:
        to_networkx(graph())

    assert str(raised.value) == (
        "error[missing-extra] the package networkx is not installed\n"
        "  hint: install it with `pip install 'patterns-os[networkx]'`"
    )


def first_of_each_kind(nodes, edges):
    """Give the order by its definition, looking at every node left for every place."""
    writers = {}
    for found in edges:
        if found.access is Access.WRITE:
            writers.setdefault(found.store, set()).add(found.node)
    waits = {"uses": {}, "triggers": {}}
    for given_node in nodes:
        own = [found for found in edges if found.node == given_node.name]
        for kind, before in waits.items():
            before[given_node.name] = {
                writer
                for found in own
                if found.access is not Access.WRITE
                if kind == "uses" or can_trigger(found, own, given_node)
                for writer in writers.get(found.store, ())
            } - {given_node.name}
    left = sorted(given_node.name for given_node in nodes)
    order = []
    while left:
        free = (name for kind in waits.values() for name in left if not kind[name] & set(left))
        chosen = next(free, left[0])
        left.remove(chosen)
        order.append(chosen)
    return tuple(order)


@settings(deadline=None)
@given(st.lists(texts, unique=True, max_size=20))
def test_the_order_is_the_one_that_its_definition_gives(found):
    result = graph(*found)

    assert result.order == first_of_each_kind(result.nodes, result.edges)


def test_circles_through_a_node_can_be_left_out():
    found = graph("a < t", "a > u", "b < u", "b > t", "c < v", "c > v")

    assert cycles(found, without={"b"}) == (("c", "v", "c"),)


def test_a_circle_may_be_longer_than_the_stack():
    texts = [f"n{i:05} {sign} t{j % 3000}" for i in range(3000) for sign, j in (("<", i), (">", i + 1))]
    [path] = cycles(graph(*texts))

    assert len(path) == 6001
    assert (path[0], path[-1]) == ("n00000", "n00000")
