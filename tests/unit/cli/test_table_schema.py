from patterns_os.cli.table_schema import InferredColumn, OpenEnd, SchemaRow, shown_schema
from patterns_os.diagnostics import Location
from patterns_os.graph.lineage import Lineage
from patterns_os.graph.vertices import EVERY_COLUMN, ColumnFlow, ColumnSource, Unknown
from patterns_os.ports.reports import ColumnReport, TableReport
from patterns_os.rows.schema import FieldSchema, TableSchema
from patterns_os.rows.types import ColumnType

HERE = Location(file="copy.py", line=3)
MONEY = FieldSchema(name="amount", type=ColumnType.NUMERIC, nullable=False, semantic="common.Money")


def flow(column, **more):
    return ColumnFlow(table="orders", column=column, where=HERE, **more)


def shown(**given):
    whole = {"declared": None, "unique_on": (), "lineage": None, "real": None, "beside": {}, **given}
    return shown_schema("orders", **whole)


def table(*columns):
    return TableReport(
        number=1,
        name="orders",
        rows=3,
        watermark=3,
        version=1,
        written_at=None,
        unique_on=("id",),
        columns=tuple(ColumnReport(name=name, type=kind) for name, kind in columns),
    )


def test_each_column_is_shown_from_all_sides():
    found = shown(
        declared=TableSchema(fields=(MONEY,)),
        lineage=Lineage(
            flows={"copy": (flow("id", type="bigint", nullable=False), flow("amount", type="double"))}
        ),
        real=table(("id", "bigint"), ("note", "text")),
        beside={"amount": 2},
    )

    assert [row.cells(is_reached=True) for row in found.rows] == [
        ["amount", "numeric not null (common.Money)", "double", "", "", "2"],
        ["id", "", "bigint not null", "bigint", "yes", ""],
        ["note", "", "", "text", "", ""],
    ]
    assert (found.count, found.casting, found.unique_on) == (3, "soft", ("id",))


def test_without_a_database_nothing_is_said_of_what_is_real():
    found = shown(declared=TableSchema(fields=(MONEY,)), unique_on=("amount",))

    assert [row.cells(is_reached=False) for row in found.rows] == [
        ["amount", "numeric not null (common.Money)", "", "\N{EN DASH}", "yes", ""]
    ]
    assert found.count is None


def test_writers_that_differ_are_shown_both_and_what_is_not_told_is_unknown():
    lineage = Lineage(
        flows={
            "b": (flow("id", type="text", nullable=False),),
            "a": (
                flow("id", type="bigint", nullable=True),
                flow("x"),
                ColumnFlow(table="o", column="y", where=HERE),
            ),
        }
    )

    found = shown(lineage=lineage)

    assert found.rows == (
        SchemaRow(
            name="id", inferred=InferredColumn(types=("bigint", "text"), nullable=True, writers=("a", "b"))
        ),
        SchemaRow(name="x", inferred=InferredColumn(types=("unknown",), nullable=None, writers=("a",))),
    )


def test_it_is_told_why_there_may_be_further_columns():
    unknown = Unknown(reason="the row is made at run time", where=HERE)
    source = ColumnSource(table="events", column=EVERY_COLUMN)
    flows = {"a": (flow(EVERY_COLUMN, unknown=unknown),), "b": (flow(EVERY_COLUMN, sources=(source,)),)}

    found = shown(lineage=Lineage(flows=flows))

    assert found.rows == ()
    assert found.open_ends == (
        OpenEnd(node="a", reason="the row is made at run time", where=HERE),
        OpenEnd(node="b", reason='it writes all columns of "events"', where=HERE),
    )


def test_as_json_it_is_whole():
    field = FieldSchema(name="amount", type=ColumnType.DOUBLE, rules={"minimum": 0})

    (row,) = shown(declared=TableSchema(fields=(field,)), real=table(("amount", "double precision"))).rows

    assert row.to_json() == {
        "name": "amount",
        "declared": "double precision",
        "nullable": True,
        "semantic": None,
        "rules": {"minimum": 0},
        "inferred": None,
        "written_by": [],
        "type": "double precision",
        "unique": False,
        "beside": 0,
    }
