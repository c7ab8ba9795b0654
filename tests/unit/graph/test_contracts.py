"""What is told of both ends of an edge: structural, gradual, and by meaning."""

import json
from itertools import product

import pytest

from patterns_os.diagnostics import Location, render_diagnostic
from patterns_os.graph.build import build_graph
from patterns_os.graph.contracts import (
    Verdict,
    assignable,
    check_contracts,
    edge_verdicts,
    meant_as,
    usable,
)
from patterns_os.graph.lineage import ColumnShape, Lineage, TableShape
from patterns_os.graph.sources import Sources
from patterns_os.graph.vertices import (
    EVERY_COLUMN,
    ColumnFlow,
    ColumnRead,
    ColumnSource,
    Derivation,
    Unknown,
)
from patterns_os.manifest.parse import parse_manifest
from patterns_os.rows.types import ColumnType

AT = Location(file="a.py", line=7, column=3)
WRITER = 'from patterns import Table\nTable("orders", "w").append({})'
READER = 'from patterns import Table\nTable("orders").read()'
PLACE = "manifest.json:4:19"


def graph_of(schema, script, **store):
    """Give an app whose node `a` uses the table `orders`; its first column stands at `PLACE`."""
    declared = json.dumps(schema)[1:] if isinstance(schema, dict) else None
    more = "".join(f', "{key}": {json.dumps(value)}' for key, value in store.items())
    stores = (
        f'{{"table": "orders"{more},\n "schema": {{{declared}}}'
        if declared
        else f'{{"table": "orders"{more}}}'
    )
    text = f'{{"name": "app", "scripts": [{{"file": "a.py"}}],\n "stores": [\n{stores}]}}'
    parsed = parse_manifest(text.encode())
    assert parsed.diagnostics == ()
    graph, diagnostics = build_graph(parsed, Sources({"a.py": script.encode()}), None)
    assert diagnostics == ()
    return graph


def flow(column, kind=None, **parts):
    return ColumnFlow(table="orders", column=column, type=kind, where=AT, **parts)


def copied(column, source, **parts):
    sources = (ColumnSource(table="source", column=source),)
    return flow(column, sources=sources, derivation=Derivation.COPIED, **parts)


SOURCE = TableShape(
    columns={
        "mail": ColumnShape(name="mail", type="text", nullable=False, semantic="common.Email", where=AT),
        "name": ColumnShape(name="name", type="text", nullable=True, where=AT),
    },
    is_closed=True,
)


def written(schema, *flows, **store):
    """Give the verdict of the edge that writes, and what is told."""
    graph = graph_of(schema, WRITER, **store)
    lineage = Lineage(flows={"a": flows}, shapes={"source": SOURCE, "orders": TableShape()})
    [verdict] = edge_verdicts(graph, lineage)
    told = [render_diagnostic(found) for found in check_contracts(graph, lineage)]
    assert (verdict.verdict is Verdict.INCOMPATIBLE) == bool(told)
    return str(verdict.verdict), told or verdict.reason


def read(shape, *reads, schema=None, **store):
    graph = graph_of(schema, READER, **store)
    lineage = Lineage(reads={"a": reads}, shapes={"orders": shape})
    [verdict] = edge_verdicts(graph, lineage)
    told = [render_diagnostic(found) for found in check_contracts(graph, lineage)]
    assert (verdict.verdict is Verdict.INCOMPATIBLE) == bool(told)
    return str(verdict.verdict), told or verdict.reason


COMPATIBLE = ("compatible", "")


# --- producers


def test_what_fits_is_compatible():
    schema = {"id": "integer NotNull", "price": "double", "mail": "common.Email NotNull", "note": "text"}

    assert (
        written(
            schema,
            flow("id", "bigint", nullable=False),
            flow("price", "bigint", nullable=True),
            copied("mail", "mail"),
            flow("patterns_note", "text"),
            flow("further", "jsonb"),
        )
        == COMPATIBLE
    )


def test_a_table_without_a_schema_takes_any_row():
    reason = 'table "orders" declares no schema, so it takes any row'

    assert written(None, flow("id", "text")) == ("compatible", reason)


