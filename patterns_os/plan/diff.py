"""What deploying a plan over another would change, why, whom it breaks, and what happens then.

`patterns plan` prints this value and `patterns deploy` does it: what is not in it is not done.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from patterns_os.diagnostics import did_you_mean, quote
from patterns_os.errors import PermanentError, UsageError
from patterns_os.plan.differences import (
    LOOKS,
    READERS,
    SENDERS,
    Contents,
    Detail,
    chart_details,
    declared_columns,
    model_details,
    node_details,
    part_details,
    table_details,
    webhook_details,
)
from patterns_os.plan.downstream import Affected, ColumnUses, affected, with_victims
from patterns_os.plan.effects import (
    Effect,
    gone_table_effect,
    node_effects,
    removal_effects,
    rows_of,
    runs_at_once,
    table_effects,
)
from patterns_os.plan.facts import DeployedFacts, Expected, TableFacts
from patterns_os.plan.spec import Plan, PlannedChart, PlannedModel, PlannedNode, PlannedWebhook, PlanPart


class Action(StrEnum):
    """What happens to a part of the app."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A part of the app that is added, changed or removed.

    Attributes:
        kind: `node`, `table`, `webhook`, `file`, `model` or `tool`; further kinds of parts by their field's name.
        about: What it is, in a few words: `python clean.py`, `POST /orders`.
        details: What differs; of a node or table that is new, what is worth knowing.
        effects: What deploying does to it.
    """

    kind: str
    name: str
    action: Action
    about: str = ""
    details: tuple[Detail, ...] = ()
    effects: tuple[Effect, ...] = ()

    @property
    def is_formatting(self) -> bool:
        """Whether nothing but looks has changed."""
        return bool(self.details) and all(detail.why == LOOKS for detail in self.details)

    @property
    def is_breaking(self) -> bool:
        """Whether somebody loses what they rely on, or may."""
        return any(detail.is_breaking for detail in self.details)

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": str(self.action),
            "about": self.about,
            "breaking": self.is_breaking,
            "formatting": self.is_formatting,
            "details": [detail.to_data() for detail in self.details],
            "effects": [effect.to_data() for effect in self.effects],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """Everything that deploying a plan would change.

    Attributes:
        before: Hash of the active version, `None` if the app was never deployed.
        after: Hash of the version that is to come.
        changes: By kind (nodes first), then by name.
        affected: Nodes that feel a change upstream.
        running: Names of nodes that are due as soon as the plan is active and that a change concerns, sorted.
        renames: Old node name → new one of what looks renamed and of which nobody has said what it is.
        returning: Nodes that an earlier version had and the active one has not: they go on where they were then.
        dropped: Tables whose rows are deleted, asked for by name, with what they hold.
        expected: What must still be so when the plan is applied.
    """

    app: str
    before: str | None
    after: str
    changes: tuple[Change, ...] = ()
    affected: tuple[Affected, ...] = ()
    running: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    returning: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    expected: Expected = field(default_factory=Expected)

    @property
    def is_empty(self) -> bool:
        """Whether deploying would do nothing."""
        return self.before == self.after and not self.dropped

    @property
    def is_breaking(self) -> bool:
        """Whether somebody loses what they rely on, or may."""
        return any(change.is_breaking for change in self.changes)

    def of(self, action: Action) -> tuple[Change, ...]:
        """Give the changes of one sort, tools left out: they are no part of the app."""
        return tuple(found for found in self.changes if found.action is action and found.kind != "tool")

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data, the same for the same input on every machine."""
        return {
            "app": self.app,
            "before": self.before,
            "after": self.after,
            "empty": self.is_empty,
            "breaking": self.is_breaking,
            "changes": [change.to_data() for change in self.changes],
            "affected": [found.to_data() for found in self.affected],
            "running": list(self.running),
            "renames": dict(self.renames),
            "returning": list(self.returning),
            "dropped": dict(self.dropped),
            "expected": self.expected.to_data(),
            "summary": summary(self),
        }


