import json
from textwrap import dedent

import pytest

from patterns_os.graph.lineage_paths import downstream, lineage_data, paths_data, upstream
from patterns_os.graph.lineage_render import (
    render_columns,
    render_columns_svg,
    render_paths,
    render_paths_svg,
)
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import EVERY_COLUMN, ColumnSource
from patterns_os.plan.compile import compile_app

ORDERS = {"table": "orders", "schema": {"id": "integer", "amount": "number", "city": "text"}}


def compiled(scripts, files, stores=(), **rest):
    manifest = {"name": "shop", "scripts": scripts, "stores": [*stores], **rest}
    texts = {path: dedent(text).encode() for path, text in files.items()}
    return compile_app(Sources({**texts, "manifest.json": json.dumps(manifest).encode()}))


def flows(found, node):
    return {
        (flow.table, flow.column): [f"{source.table}.{source.column}" for source in flow.sources]
        for flow in found.lineage.flows.get(node, ())
    }


def columns(found, table):
    return {column.name: column.type for column in found.lineage.shapes[table].columns.values()}


SHOP = {
    "clean.py": """
        from patterns import Table
        out = Table("clean", "w")
        for order in Table("orders").as_stream():
            out.append({"id": order["id"], "city": order["city"].strip(), "cents": int(order["amount"] * 100)})
        """,
    "totals.sql": 'select city, sum(cents) as cents, count(*) as n from {{ Table("clean") }} group by city\n',
    "note.py": """
        from patterns import Model, Table
        llm = Model("base")
        for row in Table("totals").read():
            Table("notes", "w").append({"city": row["city"], "text": llm.complete(f"About {row['city']}")})
        """,
}
SCRIPTS = [{"file": "clean.py"}, {"file": "totals.sql", "outputs": ["totals"]}, {"file": "note.py"}]
HARD = {**ORDERS, "casting": "hard"}


@pytest.fixture(scope="module")
def shop():
    return compiled(SCRIPTS, SHOP, [HARD], models=[{"name": "base", "type": "chat"}])


def test_columns_are_followed_through_python_and_sql(shop):
    assert flows(shop, "clean") == {
        ("clean", "cents"): ["orders.amount"],
        ("clean", "city"): ["orders.city"],
        ("clean", "id"): ["orders.id"],
    }
    assert flows(shop, "totals")["totals", "cents"] == ["clean.cents"]
    assert flows(shop, "note") == {("notes", "city"): ["totals.city"], ("notes", "text"): ["totals.city"]}


def test_a_table_whose_writers_are_understood_is_closed_and_has_types(shop):
    assert shop.lineage.shapes["clean"].is_closed
    assert columns(shop, "clean") == {"cents": "bigint", "city": "text", "id": "bigint"}
    assert columns(shop, "totals") == {"city": "text", "cents": "numeric", "n": "bigint"} | columns(
        shop, "totals"
    )
    assert columns(shop, "totals")["n"] == "bigint"


def test_what_is_given_is_what_the_flows_tell(shop):
    assert shop.lineage.given["clean"] == {"clean": {"cents": "bigint", "city": "text", "id": "bigint"}}


def test_a_webhook_writes_what_nobody_knows_before():
    found = compiled([], {}, [ORDERS], webhooks=[{"title": "Orders", "table": "orders"}])
    shape = found.lineage.shapes["orders"]
    assert not shape.is_closed
    assert [unknown.reason for unknown in shape.unknown] == [
        "what a webhook receives is known only when it comes"
    ]
    assert columns(found, "orders") == {"id": "bigint", "amount": "double", "city": "text"}


def test_a_table_that_nothing_writes_is_open():
    found = compiled([], {}, [{"table": "seeds"}])
    assert [unknown.reason for unknown in found.lineage.shapes["seeds"].unknown] == ['no node writes "seeds"']


COPY = """
    from patterns import Table
    for order in Table("orders").as_stream():
        Table("copies", "w").append({**order, "city": "?"})
    """