def test_a_type_that_never_fits_is_an_error_with_both_places():
    assert written({"id": "integer"}, flow("id", "bool")) == (
        "incompatible",
        [
            (
                'error[type-mismatch] a.py:7:3: node "a" writes bool to column "id" of table "orders", which is '
                f"bigint, declared in {PLACE}."
            )
        ],
    )


def test_a_text_may_hold_a_moment_and_never_under_hard_casting():
    schema = {"at": "datetime"}

    assert written(schema, flow("at", "text")) == (
        "unknown",
        "whether text fits timestamptz depends on each value",
    )
    assert written(schema, flow("at", "text"), casting="hard")[1] == [
        (
            'error[type-mismatch] a.py:7:3: node "a" writes text to column "at" of table "orders", which is '
            "timestamptz, declared in manifest.json:4:19."
        )
    ]


def test_a_column_that_is_never_written_is_missed_only_where_all_columns_are_known():
    schema = {"id": "integer NotNull", "note": "text"}
    every = flow(EVERY_COLUMN, unknown=Unknown(reason="the rest comes from input()", where=AT))

    assert written(schema, flow("note", "text"))[1] == [
        (
            'error[missing-column] a.py:2:1: node "a" never writes column "id" of table "orders", which is never '
            f"null, declared in {PLACE}."
        )
    ]
    assert written(schema, flow("note", "text"), every) == ("unknown", "the rest comes from input()")


@pytest.mark.parametrize(
    ("nullable", "expected"),
    [
        (False, COMPATIBLE),
        (True, ("unknown", 'column "id" may be null')),
        (None, ("unknown", 'whether column "id" can be null cannot be told')),
    ],
)
def test_a_value_that_may_be_null_is_unknown_to_a_column_that_is_never(nullable, expected):
    assert written({"id": "integer NotNull"}, flow("id", "bigint", nullable=nullable)) == expected


def test_a_null_that_is_written_is_an_error():
    null = flow("id", derivation=Derivation.CONSTANT, nullable=True)

    assert written({"id": "integer"}, null) == COMPATIBLE
    assert written({"id": "integer NotNull"}, null)[1] == [
        (
            'error[null-column] a.py:7:3: node "a" writes null to column "id" of table "orders", which is never '
            f"null, declared in {PLACE}."
        )
    ]


def test_hard_casting_refuses_columns_that_are_not_declared():
    told = written({"amount": "integer"}, flow("amuont", "bigint"), casting="hard")[1]

    assert told == [
        (
            'error[undeclared-column] a.py:7:3: node "a" writes column "amuont" of table "orders", which takes only '
            "the columns that it declares, declared in manifest.json:3:1.\n"
            '  declared columns: "amount"\n'
            '  hint: did you mean "amount"?'
        )
    ]


def test_a_copy_has_the_type_and_the_nulls_of_its_source():
    assert written({"name": "text NotNull"}, copied("name", "name")) == (
        "unknown",
        'column "name" may be null',
    )
    assert written({"name": "date"}, copied("name", "mail")) == (
        "unknown",
        "whether text fits date depends on each value",
    )
    assert written({"name": "bytea"}, copied("name", "mail"))[0] == "incompatible"


def test_meanings_are_compared():
    assert written({"x": "text"}, copied("x", "mail")) == COMPATIBLE
    assert written({"x": "common.Text"}, copied("x", "mail")) == COMPATIBLE
    assert written({"x": "common.Email"}, copied("x", "mail")) == COMPATIBLE
    assert written({"x": "common.Email"}, copied("x", "name")) == (
        "unknown",
        "whether it is common.Email depends on each value",
    )
    assert written({"x": "common.Url"}, copied("x", "mail"))[1] == [
        (
            'error[meaning-mismatch] a.py:7:3: node "a" writes common.Email to column "x" of table "orders", which is '
            "common.Url, declared in manifest.json:4:18."
        )
    ]


def test_what_cannot_be_told_is_unknown_with_its_reason():
    hidden = Unknown(reason="what a webhook receives is known only when it comes", where=AT)

    assert written({"id": "integer"}, flow("id", unknown=hidden)) == ("unknown", hidden.reason)
    assert written({"id": "integer"}, flow("id")) == ("unknown", 'the type of column "id" cannot be told')
    assert written({"id": "integer"}, flow(EVERY_COLUMN, unknown=hidden)) == ("unknown", hidden.reason)
    assert written({"id": "integer"}, flow(EVERY_COLUMN)) == ("unknown", "further columns may be written")
    assert written({"id": "integer"}) == (
        "unknown",
        'what node "a" writes to table "orders" cannot be told',
    )