def diff_plans(
    before: Plan | None,
    after: Plan,
    facts: DeployedFacts | None = None,
    *,
    contents: Contents | None = None,
    uses: ColumnUses | None = None,
    drop: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
    forgotten: Collection[str] = (),
) -> PlanDiff:
    """Give what deploying `after` over `before` would change.

    Args:
        before: The active version, `None` if the app was never deployed.
        after: The version that is to come.
        facts: The deployed world; without them nothing is there.
        contents: Bytes of the source files of both versions by hash, to tell formatting from code.
        uses: Which columns nodes are seen to ask for, from `column_uses`.
        drop: Tables to delete with all rows, none of which the plan may have.
        renamed: Old node name → new one of nodes that keep their place.
        forgotten: Nodes that are gone, whatever looks like them.

    Raises:
        UsageError: A table to be dropped is part of the app (`table-in-use`) or not there (`unknown-table`).
    """
    names = renamed or {}
    world = _renamed_facts(facts or DeployedFacts(), names)
    old = _renamed(before, names)
    _refuse_drops(after, world, drop)
    comparison = _Comparison(
        old or Plan(app=after.app),
        after,
        world,
        contents or {},
        uses or {},
        frozenset(drop),
        {new: old for old, new in names.items()},
    )
    changes = tuple(comparison.changes())
    return PlanDiff(
        app=after.app,
        before=None if before is None else before.version_hash,
        after=after.version_hash,
        changes=changes,
        affected=_affected(after, changes),
        running=tuple(_running(after, changes, world, is_new=before != after)),
        renames={} if old is None else _undecided(old, after, forgotten),
        returning=tuple(sorted(world.nodes.keys() & {node.name for node in after.nodes} - _names_of(old))),
        dropped={name: world.tables[name].rows for name in sorted(drop)},
        expected=_expected(changes, world, drop),
    )


def likely_renames(before: Plan, after: Plan) -> dict[str, str]:
    """Give old name → new name of nodes that look renamed.

    A node looks renamed if one is gone and one is new with the same content, or with the same streamed
    inputs and the same outputs. Each name appears once; ties go to the first by name.
    """
    old_names = {node.name for node in before.nodes}
    new_names = {node.name for node in after.nodes}
    gone = [node for node in before.nodes if node.name not in new_names and _streams(node)]
    new = [node for node in after.nodes if node.name not in old_names and _streams(node)]
    found: dict[str, str] = {}
    for old in gone:
        match = next(
            (node for node in new if node.name not in found.values() and _same_work(old, node)), None
        )
        if match is not None:
            found[old.name] = match.name
    return found


def refused_rename(old: str, new: str, *, is_back: bool) -> PermanentError:
    """Give the error for what looks renamed and of which nobody has said what it is."""
    gone = f"Node {quote(old)} is gone and node {quote(new)}"
    forget = f"patterns rename --forget {old}"
    if is_back:
        return PermanentError(
            f"{gone} is back with the same work: it would go on where it was when it was last deployed",
            code="node-renamed",
            hint=f"{forget} (it shall)",
        )
    return PermanentError(
        f"{gone} is new with the same work: it would start at the beginning of its tables",
        code="node-renamed",
        hint=f"patterns rename {old} {new} (keeps its place), or {forget} (it is new)",
    )


def summary(diff: PlanDiff) -> str:
    """Give the last line of a plan: what is added, changed and removed, what runs, what is lost."""
    counts = [f"{len(diff.of(action))} to {verb}" for action, verb in _VERBS.items()]
    parts = [", ".join(counts), *_laid(diff)]
    breaking = sum(change.is_breaking for change in diff.changes)
    parts += [f"{_count(breaking, 'change')} may break something"] if breaking else []
    parts += [f"{_count(len(diff.running), 'node runs', 'nodes run')} at once"] if diff.running else []
    rows = sum(diff.dropped.values())
    tables = _count(len(diff.dropped), "table is", "tables are")
    parts.append(f"{tables} dropped with {rows_of(rows)}" if diff.dropped else "nothing is dropped")
    return f"Plan: {'; '.join(parts)}."


_VERBS = {Action.ADDED: "add", Action.CHANGED: "change", Action.REMOVED: "remove"}


