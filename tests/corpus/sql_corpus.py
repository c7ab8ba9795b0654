"""Real SQL that others wrote: the fixtures in sqlglot's source distribution, downloaded when they are needed.

Nothing of it is kept in the repository. What is found in it is compared with `pglast`, which is Postgres' own
grammar; statements of other dialects that it does not take are read by their words.
"""

import ast
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pglast
from pglast import ast as tree

DIALECTS = {
    "athena", "bigquery", "clickhouse", "databricks", "doris", "duckdb", "exasol", "hive", "mysql", "oracle",
    "postgres", "presto", "redshift", "risingwave", "snowflake", "spark", "sqlite", "starrocks", "trino", "tsql",
}  # fmt: skip
BEGINNING = re.compile(r"\s*(with|select|insert|update|delete|merge|values|create\s+table|\()", re.IGNORECASE)
TIMEOUT_S = 300
QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|["`'](\w+)["`']|"[^"]*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)
QUERY = re.compile(r"\bwith\s+(?:recursive\s+)?(\w+)|,\s*(\w+)\s*(?:\([^()]*\)\s*)?as\b|\)\s*as\s+(\w+)")
PLAIN_TABLE = re.compile(
    r"\b(?:select\b[^()]*?\bfrom|join)\s+([a-z_]\w*)(?!\s*[.(\w!@:$-])\s*(?:$|[,;)]|(?:where|group|order)\b)"
)

Table = tuple[str | None, str]
"""Schema and name."""


class UnreachableError(Exception):
    """The package registry does not give the source distribution."""


@dataclass(frozen=True)
class Corpus:
    """The unpacked fixtures."""

    folder: Path

    def queries(self, name: str) -> list[str]:
        """Give the queries of a benchmark: `tpc-h` or `tpc-ds`."""
        text = (self.folder / "fixtures" / "optimizer" / name / f"{name}.sql").read_text()
        statements = _without_comments(text).split(";")
        # Each query is followed by what the optimizer makes of it.
        return [statement.strip() for statement in statements[: len(statements) - 1 : 2]]

    def schema(self, name: str) -> dict[str, dict[str, str]]:
        """Give the types of the columns by table: `TPCH_SCHEMA` or `TPCDS_SCHEMA`."""
        for node in ast.parse((self.folder / "helpers.py").read_text()).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
                return ast.literal_eval(node.value)
        raise AssertionError(name)

    def statements(self) -> list[tuple[str, str]]:
        """Give dialect and text of all statements in the dialect fixtures, once each."""
        found = [
            ("postgres", line)
            for line in (self.folder / "fixtures" / "identity.sql").read_text().splitlines()
        ]
        for path in sorted((self.folder / "dialects").glob("test_*.py")):
            dialect = path.stem.removeprefix("test_")
            known = dialect if dialect in DIALECTS else "postgres"
            nodes = ast.walk(ast.parse(path.read_text()))
            constants = (node.value for node in nodes if isinstance(node, ast.Constant))
            found += [(known, value) for value in constants if isinstance(value, str)]
        return [(dialect, text) for dialect, text in dict.fromkeys(found) if BEGINNING.match(text)]


def fetch_corpus(cache: Path) -> Corpus:
    """Give the fixtures of the installed version, from the cache or else from the package registry.

    Raises:
        UnreachableError: They cannot be had.
    """
    name = f"sqlglot-{version('sqlglot')}"
    folder = cache / name / "tests"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as made:
            _download(Path(made), name)
            try:
                (Path(made) / name).rename(cache / name)
            except OSError:
                # Tests that run side by side may fetch it at once: the first one's is as good.
                if not folder.is_dir():
                    raise
    return Corpus(folder)


def _download(folder: Path, name: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--quiet"]
    try:
        done = subprocess.run(
            [*command, name.replace("-", "==", 1)],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(f"pip took longer than {TIMEOUT_S} s to download {name}") from error
    archive = folder / f"{name}.tar.gz"
    if not archive.is_file():
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise UnreachableError(f"pip does not download {name}: {last[0]}")
    with tarfile.open(archive) as files:
        wanted = [file for file in files.getmembers() if file.name.startswith(f"{name}/tests/")]
        # The first patches of Python 3.11 know no filters; the archive is the registry's, and only tests go out.
        if hasattr(tarfile, "data_filter"):
            files.extractall(folder, wanted, filter="data")
        else:
            files.extractall(folder, wanted)


def postgres_tables(text: str) -> set[Table] | None:
    """Give the tables of the statements as Postgres' own grammar sees them, `None` where it refuses them."""
    try:
        statements = pglast.parse_sql(text)
    except pglast.parser.ParseError:
        return None
    found: set[Table] = set()
    for statement in statements:
        _collect(statement.stmt, frozenset(), found)
    return found


def _collect(node: object, queries: frozenset[str], found: set[Table]) -> None:
    if isinstance(node, tuple):
        for part in node:
            _collect(part, queries, found)
    if not isinstance(node, tree.Node):
        return
    clause = getattr(node, "withClause", None)
    if clause is not None:
        seen = queries | ({query.ctename for query in clause.ctes} if clause.recursive else set())
        for query in clause.ctes:
            _collect(query.ctequery, seen, found)
            seen |= {query.ctename}
        queries = seen
    if isinstance(node, tree.RangeVar) and (node.schemaname or node.relname not in queries):
        found.add((node.schemaname, node.relname))
    for part in node:
        # What is changed is a table, whatever queries are called.
        is_target = part == "relation" and isinstance(node, CHANGES)
        if part != "withClause":
            _collect(getattr(node, part), frozenset() if is_target else queries, found)


def worded_tables(text: str) -> set[str]:
    """Give plain names that stand behind `from` and `join`, in lower case: a part of the tables, by words only."""
    bare = QUOTED.sub(lambda found: found[1] or "''", text).lower()
    bare = re.sub(r"\bis\s+(not\s+)?distinct\s+from\b|\barray\s+join\b[^()]*", "=", bare)
    queries = {name for names in QUERY.findall(bare) for name in names}
    return set(PLAIN_TABLE.findall(bare)) - queries - NO_TABLES


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if line and not line.startswith(("--", "#")))


CHANGES = (tree.InsertStmt, tree.UpdateStmt, tree.DeleteStmt, tree.MergeStmt)
NO_TABLES = {
    "lateral",
    "unnest",
    "only",
    "table",
    "select",
    "values",
    "dual",
    "each",
    "natural",
    "left",
    "inner",
}
