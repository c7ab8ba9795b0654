"""Mutates real SQL and looks that its analysis and the tracing of its columns always end and never raise.

    python tests/fuzz/fuzz_sql.py --seed 1 --cases 10000 --corpus FOLDER

The corpus is read when it runs: the SQL of the app templates and examples, statements that are written here, and
with `--corpus` the texts of all `.sql` files below a folder, one for each semicolon. What fails is printed with its
seed and number, and written next to it if `--keep FOLDER` is given.
"""

import argparse
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from patterns_os.diagnostics import Diagnostic
from patterns_os.graph.sql import DIALECTS, analyse_sql
from patterns_os.graph.sql_columns import _traced, trace_sql
from patterns_os.graph.sql_scopes import TooMuchError

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 12_000
SLOWEST_S = 10.0
SHAPES = {
    "orders": {"id": "bigint", "customer": "bigint", "amount": "numeric", "at": "timestamptz", "b": "text"},
    "customers": {"id": "bigint", "name": "text", "active": "bool", "document": "jsonb", "a": None},
    "t": {"a": "bigint", "b": "text"},
    "lineitem": None,
}
STATEMENTS = (
    """with recursive r(n, m) as (select 1, a from t union all select n + 1, m from r where n < 3)
    select * from r""",
    """select o.*, c.name, row_number() over w from orders o left join customers c using (id) window w
    as (order by at)""",
    """select e.key, e.value ->> 'x', x.a, s from customers, jsonb_each(document) e,
    jsonb_to_recordset(document) as x(a int), generate_series(1, 3) s, unnest(array[1]) with
    ordinality u(v, i)""",
    """insert into sums (a, b) select a, count(*) from t group by 1 on conflict (a) do update set b =
    excluded.b where sums.b > 1 returning a, old.b, new.*""",
    """update sums s set (a, b) = (select a, b from t), c['x'] = 1, d = default from orders o where
    o.id = s.id""",
    """merge into sums s using (select * from t) x on x.a = s.a when matched and x.a > 1 then update
    set b = x.b when not matched then insert (a, b) values (x.a, default) when not matched by source
    then delete""",
    """with gone as (delete from t using orders o where o.id = t.a returning t.*) select a from gone""",
    """select a from t union select id from orders except (select customer from orders intersect select
    1) order by 1""",
    """select (t).a, (t).*, t, t.*, row_to_json(t), array(select a from t), (select max(a) from t x
    where x.a = t.a) from t""",
    """select * from (t natural join orders) j cross join lateral (values (1, j.a), (2, null)) v(x, y)""",
    """create table sums as select case when a > 1 then b else 'x' end::text collate "C" as x from t
    group by rollup (a)""",
    """select percentile_cont(0.5) within group (order by amount) filter (where b is not null),
    sum(distinct amount) from orders having count(*) > 1""",
    """{% if Parameter('p', default=1) == 1 %}select * from {{ Table('orders') }}{% else %}select 1
    from {{ Table('t').new }}{% endif %}""",
    """{% for name in ['a', 'b'] %}select {{ name }} from {{ Table(name) }}{% if not loop.last %} union
    all {% endif %}{% endfor %}""",
    """select * from orders as o(p, q), t pivot (sum(a) for b in ('x', 'y')) tablesample system (1) for
    update of o""",
    """select x -> 1, list_transform(l, x -> x + 1), s.a.b.c, * exclude (a), * replace (1 as b) from t,
    a.b.c.d""",
)


def corpus(folder: Path | None = None) -> list[str]:
    """Give the statements to begin with, the smaller ones of the folder only."""
    own = [*(ROOT / "patterns_os" / "templates").rglob("*.sql"), *(ROOT / "examples").rglob("*.sql")]
    found = [*STATEMENTS, *(path.read_text() for path in sorted(own))]
    for path in sorted(folder.rglob("*.sql")) if folder is not None else ():
        found += path.read_text().split(";")
    return [text for text in found if 0 < len(text) < LARGEST]


def mutated(source: str, others: list[str], chance: random.Random) -> str:
    """Give the source after one to four random changes."""
    for _ in range(chance.randint(1, 4)):
        source = chance.choice(CHANGES)(source, others, chance)
    return source[: 2 * LARGEST]


def check(source: str, dialect: str) -> str | None:
    """Give what is wrong with the analysis of the source, or `None`."""
    start = time.perf_counter()
    try:
        script = analyse_sql("q.sql", source.encode("utf-8", "surrogatepass"), {}, {}, dialect)
        if script.traced is not None:
            _follow(script.traced)
        if not script.diagnostics and script.traced is None:
            return "it is right, and cannot be traced"
        if any(not isinstance(found, Diagnostic) for found in script.diagnostics):
            return "what is wrong is no diagnostic"
    except Exception:  # noqa: BLE001 - anything that escapes is what is looked for
        return traceback.format_exc()
    elapsed = time.perf_counter() - start
    return f"took {elapsed:.1f} s" if elapsed > SLOWEST_S else None