@dataclass(frozen=True, slots=True)
class _Comparison:
    before: Plan
    after: Plan
    facts: DeployedFacts
    contents: Contents
    uses: ColumnUses
    drop: frozenset[str]
    old_names: Mapping[str, str]

    def changes(self) -> Iterator[Change]:
        """Compare all parts of two plans, those without words of their own too."""
        yield from self._nodes()
        yield from self._tables()
        yield from self._named("webhook", self.before.webhooks, self.after.webhooks, _webhook_about)
        yield from self._files()
        yield from self._named("model", self.before.models, self.after.models, _model_about)
        yield from self._named("chart", self.before.charts, self.after.charts, _chart_about)
        yield from self._others()
        yield from self._tools()

    def _nodes(self) -> Iterator[Change]:
        old = {node.name: node for node in self.before.nodes}
        new = {node.name: node for node in self.after.nodes}
        models = _changed_models(self.before, self.after)
        for name in sorted(old.keys() | new.keys()):
            was, now = old.get(name), new.get(name)
            if now is None and was is not None:
                yield self._removed_node(was)
            elif now is not None and was is None:
                yield self._added_node(now)
            elif now is not None and was is not None:
                yield from self._changed_node(was, now, models)

    def _added_node(self, node: PlannedNode) -> Change:
        effects = tuple(node_effects(None, node, self.facts, is_new_code=True))
        return Change(
            kind="node", name=node.name, action=Action.ADDED, about=_node_about(node), effects=effects
        )

    def _removed_node(self, node: PlannedNode) -> Change:
        details = _unwritten_details((given.table for given in node.outputs), self.after)
        return Change(
            kind="node",
            name=node.name,
            action=Action.REMOVED,
            about=_node_about(node),
            details=tuple(self._with_victims(details, node.name)),
            effects=tuple(removal_effects(node, self.facts)),
        )

    def _changed_node(self, was: PlannedNode, now: PlannedNode, models: set[str]) -> Iterator[Change]:
        details = [self._with_other_writers(one) for one in node_details(was, now, self.contents)]
        if now.name in self.old_names:
            details.insert(0, Detail(why="name", text=f"name: {self.old_names[now.name]} → {now.name}"))
        details += [
            Detail(why="model", text=f"model {quote(name)} is another one")
            for name in sorted(models & set(was.models) & set(now.models))
        ]
        if details:
            is_new_code = any(detail.why not in _SAME_WORK for detail in details)
            yield Change(
                kind="node",
                name=now.name,
                action=Action.CHANGED,
                about=_node_about(now),
                details=tuple(self._with_victims(details, now.name)),
                effects=tuple(node_effects(was, now, self.facts, is_new_code=is_new_code)),
            )

    def _tables(self) -> Iterator[Change]:
        old = {table.name: table for table in self.before.tables}
        new = {table.name: table for table in self.after.tables}
        for name in sorted(old.keys() | new.keys() | self.drop):
            was, now = old.get(name), new.get(name)
            if now is None:
                yield self._gone_table(name)
            elif was is None:
                effects = tuple(table_effects(now, self.facts, is_new=True))
                about = ", ".join(f"{column} {kind}" for column, kind in declared_columns(now).items())
                yield Change(kind="table", name=name, action=Action.ADDED, about=about, effects=effects)
            elif _differs(was, now):
                details = self._with_victims(table_details(was, now))
                effects = tuple(table_effects(now, self.facts, is_new=False))
                yield Change(
                    kind="table", name=name, action=Action.CHANGED, details=tuple(details), effects=effects
                )

    def _gone_table(self, name: str) -> Change:
        effect = gone_table_effect(
            name, self.facts.tables.get(name, TableFacts()), is_dropped=name in self.drop
        )
        return Change(kind="table", name=name, action=Action.REMOVED, effects=(effect,))

    def _named(self, kind: str, before: Iterable[Any], after: Iterable[Any], about: Any) -> Iterator[Change]:  # noqa: ANN401 - parts of one sort
        old, new = ({part.name: part for part in parts} for parts in (before, after))
        for name in sorted(old.keys() | new.keys()):
            was, now = old.get(name), new.get(name)
            if was is None:
                yield Change(kind=kind, name=name, action=Action.ADDED, about=about(now))
            elif now is None:
                details = tuple(self._with_victims(_removal_details(was, self.after)))
                yield Change(kind=kind, name=name, action=Action.REMOVED, about=about(was), details=details)
            elif _differs(was, now):
                found = (*_part_details(was, now, self.contents), *_moved_details(was, now, self.after))
                details = tuple(self._with_victims(found))
                yield Change(kind=kind, name=name, action=Action.CHANGED, about=about(now), details=details)

    def _files(self) -> Iterator[Change]:
        old, new = set(self.before.files), set(self.after.files)
        for name in sorted(old ^ new):
            if name in new:
                yield Change(kind="file", name=name, action=Action.ADDED)
            else:
                kept = Effect(kind="kept", text="kept where it is")
                yield Change(kind="file", name=name, action=Action.REMOVED, effects=(kept,))

    def _others(self) -> Iterator[Change]:
        for kind in type(self.after).model_fields:
            if kind in _KNOWN_KINDS:
                continue
            old, new = getattr(self.before, kind), getattr(self.after, kind)
            if _is_named(old) and _is_named(new):
                yield from self._named(kind.removesuffix("s"), old, new, lambda _: "")
            elif old != new:
                detail = Detail(why=kind, text=f"{kind} has changed")
                yield Change(kind=kind, name=self.after.app, action=Action.CHANGED, details=(detail,))

    def _tools(self) -> Iterator[Change]:
        old, new = self.before.toolchain, self.after.toolchain
        for name in sorted(old.keys() | new.keys()) if old else ():
            if old.get(name) != new.get(name):
                text = f"{old.get(name, 'none')} → {new.get(name, 'none')}"
                detail = Detail(why="tool", text=text)
                yield Change(kind="tool", name=name, action=Action.CHANGED, details=(detail,))

    @property
    def _new_parts(self) -> frozenset[str]:
        """The nodes and webhooks that have nothing to lose yet."""
        old, new = (
            {node.name for node in plan.nodes}
            | {webhook.name for webhook in plan.webhooks}
            | {chart.name for chart in plan.charts}
            for plan in (self.before, self.after)
        )
        return frozenset(new - old)

    def _with_other_writers(self, detail: Detail) -> Detail:
        """Give the detail without harm where a table loses a writer and keeps another."""
        is_kept = detail.why == "output" and _is_written(self.after, detail.table or "")
        return replace(detail, harms=()) if is_kept else detail

    def _with_victims(self, details: Iterable[Detail], node: str = "") -> Iterator[Detail]:
        for detail in details:
            yield with_victims(detail, self.after, self.uses, apart_from=self._new_parts | {node})