def test_each_mistake_is_told_and_the_worst_is_the_verdict_of_the_edge():
    graph = graph_of({"id": "integer NotNull", "at": "date"}, WRITER)
    lineage = Lineage(flows={"a": (flow("at", "bool"), flow("at", "text"))}, shapes={"orders": TableShape()})
    [verdict] = edge_verdicts(graph, lineage)

    assert [found.code for found in check_contracts(graph, lineage)] == ["missing-column", "type-mismatch"]
    assert [(one.column, str(one.verdict)) for one in verdict.columns] == [
        ("at", "incompatible"),
        ("at", "unknown"),
        ("id", "incompatible"),
    ]
    assert (verdict.node, verdict.store, verdict.port) == ("a", "orders", "orders")
    assert verdict.where == AT
    assert (verdict.other.line, verdict.other.column) == (4, 44)


# --- consumers


def shape_of(*columns, is_closed=True, unknown=(), declared=False):
    place = Location(file="w.sql", line=2, column=8)
    found = {
        name: ColumnShape(name=name, type=kind, declared=declared, where=place) for name, kind in columns
    }
    return TableShape(columns=found, is_closed=is_closed, unknown=unknown)


def asked(column, kind=None, **parts):
    return ColumnRead(table="orders", column=column, type=kind, where=AT, **parts)


def test_a_column_that_is_there_is_compatible():
    shape = shape_of(("id", "bigint"), ("x", None))

    assert read(shape, asked("id"), asked("id", "double"), asked("x"), asked(EVERY_COLUMN)) == COMPATIBLE
    assert read(shape, asked("patterns_id")) == COMPATIBLE


def test_a_column_that_nobody_writes_is_an_error_with_both_places():
    told = read(shape_of(("amount", "bigint"), ("at", "date")), asked("amuont"))

    assert told == (
        "incompatible",
        [
            (
                'error[unknown-column] a.py:7:3: node "a" reads column "amuont" of table "orders", which has no such '
                "column, written in w.sql:2:8.\n"
                '  known columns: "amount", "at"\n'
                '  hint: did you mean "amount"?'
            )
        ],
    )


def test_a_column_that_is_not_declared_is_an_error_where_nothing_else_comes():
    shape = shape_of(("amount", "bigint"), declared=True)
    told = read(shape, asked("x"), schema={"amount": "integer"}, casting="hard")

    assert told[1] == [
        (
            'error[unknown-column] a.py:7:3: node "a" reads column "x" of table "orders", which has no such column, '
            'declared in manifest.json:3:1.\n  known columns: "amount"'
        )
    ]


def test_a_column_that_may_be_absent_is_no_mistake():
    assert read(shape_of(("id", "bigint")), asked("x", optional=True)) == COMPATIBLE


def test_columns_that_may_yet_come_are_unknown_with_the_reason():
    because = Unknown(reason="what a webhook receives is known only when it comes", where=AT)

    assert read(shape_of(is_closed=False, unknown=(because,)), asked("x")) == ("unknown", because.reason)
    assert read(shape_of(is_closed=False), asked("x")) == ("unknown", "its columns are not known")


def test_a_use_that_does_not_fit_the_type_is_an_error():
    assert read(shape_of(("x", "text")), asked("x", "bigint"))[1] == [
        (
            'error[type-mismatch] a.py:7:3: node "a" uses column "x" of table "orders" as bigint, and it is text, '
            "written in w.sql:2:8."
        )
    ]
    declared = shape_of(("x", "text"), declared=True)
    assert read(declared, asked("x", "bigint"), schema={"x": "text"})[1] == [
        (
            'error[type-mismatch] a.py:7:3: node "a" uses column "x" of table "orders" as bigint, and it is text, '
            "declared in manifest.json:4:18."
        )
    ]


