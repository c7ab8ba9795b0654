"""What a Vega-Lite file asks of its table."""

import json

import pytest

from patterns_os.diagnostics import Location, render_diagnostic
from patterns_os.graph.charts import VEGA_LITE, analyse_chart

LOOKUP = {"lookup": "id", "from": {"data": {"name": "o"}, "key": "id", "fields": ["n"]}}
REPEATED = {"mark": "bar", "encoding": {"x": {"field": {"repeat": "repeat"}}}}
HERE = Location(file="manifest.json")


def analyse(chart):
    text = chart if isinstance(chart, bytes) else json.dumps(chart).encode()
    return analyse_chart("c.json", text, "orders", HERE)


def columns(chart):
    analysis, found = analyse({"$schema": VEGA_LITE, "mark": "bar", "encoding": {"x": {"value": 1}}} | chart)
    assert found == []
    return [read.column for read in analysis.reads]


def told(chart):
    return [render_diagnostic(found) for found in analyse(chart)[1]]


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        ({"encoding": {"x": {"field": "a"}, "y": {"aggregate": "count"}, "tooltip": [{"field": "b"}]}}, ["a", "b"]),
        ({"encoding": {"x": {"field": "a.b[0]"}, "y": {"field": "c\\.d"}}}, ["a", "c.d"]),
        ({"encoding": {"color": {"condition": {"test": "datum.n > 3", "value": "red"}}}}, ["n"]),
        (
            {
                "transform": [{"calculate": "datum.a + datum['b c']", "as": "sum"}, {"filter": "datum.sum > 1"}],
                "encoding": {"x": {"field": "sum"}},
            },
            ["a", "b c"],
        ),
        (
            {
                "transform": [{"aggregate": [{"op": "mean", "field": "v", "as": "m"}], "groupby": ["g"]}],
                "encoding": {"x": {"field": "g"}, "y": {"field": "m"}},
            },
            ["g", "v", "g"],
        ),
        ({"transform": [{"fold": ["a", "b"]}], "encoding": {"x": {"field": "key"}}}, ["a", "b"]),
        ({"transform": [{"filter": {"and": [{"field": "a", "gt": 1}, "datum.b"]}}]}, ["a", "b"]),
        ({"transform": [{"pivot": "kind", "value": "n"}], "encoding": {"x": {"field": "x"}}}, ["kind", "n"]),
        ({"transform": [LOOKUP], "encoding": {"x": {"field": "n"}}}, ["id"]),
        ({"repeat": ["a", "b"], "spec": REPEATED}, ["a", "b"]),
        ({"layer": [{"mark": "bar"}, {"mark": "rule", "encoding": {"y": {"field": "z"}}}]}, ["z"]),
    ],
)  # fmt: skip
def test_columns_are_those_of_the_table_and_not_those_that_transforms_make(chart, expected):
    assert columns(chart) == expected


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        (
            {"mark": "bar", "encoding": {"x": {"field": "a"}}},
            [
                (
                    'warning[chart-invalid] c.json:1:1: the chart "c.json" does not say that it is Vega-Lite.\n'
                    f'  hint: add "$schema": "{VEGA_LITE}"'
                )
            ],
        ),
        (
            {"$schema": VEGA_LITE, "encoding": {"x": {"field": "a"}}},
            [
                (
                    'error[chart-invalid] c.json:1:1: the chart "c.json" has a view without "mark": nothing says '
                    'what is drawn.\n  hint: add "mark": "bar", "line" or "point"'
                )
            ],
        ),
        (
            {"$schema": VEGA_LITE, "mark": "bar", "encoding": {"x": {}}, "data": {"values": []}},
            [
                (
                    'error[chart-invalid] c.json:1:110 /data: the chart "c.json" brings its own data, and the '
                    'manifest gives it a table: only one of them can be drawn.\n  hint: take out "data"'
                )
            ],
        ),
        (
            b"[]",
            ['error[chart-invalid] c.json:1:1: the chart "c.json" is no object, expected a Vega-Lite chart.'],
        ),
        (b"", ["error[empty-document] c.json:1:1: the file is empty, expected an object"]),
    ],
)
def test_what_is_no_chart_is_refused(chart, expected):
    assert told(chart) == expected