_SAME_WORK = frozenset(
    {LOOKS, "name", "retries", "timeout", "on-error", "isolation", "start", "trigger", "secret"}
)
_KNOWN_KINDS = frozenset({"app", "nodes", "tables", "webhooks", "files", "models", "charts", "toolchain"})


def _renamed(before: Plan | None, renamed: Mapping[str, str]) -> Plan | None:
    """Give the plan as if its nodes had their new names: only what else differs is a change."""
    if before is None or not renamed:
        return before
    nodes = [node.model_copy(update={"name": renamed.get(node.name, node.name)}) for node in before.nodes]
    return before.model_copy(update={"nodes": tuple(nodes)})


def _undecided(before: Plan, after: Plan, forgotten: Collection[str]) -> dict[str, str]:
    return {old: new for old, new in likely_renames(before, after).items() if old not in forgotten}


def _names_of(plan: Plan | None) -> set[str]:
    return {node.name for node in plan.nodes} if plan is not None else set()


def _renamed_facts(facts: DeployedFacts, renamed: Mapping[str, str]) -> DeployedFacts:
    """Give the facts as if the nodes had their new names."""
    if not renamed:
        return facts
    nodes = {renamed.get(name, name): found for name, found in facts.nodes.items()}
    consumers = {(renamed.get(node, node), table): found for (node, table), found in facts.consumers.items()}
    return replace(facts, nodes=nodes, consumers=consumers)


def _refuse_drops(after: Plan, facts: DeployedFacts, drop: Iterable[str]) -> None:
    for name in drop:
        if any(table.name == name for table in after.tables):
            raise UsageError(
                f"Table {quote(name)} is part of the app: it cannot be dropped",
                code="table-in-use",
                hint="remove it from manifest.json, and from the scripts that use it",
            )
        if name not in facts.tables:
            gone = sorted(facts.tables.keys() - {table.name for table in after.tables})
            known = ", ".join(map(quote, gone)) or "none"
            raise UsageError(
                f"No table {quote(name)} is left to drop; tables that the app does not use any more: {known}",
                code="unknown-table",
                hint=did_you_mean(name, gone),
            )


def _affected(after: Plan, changes: Iterable[Change]) -> tuple[Affected, ...]:
    found = list(changes)
    nodes = {c.name: c.details for c in found if c.kind == "node" and c.action is not Action.REMOVED}
    others = {f"{c.kind} {c.name}": c.details for c in found if c.kind != "node" or c.name not in nodes}
    return affected(after, nodes, others)