def test_a_use_of_what_has_no_known_type_is_unknown():
    assert read(shape_of(("x", None)), asked("x", "bigint")) == (
        "unknown",
        'the type of column "x" of table "orders" cannot be told',
    )
    assert read(shape_of(("x", "jsonb")), asked("x", "bigint")) == (
        "unknown",
        "whether jsonb can be used as bigint depends on each value",
    )
    assert read(shape_of(("x", "jsonb"))) == (
        "unknown",
        'which columns of table "orders" node "a" reads cannot be told',
    )


# --- the tables of all types

TYPES = ["bool", "bigint", "double", "text", "timestamptz", "date", "numeric", "bytea", "jsonb"]

SOFT = """
            bool bigint double text timestamptz date numeric bytea jsonb
bool        +    -      -      +    -           -    -       -     +
bigint      -    +      +      +    -           -    +       -     +
double      -    ?      +      ?    -           -    ?       -     +
text        ?    ?      ?      +    ?           ?    ?       -     +
timestamptz -    -      -      +    +           -    -       -     +
date        -    -      -      +    -           +    -       -     +
numeric     -    ?      ?      ?    -           -    +       -     +
bytea       -    -      -      -    -           -    -       +     +
jsonb       ?    ?      ?      ?    ?           ?    ?       ?     +
"""
HARD = """
            bool bigint double text timestamptz date numeric bytea jsonb
bool        +    -      -      -    -           -    -       -     +
bigint      -    +      +      -    -           -    +       -     +
double      -    -      +      -    -           -    -       -     +
text        -    -      -      +    -           -    -       -     +
timestamptz -    -      -      -    +           -    -       -     +
date        -    -      -      -    -           +    -       -     +
numeric     -    -      -      -    -           -    +       -     +
bytea       -    -      -      -    -           -    -       +     +
jsonb       ?    ?      ?      ?    ?           ?    ?       ?     +
"""
USES = """
            bool bigint double text timestamptz date numeric bytea jsonb
bool        +    +      -      -    -           -    -       -     -
bigint      -    +      +      -    -           -    +       -     -
double      -    ?      +      -    -           -    ?       -     -
text        -    -      -      +    -           -    -       -     -
timestamptz -    -      -      -    +           -    -       -     -
date        -    -      -      -    -           +    -       -     -
numeric     -    ?      ?      -    -           -    +       -     -
bytea       -    -      -      -    -           -    -       +     -
jsonb       ?    ?      ?      ?    ?           ?    ?       ?     +
"""
SIGNS = {Verdict.COMPATIBLE: "+", Verdict.INCOMPATIBLE: "-", Verdict.UNKNOWN: "?"}


def table(verdict):
    """Give the verdicts of all pairs as such a table."""
    head = f"{'':12}{' '.join(TYPES)}"
    rows = [
        f"{given:12}"
        + " ".join(f"{SIGNS[verdict(ColumnType(given), ColumnType(kind))]:{len(kind)}}" for kind in TYPES)
        for given in TYPES
    ]
    return "\n".join(["", head, *(row.rstrip() for row in rows), ""])


def test_the_truth_of_soft_casting():
    assert table(lambda given, kind: assignable(given, kind, "soft")) == SOFT


def test_the_truth_of_hard_casting():
    assert table(lambda given, kind: assignable(given, kind, "hard")) == HARD


def test_the_truth_of_use():
    assert table(usable) == USES


def test_hard_casting_takes_no_more_than_soft_casting():
    order = [Verdict.COMPATIBLE, Verdict.UNKNOWN, Verdict.INCOMPATIBLE]

    for given, kind in product(ColumnType, repeat=2):
        soft, hard = assignable(given, kind, "soft"), assignable(given, kind, "hard")
        assert order.index(soft) <= order.index(hard)


@pytest.mark.parametrize(
    ("given", "needed", "verdict"),
    [
        ("common.Email", "common.Email", "compatible"),
        ("common.Email", "common.Text", "compatible"),
        ("common.ImageUrl", "common.Uri", "compatible"),
        ("common.Uri", "common.ImageUrl", "unknown"),
        ("common.Email", "common.Url", "incompatible"),
        ("common.Money", "common.Percentage", "incompatible"),
        ("common.Address", "common.Address", "compatible"),
        ("common.Address", "common.Person", "incompatible"),
    ],
)
def test_a_meaning_fits_those_that_it_is_a_kind_of(given, needed, verdict):
    assert str(meant_as(given, needed)) == verdict
