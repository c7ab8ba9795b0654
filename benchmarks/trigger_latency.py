"""Warm trigger in `patterns dev`: row committed (the server's clock) → first line of the node's code.

Ten nodes, each idle for more than a second before each sample; the commit's time is taken inside the commit
function, before its fsync, so the figure includes it.
"""

import time
import urllib.request

from workbench import QUICK, app_folder, dev, percentile, tell

from patterns_os.adapters.postgres.connect import connect
from patterns_os.composition.running import open_database

NODES, ROUNDS, PORT = 10, 5 if QUICK else 50, 3911
SCRIPT = """import time; started = time.time_ns()
from patterns import Table
for row in Table("in_{n}").as_stream():
    Table("out_{n}", "w").append({{"position": row["patterns_id"], "started": started}})
"""


def main() -> None:
    manifest = {
        "name": "latency",
        "scripts": [{"file": f"node_{n}.py"} for n in range(NODES)],
        "webhooks": [{"title": f"in {n}", "table": f"in_{n}"} for n in range(NODES)],
    }
    files = {f"node_{n}.py": SCRIPT.format(n=n) for n in range(NODES)}
    samples: list[float] = []
    with app_folder(manifest, files) as folder, dev(folder, PORT):
        for n in range(NODES):
            post(n)
        time.sleep(6)
        for _ in range(ROUNDS):
            for n in range(NODES):
                post(n)
                time.sleep(0.12)
            time.sleep(0.3)
        time.sleep(2)
        with open_database(folder) as database, connect(database.conninfo) as connection:
            for n in range(NODES):
                rows = connection.execute(
                    f"select o.started, extract(epoch from c.at) * 1e9 as committed from app_latency.out_{n} o "
                    f"join app_latency_data.in_{n} i on i.patterns_id = o.position "
                    "join patterns_os.tables t on t.name = %s "
                    "join patterns_os.commits c on c.table_id = t.id and c.last = i.patterns_position order by c.last",
                    (f"in_{n}",),
                ).fetchall()
                samples += [(int(row["started"]) - float(row["committed"])) / 1e6 for row in rows[1:]]
    p50, p99 = percentile(samples, 0.5), percentile(samples, 0.99)
    tell(
        f"warm trigger, {len(samples)} samples", f"p50 {p50:.2f} ms, p99 {p99:.2f} ms", "p50 < 5 ms", p50 < 5
    )


def post(n: int) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/in-{n}", data=b'{"a": 1}', method="POST")
    urllib.request.urlopen(request, timeout=10).read()


if __name__ == "__main__":
    main()
