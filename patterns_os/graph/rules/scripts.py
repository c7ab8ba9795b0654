"""Rules about scripts: whether they are there, and what their code does besides using stores."""

import re
import sys
from collections.abc import Iterator
from typing import Final

from patterns_os.diagnostics import Location, did_you_mean, quote
from patterns_os.graph.rules.mending import renamed_in_scripts
from patterns_os.graph.rules.rule import Checked, Finding, Repair
from patterns_os.graph.vertices import Access, Node, NodeKind, Observed

_ENDINGS: Final = (".py", ".sql", ".js", ".mjs", ".ts", ".mts")
_INSTALLED: Final = frozenset({"httpx", "numpy", "openai", "pandas", "patterns", "pydantic", "requests"})
_NAMES: Final = frozenset({"name", "title", "description"})
_USES_SDK: Final = re.compile(rb"^(?:from patterns import|import patterns\b)", re.MULTILINE)


def missing_files(checked: Checked) -> Iterator[Finding]:
    """Each script is in the app folder."""
    known = tuple(path for path in checked.sources if path.endswith(_ENDINGS))
    for node in checked.graph.nodes:
        if node.file is not None and node.file not in checked.sources:
            yield Finding(
                message=f"script {quote(node.file)} does not exist.",
                where=node.places.get("file", node.where),
                known=("known scripts", known),
                hint=did_you_mean(node.file, known),
                subject=node.file,
            )


def rename_file(checked: Checked, finding: Finding) -> Repair | None:
    """Write the name of the file that is there and nearly the same."""
    return renamed_in_scripts(checked, finding, ("file",))


def unlisted_scripts(checked: Checked) -> Iterator[Finding]:
    """Each script that uses the SDK is in the manifest, or is imported by one that is."""
    used = {script.file for script in checked.spec.scripts} | {node.file for node in checked.graph.nodes}
    used |= {file for node in checked.graph.nodes for file in node.analysis.imports}
    for file, content in checked.sources.items():
        is_script = file.endswith(".py") and "/" not in file and not file.startswith(("test_", "conftest"))
        if is_script and file not in used and _USES_SDK.search(content):
            yield Finding(
                message=f'script {quote(file)} uses "patterns", and manifest.json does not list it.',
                where=Location(file=file),
                hint=f"patterns add script {file}",
            )


def scripts_listed_twice(checked: Checked) -> Iterator[Finding]:
    """No script does the same work as two nodes."""
    first: dict[str, str] = {}
    for node in checked.graph.nodes:
        if node.file is None:
            continue
        settings = sorted((key, value) for key, value in node.spec.items() if key not in _NAMES)
        # An app that is included twice works on other tables each time.
        work = repr((node.group, settings))
        other = first.setdefault(work, node.name)
        if other != node.name:
            yield Finding(
                message=f"nodes {quote(other)} and {quote(node.name)} are the same script with the same "
                "settings: everything is done twice.",
                where=node.where,
                hint='remove one of them, or give it other "inputs", "outputs" or "parameters"',
            )


def unresolved_uses(checked: Checked) -> Iterator[Finding]:
    """What a script touches can be told from its text, or its entry declares it."""
    for node in checked.graph.nodes:
        if node.spec.get("inputs") is not None or node.spec.get("outputs") is not None:
            continue
        for unknown in node.analysis.unknown:
            yield Finding(
                message=f"what node {quote(node.name)} touches is not all known: {unknown.reason}.",
                where=unknown.where,
                hint='list what it reads and writes as "inputs" and "outputs" of the script',
            )


def unwritten_outputs(checked: Checked) -> Iterator[Finding]:
    """Each output that a script declares is written, as far as its code tells."""
    for node in checked.graph.nodes:
        if node.kind not in {NodeKind.PYTHON, NodeKind.JAVASCRIPT} or not checked.understands(node):
            continue
        stores = [use for use in node.analysis.uses if use.kind in {"table", "file"}]
        written = {use.name for use in stores if use.access in {Access.WRITE, None}}
        for edge in checked.graph.edges_of(node.name):
            if edge.access is Access.WRITE and edge.port not in written:
                yield Finding(
                    message=f"node {quote(node.name)} declares output {quote(edge.port)} and never "
                    "writes it.",
                    where=edge.where,
                    hint=did_you_mean(edge.port, written),
                )


def effects_without_once(checked: Checked) -> Iterator[Finding]:
    """What a script changes outside is within `once`, so that another try does not do it again."""
    for node, name, where in _observed(checked, Observed.EFFECT):
        yield Finding(
            message=f"node {quote(node.name)} calls {quote(name)}, which changes something outside: "
            "what is tried again is done again.",
            where=where,
            hint=f'once("a-name", lambda: {name}(…)) does it once, however often the record is tried',
        )


