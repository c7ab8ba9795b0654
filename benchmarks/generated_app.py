"""A made-up app of any size: Python, SQL and JavaScript nodes over as many tables, the same for the same seed."""

import json
import random
from pathlib import Path

COLUMNS = ("id", "customer", "amount", "quantity", "city", "note", "score", "status")
TYPES = ("bigint", "text", "double", "bigint", "text", "text", "double", "text")
SOURCES = 20

PYTHON = '''"""Turn the rows of {source} into those of {target}."""

import json
from datetime import datetime, timezone

from patterns import Parameter, State, Table

rows = Table("{source}")
out = Table("{target}", "w")
limit = Parameter("limit", type=int, default={number})
state = State()


def describe(row):
    """Say in one line what the row is."""
    name = row.get("customer") or "nobody"
    return f"{{name}} bought {{row['quantity']}} for {{row['amount']}}"


def score(row):
    if row["amount"] > limit:
        return 1.0
    return row["amount"] / limit


seen = state.get_value("seen", 0)
for row in rows.as_stream():
    seen += 1
    record = {{
        "id": row["id"],
        "customer": row["customer"],
        "amount": row["amount"] * {number},
        "quantity": row["quantity"],
        "city": row["city"].strip(),
        "note": describe(row),
        "score": score(row),
        "status": "done",
    }}
    out.append(record)
state.set_value("seen", seen)
'''

SQL = """-- What {source} and {other} have in common.
with recent as (
    select id, customer, amount, quantity, city, score
    from {{{{ Table("{source}") }}}}
    where amount > {number} and status <> 'gone'
), totals as (
    select t.customer, sum(t.amount) as amount, count(*) as quantity, max(t.note) as note
    from {{{{ Table("{other}") }}}} as t
    group by t.customer
)
select
    r.id,
    r.customer,
    coalesce(t.amount, 0) + r.amount as amount,
    t.quantity,
    upper(r.city) as city,
    t.note,
    r.score * {number} as score,
    case when r.score > 1 then 'high' else 'low' end as status
from recent r
left join totals t on t.customer = r.customer
"""

JAVASCRIPT = """import {{ Table }} from "patterns";

const rows = new Table("{source}");
const out = new Table("{target}", "w");

for await (const row of rows.asStream()) {{
  const amount = row.amount * {number};
  await out.append({{
    id: row.id,
    customer: row.customer,
    amount,
    quantity: row.quantity,
    city: row.city,
    note: `${{row.note}} of ${{row.city}}`,
    score: row.score,
    status: "done",
  }});
}}
"""


def generate(folder: Path, nodes: int, seed: int = 1) -> None:
    """Write an app of that many nodes and tables: 60 % Python, 30 % SQL with two CTEs, 10 % JavaScript.

    Each node reads tables of nodes before it, most of them near, so that the graph is wide and deep.
    """
    chosen = random.Random(seed)
    scripts, stores = [], []
    for number in range(SOURCES):
        schema = dict(zip(COLUMNS, TYPES, strict=True))
        stores.append({"table": f"source_{number:05}", "schema": schema})
    tables = [store["table"] for store in stores]
    for number in range(nodes):
        source, other = (chosen.choice(tables[-200:]) for _ in range(2))
        if number < SOURCES:
            source = tables[number]
        target = f"table_{number:05}"
        kind, template = _kind(number)
        text = template.format(source=source, other=other, target=target, number=chosen.randint(2, 99))
        file = f"nodes/{number // 100:03}/node_{number:05}.{kind}"
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        scripts.append({"file": file} | ({"outputs": [target]} if kind == "sql" else {}))
        stores.append({"table": target})
        tables.append(target)
    manifest = {"name": "generated", "scripts": scripts, "stores": stores}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")


def _kind(number: int) -> tuple[str, str]:
    place = number % 10
    if place < 6:
        return "py", PYTHON
    return ("sql", SQL) if place < 9 else ("js", JAVASCRIPT)