def _running(after: Plan, changes: Iterable[Change], facts: DeployedFacts, *, is_new: bool) -> Iterator[str]:
    """Give what runs because of the deploy: nodes that are new or changed, and failing ones, which try again."""
    changed = {change.name for change in changes if change.kind == "node"}
    for node in after.nodes:
        known = facts.nodes.get(node.name)
        concerned = node.name in changed or (is_new and known is not None and known.failing)
        if concerned and runs_at_once(node, facts):
            yield node.name


def _expected(changes: Iterable[Change], facts: DeployedFacts, drop: Iterable[str]) -> Expected:
    tables = sorted(
        change.name for change in changes if change.kind == "table" and change.action is not Action.REMOVED
    )
    columns = {name: facts.tables[name].columns if name in facts.tables else None for name in tables}
    dropped = {name: facts.tables[name].watermark for name in sorted(drop)}
    return Expected(deployment=facts.deployment, columns=columns, dropped=dropped)


def _part_details(before: PlanPart, after: PlanPart, contents: Contents) -> Iterator[Detail]:
    if isinstance(before, PlannedChart) and isinstance(after, PlannedChart):
        return chart_details(before, after, contents)
    if isinstance(before, PlannedWebhook) and isinstance(after, PlannedWebhook):
        return webhook_details(before, after)
    if isinstance(before, PlannedModel) and isinstance(after, PlannedModel):
        return model_details(before, after)
    return part_details(before, after)


def _removal_details(part: PlanPart, after: Plan) -> Iterator[Detail]:
    if not isinstance(part, PlannedWebhook):
        return
    heir = next((hook for hook in after.webhooks if hook.path == part.path), None)
    if heir is None:
        text = f"{part.path} answers 404 from now on; deliveries and rows stay"
        yield Detail(why="path", text=text, breaks=(SENDERS,))
    else:
        yield Detail(why="path", text=f"{part.path} is taken over by webhook {quote(heir.name)}")
        yield from webhook_details(part, heir.model_copy(update={"title": part.title}))
    yield from _unwritten_details((part.table,), after)


def _moved_details(before: PlanPart, after: PlanPart, plan: Plan) -> Iterator[Detail]:
    if (
        isinstance(before, PlannedWebhook)
        and isinstance(after, PlannedWebhook)
        and before.table != after.table
    ):
        yield from _unwritten_details((before.table,), plan)


def _unwritten_details(tables: Iterable[str], after: Plan) -> Iterator[Detail]:
    """Give the tables of the app that lose the last one who writes them."""
    for table in sorted({table.name for table in after.tables} & set(tables)):
        if not _is_written(after, table):
            text = f"nobody writes table {quote(table)} any more"
            yield Detail(why="output", text=text, table=table, harms=READERS)


def _differs(before: PlanPart, after: PlanPart) -> bool:
    """Compare as bytes: `1`, `1.0` and `true` are equal in Python, and not in a plan; the order of keys is nothing."""
    return before.to_bytes() != after.to_bytes()


def _is_named(parts: object) -> bool:
    return isinstance(parts, tuple) and all(
        isinstance(part, PlanPart) and hasattr(part, "name") for part in parts
    )


def _is_written(plan: Plan, table: str) -> bool:
    nodes = any(given.table == table for node in plan.nodes for given in node.outputs)
    return nodes or any(hook.table == table for hook in plan.webhooks)


def _changed_models(before: Plan, after: Plan) -> set[str]:
    old, new = ({model.name: model for model in plan.models} for plan in (before, after))
    return {name for name in old.keys() & new.keys() if old[name] != new[name]}


def _node_about(node: PlannedNode) -> str:
    return f"{node.kind} {node.file}"


def _webhook_about(webhook: PlannedWebhook) -> str:
    return f"POST {webhook.path} → {webhook.table}"


def _model_about(model: PlannedModel) -> str:
    bound = "not bound" if model.provider is None else f"{model.provider} {model.model or ''}".rstrip()
    return f"{model.type}, {bound}"


def _chart_about(chart: PlannedChart) -> str:
    return f"{chart.file} of {chart.table}"


def _laid(diff: PlanDiff) -> list[str]:
    tables = {e.table for c in diff.changes for e in c.effects if e.kind == "laid"}
    return [_count(len(tables), "table gains columns", "tables gain columns")] if tables else []


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _same_work(old: PlannedNode, new: PlannedNode) -> bool:
    same_edges = _streams(old) == _streams(new) and {o.table for o in old.outputs} == {
        o.table for o in new.outputs
    }
    return old.content == new.content or same_edges


def _streams(node: PlannedNode) -> set[str]:
    return {given.table for given in node.inputs if given.access == "stream"}
