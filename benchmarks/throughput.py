"""Rows a second through one Python node: `for r in t.as_stream(): out.append(r)`, every row exactly once."""

import json
import time

from workbench import QUICK, app_folder, command, tell

from patterns_os.adapters.postgres.connect import connect
from patterns_os.composition.running import open_database

ROWS = 20_000 if QUICK else 100_000
SCRIPT = """from patterns import Table
out = Table("out", "w")
for r in Table("rows").as_stream():
    out.append(r)
"""
SEED = """from patterns import Table
Table("rows", "w").append([{"i": i, "name": f"row {i}", "event": {"text": f"hello {i}"}} for i in range(ROWS)])
""".replace("ROWS", str(ROWS))


def main() -> None:
    manifest = {"name": "throughput", "scripts": [{"file": "seed.py"}]}
    with app_folder(manifest, {"seed.py": SEED, "copy.py": SCRIPT}) as folder:
        command(folder, "trigger", "seed")
        manifest["scripts"].append({"file": "copy.py"})
        (folder / "manifest.json").write_text(json.dumps(manifest))
        began = time.perf_counter()
        ran = json.loads(command(folder, "run", "--json").stdout)
        wall = time.perf_counter() - began
        node = next(view for view in ran if view["node"] == "copy")
        with open_database(folder) as database, connect(database.conninfo) as connection:
            row = connection.execute(
                "select count(*) as n, count(distinct i) as d from app_throughput.out"
            ).fetchone()
    assert (row["n"], row["d"]) == (ROWS, ROWS), row
    rate = ROWS / node["seconds"]
    tell(
        f"{ROWS:,} rows through one Python node",
        f"{rate:,.0f} rows/s ({wall:.1f} s whole command)",
        "40,000 rows/s",
        rate >= 40_000,
    )


if __name__ == "__main__":
    main()