def _follow(traced: object) -> None:
    for shapes in ({}, SHAPES):
        try:
            # Without the net that turns a fault of ours into an unknown.
            _traced(traced, shapes)
        except (TooMuchError, RecursionError):
            if not any(flow.unknown for flow in trace_sql(traced, shapes).flows):
                raise


def faults(seed: int, cases: int, folder: Path | None = None) -> Iterator[tuple[int, str, str, str]]:
    """Give the number, the dialect, the source and the fault of each case that fails."""
    texts = corpus(folder)
    dialects = sorted(DIALECTS)
    for number in range(cases):
        chance = random.Random(f"{seed}/{number}")
        source = mutated(chance.choice(texts), texts, chance)
        dialect = "postgres" if chance.random() < 2 / 3 else chance.choice(dialects)
        fault = check(source, dialect)
        if fault is not None:
            yield number, dialect, source, fault


def main() -> int:
    """Run as asked for on the command line; 1 if anything fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--corpus", type=Path, help="folder with further .sql files")
    parser.add_argument("--keep", type=Path, help="folder for the sources that fail")
    arguments = parser.parse_args()
    start, failed = time.perf_counter(), 0
    for number, dialect, source, fault in faults(arguments.seed, arguments.cases, arguments.corpus):
        failed += 1
        sys.stdout.write(f"seed {arguments.seed}, case {number}, {dialect}:\n{source}\n{fault}\n")
        if arguments.keep:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            (arguments.keep / f"{arguments.seed}-{number}.sql").write_text(source)
    elapsed = time.perf_counter() - start
    texts = len(corpus(arguments.corpus))
    sys.stdout.write(
        f"{arguments.cases} cases of {texts} texts, seed {arguments.seed}: {failed} fail, {elapsed:.0f} s\n"
    )
    return 1 if failed else 0


def _words(source: str) -> list[str]:
    return re.findall(r"\w+|\s+|[^\w\s]", source)


def _drop_words(source: str, others: list[str], chance: random.Random) -> str:
    words = _words(source)
    start = chance.randrange(len(words) + 1)
    return "".join([*words[:start], *words[start + chance.randint(1, 6) :]])


def _swap_words(source: str, others: list[str], chance: random.Random) -> str:
    words = _words(source) or [""]
    first, second = chance.randrange(len(words)), chance.randrange(len(words))
    words[first], words[second] = words[second], words[first]
    return "".join(words)


def _repeat_words(source: str, others: list[str], chance: random.Random) -> str:
    words = _words(source)
    start = chance.randrange(len(words) + 1)
    part = words[start : start + chance.randint(1, 20)]
    return "".join([*words[:start], *part * chance.randint(2, 5), *words[start:]])


def _splice(source: str, others: list[str], chance: random.Random) -> str:
    words, other = _words(source), _words(chance.choice(others))
    start, begin = chance.randrange(len(words) + 1), chance.randrange(len(other) + 1)
    end = start + chance.randint(0, 10)
    return "".join([*words[:start], *other[begin : begin + chance.randint(1, 30)], *words[end:]])


def _nest(source: str, others: list[str], chance: random.Random) -> str:
    head, tail = chance.choice(
        (
            ("select * from (", ") as nested"),
            ("with q as (", ") select * from q, q as r"),
            ("(", ") union all select 1, 2"),
            ("select exists (", ")"),
            ("insert into sums ", " returning *"),
            ("with recursive q(a, b) as (", " union all select b, a from q) select * from q"),
            ("select x.* from t, lateral (", ") x(a)"),
        )
    )
    return f"{head}{source}{tail}"


def _rename(source: str, others: list[str], chance: random.Random) -> str:
    words = [word for word in _words(source) if word.isidentifier()]
    return source.replace(chance.choice(words), chance.choice(words)) if words else source


def _noise(source: str, others: list[str], chance: random.Random) -> str:
    place = chance.randrange(len(source) + 1)
    noise = "".join(
        chance.choice("'\"`(),;.*:{}[]%$-/\\\n\t0aé€\x00\ud800") for _ in range(chance.randint(1, 4))
    )
    return source[:place] + noise + source[place + chance.randint(0, 4) :]


CHANGES: tuple[Callable[[str, list[str], random.Random], str], ...] = (
    _drop_words,
    _swap_words,
    _repeat_words,
    _splice,
    _splice,
    _nest,
    _nest,
    _rename,
    _rename,
    _rename,
    _rename,
    _nest,
    _nest,
    _noise,
)

if __name__ == "__main__":
    sys.exit(main())
