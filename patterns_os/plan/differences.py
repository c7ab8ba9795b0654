"""What differs between two versions of one part of a plan, each difference with its reason.

Every field of a part is compared: a field without words of its own is told by its name. So two plans of
different bytes never look alike.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from patterns_os.diagnostics import quote
from patterns_os.plan.meaning import same_meaning
from patterns_os.plan.spec import (
    PlannedChart,
    PlannedInput,
    PlannedModel,
    PlannedNode,
    PlannedOutput,
    PlannedTable,
    PlannedWebhook,
    PlanPart,
)
from patterns_os.plan.statements import added_columns

Contents = Mapping[str, bytes]
"""Bytes of source files by their hash; a file that is not there can't be proven to be formatted only."""

LOOKS = "formatting"
"""The reason of a change that changes no behaviour."""

ADDS = "adds-columns"
"""The reason of new code that leaves rows and columns as they are, and adds columns."""

TUNING = frozenset(
    {LOOKS, ADDS, "name", "retries", "timeout", "on-error", "isolation", "start", "trigger", "title"}
)
"""Reasons that leave alone what is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One difference.

    Attributes:
        why: Its reason in one stable word: `code`, `import`, `parameter`, `runtime`, `trigger`, `column`, …
        text: The same for people.
        table: The table whose readers it concerns, if any.
        column: The column, where it is one.
        harms: Whom it takes something from, a column, a type, a promise: `readers` or `writers` of the table.
        breaks: Who is known to rely on that; filled where readers are known.
        may_break: Who may.
    """

    why: str
    text: str
    table: str | None = None
    column: str | None = None
    harms: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    may_break: tuple[str, ...] = ()

    @property
    def is_breaking(self) -> bool:
        """Whether somebody loses what they rely on, or may."""
        return bool(self.breaks or self.may_break)

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "why": self.why,
            "text": self.text,
            "table": self.table,
            "column": self.column,
            "breaking": self.is_breaking,
            "breaks": list(self.breaks),
            "may_break": list(self.may_break),
        }


def node_details(before: PlannedNode, after: PlannedNode, contents: Contents) -> Iterator[Detail]:
    """Give what differs between two versions of a node."""
    files = list(_source_details(before, after, contents))
    yield from _with_additions(before, after, files)
    yield from _runtime_details(before.runtime, after.runtime)
    yield from _value_details("parameter", before.parameters, after.parameters)
    yield from _trigger_details(before, after)
    yield from _input_details(before, after)
    yield from _output_details(before, after)
    yield from _name_details("file", set(before.files.items()), set(after.files.items()))
    yield from _name_details("secret", set(before.secrets), set(after.secrets))
    yield from _name_details("model", set(before.models), set(after.models))
    for field, why in _SETTINGS.items():
        yield from _plain(why, field.removesuffix("_s"), getattr(before, field), getattr(after, field))
    if before.sql != after.sql and not files:
        yield Detail(why="code", text="the statement is rendered differently")
    yield from _others(before, after, _NODE_FIELDS)


def table_details(before: PlannedTable, after: PlannedTable) -> Iterator[Detail]:
    """Give what differs between two versions of a table."""
    old, new = _fields(before), _fields(after)
    for name in sorted(old.keys() | new.keys()):
        yield from _column_details(after.name, name, old.get(name), new.get(name))
    yield from _casting_details(before, after)
    if before.unique_on != after.unique_on:
        text = f"unique_on: {_listed(before.unique_on)} → {_listed(after.unique_on)}"
        yield Detail(why="key", text=text, table=after.name)
    yield from _plain("storage", "storage", before.storage, after.storage)
    if _json(before.retention) != _json(after.retention):
        text = f"retention: {_kept(before.retention)} → {_kept(after.retention)}"
        yield Detail(why="retention", text=text, table=after.name)
    if not _is_told(before.row_schema, after.row_schema):
        yield Detail(why="schema", text="what is declared of its rows is written differently")
    yield from _others(before, after, _TABLE_FIELDS)


def webhook_details(before: PlannedWebhook, after: PlannedWebhook) -> Iterator[Detail]:
    """Give what differs between two versions of a webhook."""
    if before.path != after.path:
        yield Detail(why="path", text=f"path: {before.path} → {after.path}", breaks=(SENDERS,))
    yield from _plain("title", "title", before.title, after.title)
    yield from _plain("table", "table", before.table, after.table)
    if before.verify != after.verify:
        breaks = (SENDERS,) if after.verify else ()
        text = "how senders are verified" if after.verify else "senders are no longer verified"
        yield Detail(why="verify", text=text, breaks=breaks)
    if before.respond != after.respond:
        yield Detail(why="respond", text="what senders are answered")
    if before.dedupe != after.dedupe:
        yield Detail(why="dedupe", text="what tells that a delivery came before")
    yield from _plain("limit", "max_body_bytes", before.max_body_bytes, after.max_body_bytes)
    yield from _plain("limit", "rate", before.rate, after.rate)
    yield from _others(before, after, _WEBHOOK_FIELDS)


