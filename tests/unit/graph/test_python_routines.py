"""What a script's own functions and classes make of columns."""

from textwrap import dedent

import pytest

from patterns_os.graph.python import analyse_python
from patterns_os.graph.sources import Sources


def flows(source):
    text = "from patterns import Table\nrows = Table('rows')\nout = Table('out', 'w')\n" + dedent(source)
    found = analyse_python("s.py", text.encode(), Sources({}))[0].flows
    return {
        flow.column: (
            ",".join(source.column for source in flow.sources),
            str(flow.derivation),
            flow.type,
            flow.unknown is not None,
        )
        for flow in found
    }


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            """
            from dataclasses import asdict, dataclass, field
            from typing import ClassVar

            @dataclass(frozen=True)
            class Row:
                table: ClassVar[str] = "out"
                id: int
                kind: str = "new"
                tags: list = field(default_factory=list)

            for row in rows:
                out.append(asdict(Row(row["id"])))
            """,
            {
                "id": ("id", "copied", None, False),
                "kind": ("", "constant", "text", False),
                "tags": ("", "computed", None, False),
            },
            id="a data class has the fields that are not given, too",
        ),
        pytest.param(
            """
            class Row:
                kind: str = "new"

                def __init__(self, row):
                    self.id = row["id"]

            for row in rows:
                out.append(vars(Row(row)))
            """,
            {"id": ("id", "copied", None, False)},
            id="another class has what is set",
        ),
        pytest.param(
            """
            from pydantic import BaseModel

            class Row(BaseModel):
                model_config: dict = {}
                id: int
                name: str
                score: float | None = None
                kind: str = "new"

            for row in rows:
                out.append(Row(id=row["id"], name=row["name"], score="1").model_dump())
            """,
            {
                "id": ("id", "computed", "bigint", False),
                "name": ("name", "computed", "text", False),
                "score": ("", "computed", None, False),
                "kind": ("", "constant", "text", False),
            },
            id="a pydantic model turns what it is given into the types of its fields",
        ),
        pytest.param(
            """
            from pydantic import BaseModel, Field

            class Row(BaseModel):
                id: int
                label: str = Field(alias="x")

            for row in rows:
                out.append(Row(id=1, x=row["x"]).model_dump())
            """,
            {"id": ("", "constant", "bigint", False), "label": ("", "computed", None, True)},
            id="a pydantic model may take a field under another name",
        ),
        pytest.param(
            """
            from pydantic import BaseModel

            class Row(BaseModel):
                id: int

            for row in rows:
                out.append(Row(id=row["id"]).model_dump(exclude_none=True))
            """,
            {"*": ("", "computed", None, True)},
            id="what options leave out is not known",
        ),
    ],
)
def test_follows_objects_that_become_rows(source, expected):
    assert flows(source) == expected


def test_a_name_of_a_table_in_a_pydantic_model_is_known():
    text = """
    from patterns import Table
    from pydantic_settings import BaseSettings

    class Settings(BaseSettings):
        source: str = "rows"
        target: str

    settings = Settings(target="out")
    Table(settings.target, "w").append(Table(settings.source).read())
    """
    found = analyse_python("s.py", dedent(text).encode(), Sources({}))[0]
    assert {use.name for use in found.uses} == {"rows", "out"}
    assert found.unknown == ()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(
            """
            from collections import defaultdict
            totals = defaultdict(int)
            for row in rows:
                totals[row["key"]] += row["n"]
            out.append([{"key": key, "total": total} for key, total in totals.items()])
            """,
            {"key": ("key,n", "computed", None, False), "total": ("key,n", "computed", None, False)},
            id="items that are set",
        ),
        pytest.param(
            """
            from collections import OrderedDict
            groups = OrderedDict()
            for row in rows:
                groups.setdefault(row["key"], []).append(row["n"])
            out.append({"sums": [sum(group) for group in groups.values()]})
            """,
            {"sums": ("key,n", "computed", "jsonb", False)},
            id="what a method gives, which is changed",
        ),
        pytest.param(
            """
            import hashlib
            for row in rows:
                made = hashlib.sha256()
                made.update(row["text"].encode())
                out.append({"hash": made.hexdigest()})
            """,
            {"hash": ("text", "computed", "text", False)},
            id="methods that keep what they get",
        ),
        pytest.param(
            """
            import statistics_of_mine
            seen = statistics_of_mine.Summary()
            def look_at(row):
                seen.observe(row["n"])
            for row in rows:
                look_at(row)
            out.append({"mean": seen.mean()})
            """,
            {"mean": ("n", "computed", None, False)},
            id="methods that are called for what they change",
        ),
        pytest.param(
            """
            import csv, io
            buffer = io.StringIO()
            writer = csv.writer(buffer)
            for row in rows:
                writer.writerow([row["id"]])
            out.append({"text": buffer.getvalue()})
            """,
            {"text": ("", "computed", None, True)},
            id="what something else goes on to change",
        ),
        pytest.param(
            """
            import asyncio
            async def produce(queue):
                for row in rows:
                    await queue.put(row["x"])
            async def main():
                queue = asyncio.Queue()
                await produce(queue)
                out.append({"x": await queue.get()})
            asyncio.run(main())
            """,
            {"x": ("x", "computed", None, False)},
            id="what a function puts into an object that it is given",
        ),
        pytest.param(
            """
            import types
            last = types.SimpleNamespace()
            for row in rows:
                last.id = row["id"]
            out.append({"id": last.id})
            """,
            {"id": ("id", "computed", None, False)},
            id="attributes that are set",
        ),
        pytest.param(
            """
            import requests
            session = requests.Session()
            for row in rows:
                answer = session.get(row["url"])
                answer.raise_for_status()
                out.append({"id": row["id"], "text": answer.text})
            """,
            {"id": ("id", "copied", None, False), "text": ("url", "computed", None, False)},
            id="clients keep nothing",
        ),
        pytest.param(
            """
            import jinja2
            for row in rows:
                out.append({"text": jinja2.Template("hi").render(**row)})
            """,
            {"text": ("*", "computed", None, False)},
            id="arguments that are unpacked",
        ),
    ],
)
def test_objects_from_elsewhere_hold_what_they_are_given(source, expected):
    assert flows(source) == expected


def test_what_an_exception_says_may_come_from_any_column():
    source = """
        for row in rows:
            try:
                out.append({"n": float(row["text"])})
            except ValueError as error:
                out.append({"error": str(error)})
        """
    assert flows(source)["error"] == ("", "computed", None, True)
