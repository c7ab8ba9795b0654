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