def model_details(before: PlannedModel, after: PlannedModel) -> Iterator[Detail]:
    """Give what differs between two versions of a model. Addresses and options may hold keys: not shown."""
    for field in ("type", "provider", "model", "secret"):
        yield from _plain(field, field, getattr(before, field), getattr(after, field))
    if before.endpoint != after.endpoint:
        yield Detail(why="endpoint", text="another endpoint")
    changed = sorted(_differing(before.options, after.options))
    if changed:
        yield Detail(why="options", text=f"options: {_quoted(changed)}")
    yield from _others(before, after, _MODEL_FIELDS)


def chart_details(before: PlannedChart, after: PlannedChart, contents: Contents) -> Iterator[Detail]:
    """Give what differs between two versions of a chart."""
    yield from _plain("file", "file", before.file, after.file)
    if before.content != after.content:
        yield _source_detail(after.file, before.content, after.content, contents, is_script=True)
    yield from _plain("table", "table", before.table, after.table)
    yield from _plain("title", "title", before.title, after.title)
    yield from _others(before, after, _CHART_FIELDS)


def part_details(before: PlanPart, after: PlanPart) -> Iterator[Detail]:
    """Give what differs between two versions of a part that has no words of its own."""
    yield from _others(before, after, frozenset())


def declared_columns(table: PlannedTable) -> dict[str, str]:
    """Give name → `type` or `type not null` of each declared column."""
    return {name: _shown(entry) for name, entry in _fields(table).items()}


READERS = ("readers",)
WRITERS = ("writers",)
SENDERS = "senders outside"
"""Who relies on a webhook, in the place of a node's name."""

_SETTINGS = {
    "retries": "retries",
    "timeout_s": "timeout",
    "on_error": "on-error",
    "start": "start",
    "isolation": "isolation",
    "kind": "kind",
    "sql_kind": "kind",
}
_NODE_FIELDS = frozenset(
    {
        "name",
        "file",
        "content",
        "inputs",
        "outputs",
        "files",
        "when",
        "cron",
        "manual",
        "parameters",
        "secrets",
    }
    | {"models", "sql", "sources", "runtime", *_SETTINGS}
)
_TABLE_FIELDS = frozenset({"name", "columns", "row_schema", "unique_on", "storage", "retention"})
_WEBHOOK_FIELDS = frozenset(PlannedWebhook.model_fields)
_CHART_FIELDS = frozenset(PlannedChart.model_fields)
_MODEL_FIELDS = frozenset(PlannedModel.model_fields)


def _source_details(before: PlannedNode, after: PlannedNode, contents: Contents) -> Iterator[Detail]:
    old = {source.path: source.content for source in before.sources}
    new = {source.path: source.content for source in after.sources}
    if before.file != after.file:
        yield Detail(why="file", text=f"file: {before.file} → {after.file}")
        if old.get(before.file) == new.get(after.file):
            old, new = dict(old), dict(new)
            old.pop(before.file, None)
            new.pop(after.file, None)
    if before.content != after.content and not (before.sources and after.sources):
        yield Detail(why="code", text=f"code: {after.file}")
        return
    for path in sorted(_differing(old, new), key=lambda path: (path != after.file, path)):
        yield _source_detail(path, old.get(path), new.get(path), contents, is_script=path == after.file)


def _source_detail(
    path: str, before: str | None, after: str | None, contents: Contents, *, is_script: bool
) -> Detail:
    old, new = contents.get(before or ""), contents.get(after or "")
    if old is not None and new is not None and same_meaning(path, old, new):
        return Detail(why=LOOKS, text=f"formatting only: {path}")
    if is_script or (before and not after and not path.endswith(".py")):
        return Detail(why="code", text=f"code: {path}")
    how = "imports" if before is None else "no longer imports" if after is None else "imported module:"
    return Detail(why="import", text=f"{how} {path}")


def _with_additions(before: PlannedNode, after: PlannedNode, files: list[Detail]) -> Iterator[Detail]:
    """Give the details of files; new code that only adds columns is told apart."""
    is_select = before.sql_kind == after.sql_kind == "select" and before.parameters == after.parameters
    for detail in files:
        added = added_columns(before.sql, after.sql) if is_select and detail.why == "code" else ()
        if added:
            text = f"{detail.text}, which only adds {_quoted(added)}"
            yield Detail(why=ADDS, text=text)
        else:
            yield detail