def naive_datetimes(checked: Checked) -> Iterator[Finding]:
    """Moments have a time zone."""
    for node, name, where in _observed(checked, Observed.NAIVE_DATETIME):
        yield Finding(
            message=f"node {quote(node.name)} calls {quote(name)}, which gives a moment without a time zone: "
            "what it means depends on the machine.",
            where=where,
            hint="datetime.now(UTC), with `from datetime import UTC, datetime`, has one",
        )


def shadowed_modules(checked: Checked) -> Iterator[Finding]:
    """No file of the app that scripts import has the name of another module that they could mean."""
    nodes = {node.file for node in checked.graph.nodes}
    for file in checked.sources:
        stem = file.removesuffix(".py")
        if stem in _INSTALLED:
            gets, other = f"the app's {quote(file)}", f"the package {quote(stem)}"
            node = next((node for node in checked.graph.nodes if file in node.analysis.imports), None)
        elif stem in sys.stdlib_module_names and stem != file and file not in nodes:
            gets, other = "Python's own module", f"the app's {quote(file)}"
            node = _importer(checked, stem)
        else:
            continue
        if node is not None:
            yield Finding(
                message=f"node {quote(node.name)} imports {quote(stem)} and gets {gets}, not {other}.",
                where=Location(file=file),
                hint=f"rename {quote(file)}",
            )


def repeated_inserts(checked: Checked) -> Iterator[Finding]:
    """A SQL script that inserts reads new rows only, or looks at its own output to leave out the old ones."""
    for node in checked.graph.nodes:
        edges = checked.graph.edges_of(node.name)
        reads = sorted({edge.store for edge in edges if edge.access is Access.READ})
        written = {edge.store for edge in edges if edge.access is Access.WRITE}
        streams = any(edge.access is Access.STREAM for edge in edges)
        others = [table for table in reads if table not in written]
        if node.analysis.statement != "insert" or streams or not reads or (written & set(reads) and others):
            continue
        yield Finding(
            message=f"each run of {quote(node.name)} inserts all rows of {quote(reads[0])} again.",
            where=node.where,
            hint=f'read {{{{ Table("{reads[0]}").new }}}} for the rows that are new, or use a bare select, '
            "which replaces"
            if others
            else "read another table than the one that is written",
        )


def selects_of_own_output(checked: Checked) -> Iterator[Finding]:
    """A select that replaces a table does not read it: what one run makes would depend on the one before."""
    for node in checked.graph.nodes:
        edges = checked.graph.edges_of(node.name) if node.sql_kind == "select" else ()
        written = {edge.store for edge in edges if edge.access is Access.WRITE}
        for edge in edges:
            if edge.access is Access.READ and edge.store in written:
                yield Finding(
                    message=f"node {quote(node.name)} replaces table {quote(edge.store)} by a select that "
                    "reads it: each run builds on the one before.",
                    where=edge.where,
                    hint="read the tables that it is made from, or insert what is new",
                )


def mixed_storages(checked: Checked) -> Iterator[Finding]:
    """All tables of a SQL script are in one storage: one statement runs in one database."""
    databases = checked.configuration.databases if checked.configuration else ()
    default = databases[0].name if databases else ""
    storages = {
        store.name: store.storage or default for store in checked.graph.stores if store.kind == "table"
    }
    for node in checked.graph.nodes:
        tables = sorted({edge.store for edge in checked.graph.edges_of(node.name)})
        used = {storages.get(table, default) for table in tables}
        if node.kind is NodeKind.SQL and len(used) > 1:
            shown = {table: storages.get(table, default) for table in tables}
            named = ", ".join(
                f"{quote(t)} in {quote(s) if s else 'the default one'}" for t, s in shown.items()
            )
            yield Finding(
                message=f"node {quote(node.name)} is one SQL statement over several storages: {named}.",
                where=node.where,
                hint="move the rows with a Python script between them",
            )


def _observed(checked: Checked, kind: Observed) -> Iterator[tuple[Node, str, Location]]:
    for node in checked.graph.nodes:
        for seen in node.analysis.observations:
            if seen.kind is kind:
                yield node, seen.name, seen.where


def _importer(checked: Checked, module: str) -> Node | None:
    """Give a node whose script, or what that imports, imports a module by that name."""
    statement = re.compile(rb"^\s*(?:import|from)\s+%s\b" % module.encode(), re.MULTILINE)
    for node in checked.graph.nodes:
        files = (node.file, *node.analysis.imports) if node.kind is NodeKind.PYTHON else ()
        if any(statement.search(checked.sources.get(file or "", b"")) for file in files):
            return node
    return None
