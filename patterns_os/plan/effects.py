"""What deploying does to what is there: who starts where, who goes on, what is kept, what runs at once.

Deploying moves no cursor and drops nothing by itself. New code is used for what comes; rows that are done are
not done again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from patterns_os.diagnostics import quote
from patterns_os.plan.facts import ConsumerFacts, DeployedFacts, NodeFacts, TableFacts
from patterns_os.plan.spec import PlannedInput, PlannedNode, PlannedTable

Kind = Literal[
    "starts", "skips", "goes-on", "runs", "stays", "retired", "kept", "dropped", "laid", "not-laid", "ends",
    "asked",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One consequence.

    Attributes:
        kind: `starts` at the beginning of a table, `skips` what is there, `goes-on` where it was, `runs` at
            once, `stays` as it is until something new comes, `retired`, `kept`, `dropped`, `laid` (a column),
            `not-laid` (the real column stays another one), `ends` (a run of the version before), `asked`.
        text: The same for people.
        rows: How many rows it is about, where that is a number.
    """

    kind: Kind
    text: str
    table: str | None = None
    rows: int | None = None

    def to_data(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"kind": self.kind, "text": self.text, "table": self.table, "rows": self.rows}


def node_effects(
    before: PlannedNode | None, after: PlannedNode, facts: DeployedFacts, *, is_new_code: bool
) -> Iterator[Effect]:
    """Give what deploying does to a node that is new or changed.

    Args:
        before: The node of the active version, `None` if that has none of the name.
        after: The node that is to come.
        facts: The deployed world.
        is_new_code: Whether it does something else than before.
    """
    known = facts.nodes.get(after.name, NodeFacts())
    for given in joined(after):
        yield from _consumer_effects(before, after, given, facts, is_new_code=is_new_code)
    if known.running:
        yield Effect(kind="ends", text="a run of the version before is at work: it ends with its old code")
    if runs_at_once(after, facts):
        why = "is failing, and tries again at once" if known.failing else "runs at once"
        yield Effect(kind="runs", text=why)
    elif is_new_code and before is not None:
        yield from _stays(after)


def runs_at_once(node: PlannedNode, facts: DeployedFacts) -> bool:
    """Tell whether the node is due as soon as the plan is active."""
    known = facts.nodes.get(node.name, NodeFacts())
    if known.running:
        return False
    if known.failing or known.requests:
        return True
    news = [_is_new(node, given, facts) for given in joined(node) if given.triggering]
    return bool(news) and (all(news) if node.when == "all" else any(news))


def removal_effects(node: PlannedNode, facts: DeployedFacts) -> Iterator[Effect]:
    """Give what deploying does to a node that is not in the plan any more."""
    known = facts.nodes.get(node.name, NodeFacts())
    kept = ["its place in its tables" if node.inputs else ""]
    kept += [f"its State ({_count(known.state_keys, 'key')})" if known.state_keys else ""]
    kept += [_count(known.held, "held record") if known.held else ""]
    words = _joined([word for word in kept if word])
    text = f"retired: {words} {'are' if ' and ' in words else 'is'} kept, and come back with its name"
    yield Effect(
        kind="retired", text=text.replace("is kept, and come", "is kept, and comes") if words else "retired"
    )
    if known.running:
        yield Effect(kind="ends", text="a run of it is at work: it ends by itself")
    if known.requests:
        text = f"{_count(known.requests, 'request')} for runs of it will not be answered"
        yield Effect(kind="asked", text=text, rows=known.requests)


def table_effects(table: PlannedTable, facts: DeployedFacts, *, is_new: bool) -> Iterator[Effect]:
    """Give what deploying does to a table that is new or changed."""
    known = facts.tables.get(table.name)
    if known is not None and is_new and known.rows:
        text = f"comes back with {rows_of(known.rows)}, kept from an earlier version"
        yield Effect(kind="kept", text=text, table=table.name, rows=known.rows)
    real = known.columns if known is not None else {}
    for name, kind in table.ordered_columns.items():
        if name not in real:
            if not is_new or known is not None:
                text = f"gains column {quote(name)} {kind}"
                yield Effect(kind="laid", text=text, table=table.name)
        elif real[name] != kind:
            yield _not_laid(table.name, name, kind, real[name])