def test_a_copied_row_has_all_columns_of_a_closed_table():
    found = compiled([{"file": "copy.py"}], {"copy.py": COPY}, [HARD])
    assert flows(found, "copy") == {
        ("copies", "amount"): ["orders.amount"],
        ("copies", "city"): [],
        ("copies", "id"): ["orders.id"],
    }
    assert found.lineage.shapes["copies"].is_closed


def test_a_copied_row_of_an_open_table_stays_open():
    found = compiled([{"file": "copy.py"}], {"copy.py": COPY}, [ORDERS])
    assert ("copies", EVERY_COLUMN) in flows(found, "copy")
    assert [unknown.reason for unknown in found.lineage.shapes["copies"].unknown] == [
        'the columns of "orders" are not known'
    ]


def test_ports_are_tables_of_the_app():
    script = {"file": "copy.py", "inputs": {"orders": "incoming"}, "outputs": {"copies": "kept"}}
    found = compiled([script], {"copy.py": COPY}, [{**HARD, "table": "incoming"}])
    assert flows(found, "copy")["kept", "id"] == ["incoming.id"]
    assert {read.table for read in found.lineage.reads["copy"]} <= {"incoming"}


def test_a_table_that_is_read_before_all_that_writes_it_is_open():
    script = """
        from patterns import Table
        known = {row["id"] for row in Table("log").read()}
        for order in Table("orders").as_stream():
            Table("log", "w").append({"id": order["id"]})
        """
    found = compiled([{"file": "log.py"}], {"log.py": script}, [HARD])
    assert found.lineage.shapes["log"].is_closed
    assert columns(found, "log") == {"id": "bigint"}


def test_two_writers_that_differ_leave_the_type_open():
    one = 'from patterns import Table\nTable("t", "w").append({"x": 1, "y": 1})\n'
    other = 'from patterns import Table\nTable("t", "w").append({"x": "a", "y": 2})\n'
    found = compiled([{"file": "a.py"}, {"file": "b.py"}], {"a.py": one, "b.py": other})
    assert columns(found, "t") == {"x": None, "y": "bigint"}


def test_what_a_column_comes_from_and_goes_to(shop):
    start = ColumnSource(table="totals", column="city")
    up, down = upstream(shop.graph, shop.lineage, start), downstream(shop.graph, shop.lineage, start)
    assert render_paths(up, down, shop.lineage) == dedent("""\
        totals.city (text)

        comes from
          ╰─ totals (sql, copied)
             ╰─ clean.city (text)
                ╰─ clean (python, computed)
                   ╰─ orders.city (text)

        goes to
          ├─ note (python, copied)
          │  ╰─ notes.city (text)
          ╰─ note (python, computed, asks base)
             ╰─ notes.text""")


def test_steps_as_data(shop):
    data = paths_data(upstream(shop.graph, shop.lineage, ColumnSource(table="clean", column="cents")))
    assert data == {
        "table": "clean",
        "column": "cents",
        "steps": [
            {
                "of": "clean.cents",
                "node": "clean",
                "kind": "python",
                "table": "clean",
                "column": "cents",
                "sources": [{"table": "orders", "column": "amount"}],
                "derivation": "computed",
                "type": "bigint",
                "models": [],
                "unknown": None,
                "file": "clean.py",
                "line": 5,
            }
        ],
        "readings": [],
    }


def test_a_column_that_is_written_anew_does_not_come_from_the_copy():
    files = {"copy.py": COPY}
    found = compiled([{"file": "copy.py"}], files, [ORDERS])
    down = downstream(found.graph, found.lineage, ColumnSource(table="orders", column="city"))
    assert down.steps == {}
    other = downstream(found.graph, found.lineage, ColumnSource(table="orders", column="further"))
    assert [step.flow.column for step in other.steps[other.start]] == [EVERY_COLUMN]