def _runtime_details(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Detail]:
    if _json(before) == _json(after):
        return
    old, new = before or {}, after or {}
    base = ("image", "dockerfile", "requirements")
    shown = [next((str(one[key]) for key in base if one.get(key)), "default") for one in (old, new)]
    if old.get("name") != new.get("name"):
        names = f"{old.get('name', 'default')} → {new.get('name', 'default')}"
        yield Detail(why="runtime", text=f"runtime: {names}")
    elif shown[0] != shown[1]:
        yield Detail(why="runtime", text=f"runtime {quote(str(new.get('name')))}: {shown[0]} → {shown[1]}")
    else:
        yield Detail(why="runtime", text=f"runtime {quote(str(new.get('name')))}: {shown[1]} has changed")


def _trigger_details(before: PlannedNode, after: PlannedNode) -> Iterator[Detail]:
    old, new = _trigger(before), _trigger(after)
    if old != new:
        yield Detail(why="trigger", text=f"trigger: {old} → {new}")
    elif before.manual != after.manual:
        yield Detail(why="trigger", text="runs only when asked" if after.manual else "runs by itself")


def _trigger(node: PlannedNode) -> str:
    """Give what makes a node run, in a few words."""
    if node.cron is not None:
        zone = "" if node.cron.timezone == "UTC" else f" {node.cron.timezone}"
        rules = "" if node.cron.catchup == "last" else f', catchup "{node.cron.catchup}"'
        rules += "" if node.cron.overlap == "queue" else f', overlap "{node.cron.overlap}"'
        return f"cron {node.cron.expression}{zone}{rules}"
    tables = sorted({given.table for given in node.inputs if given.triggering})
    if not tables:
        return "manual"
    joint = " and " if node.when == "all" else " or "
    return f"new rows in {joint.join(tables)}"


def _input_details(before: PlannedNode, after: PlannedNode) -> Iterator[Detail]:
    old, new = _ports(before.inputs), _ports(after.inputs)
    for table in sorted(old.keys() | new.keys()):
        was, now = old.get(table), new.get(table)
        if was is None or now is None:
            verb = "reads" if was is None else "no longer reads"
            yield Detail(why="input", text=f"{verb} table {quote(table)}", table=table)
        elif was != now:
            yield Detail(why="input", text=f"table {quote(table)}: {was} → {now}", table=table)


def _ports(inputs: Iterable[PlannedInput]) -> dict[str, str]:
    """Give how each table is read: `stream`, `read`, under which name where that is another one."""
    found: dict[str, list[str]] = {}
    for given in inputs:
        name = "" if given.port == given.table else f" as {given.port}"
        found.setdefault(given.table, []).append(f"{given.access}{name}")
    return {table: " and ".join(sorted(ways)) for table, ways in found.items()}


def _output_details(before: PlannedNode, after: PlannedNode) -> Iterator[Detail]:
    old = {(given.table, given.port): given for given in before.outputs}
    new = {(given.table, given.port): given for given in after.outputs}
    for key in sorted(old.keys() | new.keys()):
        table, port = key
        shown = quote(table) if table == port else f"{quote(table)} (as {port})"
        if key not in old:
            yield Detail(why="output", text=f"writes table {shown}", table=table)
        elif key not in new:
            yield Detail(why="output", text=f"no longer writes table {shown}", table=table, harms=READERS)
        else:
            yield from _given_details(old[key], new[key])


def _given_details(before: PlannedOutput, after: PlannedOutput) -> Iterator[Detail]:
    """Compare the columns that the text proves; where one version hides them, that is told if it is new."""
    table = after.table
    if before.columns is None or after.columns is None:
        if before.columns != after.columns:
            known = "are known now" if before.columns is None else "are not known any more"
            yield Detail(why="gives", text=f"the columns that it gives {quote(table)} {known}", table=table)
        return
    for name in sorted(before.columns.keys() | after.columns.keys()):
        old, new = before.columns.get(name), after.columns.get(name)
        place = f"{quote(name)} of {quote(table)}"
        if name not in before.columns:
            yield Detail(why="gives", text=f"gives column {place}", table=table, column=name)
        elif name not in after.columns:
            text = f"no longer gives column {place}"
            yield Detail(why="gives", text=text, table=table, column=name, harms=READERS)
        elif old != new:
            harms = READERS if old is not None and new is not None else ()
            text = f"column {place}: {old or 'unknown'} → {new or 'unknown'}"
            yield Detail(why="gives", text=text, table=table, column=name, harms=harms)


def _fields(table: PlannedTable) -> dict[str, dict[str, Any]]:
    fields = (table.row_schema or {}).get("fields", ())
    found = {entry["name"]: dict(entry) for entry in fields}
    return {
        name: found.get(name, {"name": name, "type": kind}) for name, kind in table.columns.items()
    } | found


