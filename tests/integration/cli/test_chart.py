"""`patterns chart`, as a user types it."""

import json
from pathlib import Path

import pytest

from patterns_os.cli.main import run

pytestmark = pytest.mark.postgres

MANIFEST = {
    "name": "drawn",
    "scripts": [{"file": "sums.sql", "outputs": ["sums"]}],
    "webhooks": [{"title": "Orders", "table": "orders"}],
    "charts": [{"file": "by_day.json", "table": "sums", "title": "By day"}],
}
SUMS = """
select "day"::date as day, sum(amount::numeric) as amount, 'NaN'::float as odd
from {{ Table("orders") }} group by 1
"""
CHART = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"name": "sums"},
    "mark": "bar",
    "encoding": {
        "x": {"field": "day", "type": "temporal"},
        "y": {"field": "amount", "type": "quantitative"},
    },
}


@pytest.fixture
def app(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in the folder of an app with a chart."""
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST))
    (tmp_path / "sums.sql").write_text(SUMS)
    (tmp_path / "by_day.json").write_text(json.dumps(CHART))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATTERNS_DATABASE_URL", database)
    return tmp_path


def error(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    assert run(list(arguments)) == code
    return capsys.readouterr().err


def test_a_chart_has_the_rows_of_its_table_inside(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders = [{"day": f"2026-01-0{day}", "amount": amount} for day, amount in ((1, 2), (2, 0.5), (1, 1))]
    assert run(["webhook", "test", "--data", json.dumps(orders)]) == 0
    capsys.readouterr()

    assert run(["chart", "by_day"]) == 0
    printed = capsys.readouterr()
    drawn = json.loads(printed.out)
    drawn["data"]["values"].sort(key=lambda row: row["day"])

    assert printed.err == ""
    values = [
        {"day": "2026-01-01", "amount": 3, "odd": "nan"},
        {"day": "2026-01-02", "amount": 0.5, "odd": "nan"},
    ]
    assert drawn == CHART | {"data": {"name": "sums", "values": values}}

    assert run(["chart", "by_day.json", "--limit", "1", "-o", "out.vl.json"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "Wrote out.vl.json\n"
    assert "the newest 1 of 2 rows are drawn (--limit)" in printed.err
    assert len(json.loads((app / "out.vl.json").read_text())["data"]["values"]) == 1


def test_what_cannot_be_drawn_is_said(app: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert error(capsys, "chart", "by_dya") == (
        'error[unknown-chart] No chart has the name "by_dya"; known charts: "by_day"\n'
        '  hint: did you mean "by_day"?\n'
    )
    assert error(capsys, "chart", "by_day", "-o", "by_day.html") == (
        'error[chart-format] "by_day.html" is a picture or a page, and nothing is drawn here\n'
        "  hint: patterns chart by_day -o by_day.vl.json, then draw that: `vl-convert vl2svg`\n"
    )
    assert error(capsys, "chart", "by_day").startswith('error[not-deployed] App "drawn" has not run yet')
    (app / "by_day.json").write_text("{")
    assert "error[syntax-error] by_day.json:1:1" in error(capsys, "chart", "by_day", code=1)
    (app / "by_day.json").unlink()
    assert "by_day.json" in error(capsys, "chart", "by_day", code=1)