def test_who_reads_a_column_without_passing_it_on():
    chart = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "bar"}
    chart["encoding"] = {"x": {"field": "city"}, "y": {"field": "amount"}}
    found = compiled(
        [], {"c.json": json.dumps(chart)}, [HARD], charts=[{"file": "c.json", "table": "orders"}]
    )
    down = downstream(found.graph, found.lineage, ColumnSource(table="orders", column="city"))
    assert [(entry.node, str(entry.kind)) for entry in down.readings[down.start]] == [("c", "chart")]


def test_all_columns_as_lines_as_data_and_as_a_picture(shop):
    text = render_columns(shop.graph, shop.lineage)
    assert "▤ totals" in text
    assert "← clean.cents (totals, computed)" in text
    data = lineage_data(shop.graph, shop.lineage)
    assert [table["name"] for table in data["tables"]] == ["clean", "notes", "orders", "totals"]
    assert json.loads(json.dumps(data)) == data
    for svg in (
        render_columns_svg(shop.graph, shop.lineage),
        render_paths_svg(
            shop.graph,
            shop.lineage,
            upstream(shop.graph, shop.lineage, ColumnSource(table="notes", column="text")),
            None,
        ),
    ):
        assert svg.startswith("<svg ")
        assert "clean.city → totals.city, totals, copied" in svg


def test_an_app_without_tables_has_a_lineage():
    found = compiled([], {})
    assert dict(found.lineage.shapes) == {}
    assert render_columns(found.graph, found.lineage) == "shop"
    assert render_columns_svg(found.graph, found.lineage).startswith("<svg ")


def test_what_is_declared_of_a_table_that_may_have_other_columns_has_its_types_in_sql():
    app = compiled(
        [{"file": "q.sql", "outputs": ["sums"]}, {"file": "r.sql", "outputs": ["all_orders"]}],
        {
            "q.sql": "select city, count(*) as n, max(note) as note from orders group by 1\n",
            "r.sql": "select * from orders\n",
        },
        [ORDERS],
        webhooks=[{"title": "orders", "table": "orders"}],
    )
    assert columns(app, "sums") == {"city": "text", "n": "bigint", "note": None}
    assert app.lineage.shapes["sums"].is_closed
    assert columns(app, "all_orders") == {"amount": "double", "city": "text", "id": "bigint"}
    assert [unknown.reason for unknown in app.lineage.shapes["all_orders"].unknown] == [
        'not all columns of "orders" are known'
    ]
    assert app.diagnostics == ()


def test_a_type_is_not_proven_where_another_writer_may_write_the_column_too():
    app = compiled(
        [{"file": "a.py"}, {"file": "b.py"}, {"file": "c.sql", "outputs": ["out"]}],
        {
            "a.py": "from patterns import Table\nTable('t', 'w').append({'score': 1})\n",
            "b.py": "import json\nfrom patterns import Table\nTable('t', 'w').append(json.loads(input()))\n",
            "c.sql": "select lower(score) as score from t\n",
        },
    )
    assert columns(app, "t") == {"score": None}
    assert [found.code for found in app.diagnostics if found.severity == "error"] == []


def test_a_node_of_which_nobody_can_tell_what_it_reads_is_named_with_the_reason():
    app = compiled(
        [{"file": "a.py"}],
        {
            "a.py": """
                from patterns import Table
                frame = Table("orders").read_dataframe()
                frame["cents"] = frame["amount"] * 100
                Table("out", "w").replace(frame[["id", "cents"]])
                """
        },
        [ORDERS, {"table": "waiting"}],
    )
    paths = downstream(app.graph, app.lineage, ColumnSource(table="orders", column="amount"))
    reason = '"frame"[…] is known only at run time'
    assert render_paths(None, paths, app.lineage).splitlines()[2:] == [
        "goes to",
        f"  ╰─ a (python) reads it, a.py:3: what it makes of it is unknown, {reason}",
    ]
    assert paths_data(paths)["readings"][0]["unknown"] == reason
    assert '▤ waiting\n    …    unknown, no node writes "waiting"' in render_columns(app.graph, app.lineage)