def _column_details(
    table: str, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[Detail]:
    shown = quote(name)
    if before is None and after is not None:
        # Rows without it are refused from now on.
        harms = WRITERS if after.get("nullable") is False else ()
        text = f"+ column {shown} {_shown(after)}"
        yield Detail(why="column", text=text, table=table, column=name, harms=harms)
    elif after is None:
        text = f"- column {shown}: no longer declared, it stays with its values"
        yield Detail(why="column", text=text, table=table, column=name, harms=READERS)
    elif before is not None:
        yield from _changed_column(table, name, before, after)


def _changed_column(
    table: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Detail]:
    if before["type"] != after["type"] or before.get("nullable", True) != after.get("nullable", True):
        text = f"~ column {quote(name)}: {_shown(before)} → {_shown(after)}"
        harms = READERS + WRITERS if before["type"] != after["type"] else _harmed_by_null(after)
        yield Detail(why="column", text=text, table=table, column=name, harms=harms)
    others = sorted(_differing(before, after) - {"name", "type", "nullable"})
    if others:
        text = f"~ column {quote(name)}: {', '.join(_BETTER.get(key, key) for key in others)}"
        harms = WRITERS if "rules" in others or "semantic" in others else ()
        yield Detail(why="column", text=text, table=table, column=name, harms=harms)


def _harmed_by_null(after: Mapping[str, Any]) -> tuple[str, ...]:
    """Writers must give what may not be null any more; readers meet null where there was none."""
    return WRITERS if after.get("nullable") is False else READERS


_BETTER = {"rules": "rules of its values", "semantic": "semantic type"}


def _casting_details(before: PlannedTable, after: PlannedTable) -> Iterator[Detail]:
    old, new = (_casting(table) for table in (before, after))
    if old != new and before.row_schema and after.row_schema:
        harms = WRITERS if new == "hard" else ()
        yield Detail(why="casting", text=f"casting: {old} → {new}", table=after.name, harms=harms)


def _casting(table: PlannedTable) -> str:
    return str((table.row_schema or {}).get("casting", "soft"))


def _kept(retention: Mapping[str, Any]) -> str:
    """Give how long rows stay in words: `30 d`, `1000 rows`."""
    told = [f"{retention['rows']} rows"] if retention.get("rows") is not None else []
    told += [_duration(retention["age"])] if retention.get("age") is not None else []
    return " and ".join(told) or "for ever"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _is_told(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> bool:
    """Tell whether a difference of two schemas is one of their columns or their casting."""
    if _json(before) == _json(after):
        return True
    old, new = before or {}, after or {}
    fields = [sorted(one.get("fields", ()), key=lambda entry: str(entry["name"])) for one in (old, new)]
    return _json(fields[0]) != _json(fields[1]) or bool(
        old and new and old.get("casting") != new.get("casting")
    )


def _shown(entry: Mapping[str, Any]) -> str:
    return f"{entry['type']}{' not null' if entry.get('nullable') is False else ''}"


def _value_details(why: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Detail]:
    for name in sorted(_differing(before, after)):
        old = _text(before[name]) if name in before else "none"
        new = _text(after[name]) if name in after else "none"
        yield Detail(why=why, text=f"{why} {quote(name)}: {old} → {new}")


def _name_details(why: str, before: set[Any], after: set[Any]) -> Iterator[Detail]:
    for name in sorted(before ^ after):
        shown = name if isinstance(name, str) else name[1]
        verb = "uses" if name in after else "no longer uses"
        yield Detail(why=why, text=f"{verb} {why} {quote(shown)}")


def _plain(why: str, name: str, before: object, after: object) -> Iterator[Detail]:
    if _json(before) != _json(after):
        yield Detail(why=why, text=f"{name}: {_text(before)} → {_text(after)}")


def _others(before: PlanPart, after: PlanPart, told: frozenset[str]) -> Iterator[Detail]:
    fields = [field for field in type(after).model_fields if field not in told]
    if fields:
        old, new = (part.model_dump(mode="json", include=set(fields)) for part in (before, after))
        for field in fields:
            if _json(old[field]) != _json(new[field]):
                yield Detail(why=field.replace("_", "-"), text=f"{field} has changed")


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    absent = object()
    return {
        key
        for key in before.keys() | after.keys()
        if _json(before.get(key, absent)) != _json(after.get(key, absent))
    }


def _json(value: object) -> str:
    """Give a value so that `1`, `1.0` and `true` differ."""
    return json.dumps(value, sort_keys=True, default=lambda _: {"absent": None})


_LONGEST = 60


def _text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = (
        str(value)
        if isinstance(value, str) and value.isidentifier()
        else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    )
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(quote, names))