def _not_laid(table: str, name: str, declared: str, real: str) -> Effect:
    text = (
        f"the real column {quote(name)} stays {real}: what is {declared} and does not fit is kept beside it"
    )
    return Effect(kind="not-laid", text=text, table=table)


def gone_table_effect(name: str, facts: TableFacts, *, is_dropped: bool) -> Effect:
    """Give what becomes of a table that no version uses any more."""
    if is_dropped:
        text = f"dropped, with {rows_of(facts.rows)}"
        return Effect(kind="dropped", text=text, table=name, rows=facts.rows)
    text = f"kept, with {rows_of(facts.rows)} (to delete it: --drop {name})"
    return Effect(kind="kept", text=text, table=name, rows=facts.rows)


def joined(node: PlannedNode) -> list[PlannedInput]:
    """Give one input a table: a table that is streamed under one name and read under another is a stream."""
    best: dict[str, PlannedInput] = {}
    for given in node.inputs:
        known = best.get(given.table)
        if (
            known is None
            or (given.access == "stream" and known.access == "read")
            or (given.triggering and not known.triggering and given.access == known.access)
        ):
            best[given.table] = given
    return list(best.values())


def rows_of(number: int) -> str:
    """Give a number of rows in words, its thousands apart."""
    return "1 row" if number == 1 else f"{number:,} rows"


def _consumer_effects(
    before: PlannedNode | None,
    after: PlannedNode,
    given: PlannedInput,
    facts: DeployedFacts,
    *,
    is_new_code: bool,
) -> Iterator[Effect]:
    place = facts.consumers.get((after.name, given.table))
    if place is None:
        yield from _first_place(after, given, facts.tables.get(given.table, TableFacts()).rows)
    elif given.access == "stream" and (is_new_code or before is None or not place.active):
        text = f"goes on where it was in {quote(given.table)}: {_waiting(place.waiting)}"
        yield Effect(kind="goes-on", text=text, table=given.table, rows=place.waiting)


def _first_place(node: PlannedNode, given: PlannedInput, there: int) -> Iterator[Effect]:
    table = quote(given.table)
    if given.access == "read":
        return
    if node.start == "now" and there:
        text = f"new consumer of {table}: starts now, behind the {rows_of(there)} that are there"
        yield Effect(kind="skips", text=text, table=given.table, rows=0)
    else:
        text = f"new consumer of {table}: starts at the beginning, {_waiting(there)}"
        yield Effect(kind="starts", text=text, table=given.table, rows=there)


def _is_new(node: PlannedNode, given: PlannedInput, facts: DeployedFacts) -> bool:
    place: ConsumerFacts | None = facts.consumers.get((node.name, given.table))
    if place is not None:
        return place.is_new
    return node.start != "now" and facts.tables.get(given.table, TableFacts()).watermark > 0


def _stays(node: PlannedNode) -> Iterator[Effect]:
    """Tell what new code leaves as it is, and how to have it done anew."""
    if node.sql_kind != "select" or not node.outputs:
        return
    tables = _joined([quote(given.table) for given in node.outputs])
    when = "its next tick" if node.cron else "it is asked" if node.manual else "an input has new rows"
    text = f"{tables} stays as it is until {when} (to renew it now: patterns trigger {_word(node.name)})"
    yield Effect(kind="stays", text=text, table=node.outputs[0].table)


def _waiting(number: int) -> str:
    return "no row waits" if not number else "1 row waits" if number == 1 else f"{number:,} rows wait"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _joined(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def _word(name: str) -> str:
    return f'"{name}"' if " " in name else name
