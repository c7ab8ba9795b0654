"""A plan's difference in words: what people read before they agree to it."""

from collections.abc import Callable, Iterable, Iterator

from patterns_os.diagnostics import quote
from patterns_os.plan.diff import Action, Change, PlanDiff, summary
from patterns_os.plan.differences import Detail
from patterns_os.plan.downstream import Affected, told_victims
from patterns_os.plan.spec import Plan

Style = Callable[[str, str], str]
"""Gives a text the look `good` (added), `bad` (removed, breaking), `warn` (changed) or `quiet`."""


def render_diff(diff: PlanDiff, style: Style = lambda text, _: text) -> str:
    """Give the difference as text: parts by kind with their signs, who is affected, and one line that sums up."""
    if diff.is_empty:
        return f"No changes: version {diff.after[:8]} of {diff.app} is active."
    blocks = [_title(diff, style)]
    for kind in dict.fromkeys(change.kind for change in diff.changes):
        heading = _HEADINGS.get(kind, f"{kind.capitalize()}s")
        lines = [line for c in diff.changes if c.kind == kind for line in _change_lines(c, style)]
        blocks.append("\n".join([heading, *lines]))
    if diff.affected:
        blocks.append("\n".join(["Downstream", *_affected_lines(diff.affected, style)]))
    blocks += [
        _rename_text(old, new, style, is_back=new in diff.returning) for old, new in diff.renames.items()
    ]
    return "\n\n".join([*blocks, summary(diff)])


def explain_diff(diff: PlanDiff, plan: Plan, style: Style = lambda text, _: text) -> str:
    """Give for each node of the plan why it is in the difference, or that it is not, as a tree."""
    changes = {change.name: change for change in diff.changes if change.kind == "node"}
    tables = {change.name: change for change in diff.changes if change.kind == "table"}
    felt = {found.node: found for found in diff.affected}
    names = sorted({*changes, *(node.name for node in plan.nodes)})
    unchanged = [name for name in names if name not in changes and name not in felt]
    blocks = [
        "\n".join(_tree(name, list(_reasons(changes.get(name), felt.get(name), tables | changes)), style))
        for name in names
        if name not in unchanged
    ]
    if unchanged:
        blocks.append(style(f"unchanged: {', '.join(unchanged)}", "quiet"))
    return "\n\n".join(blocks)


_HEADINGS = {
    "node": "Nodes",
    "table": "Tables",
    "webhook": "Webhooks",
    "file": "Files",
    "model": "Models",
    "tool": "Tools",
}
_SIGNS = {Action.ADDED: ("+", "good"), Action.CHANGED: ("~", "warn"), Action.REMOVED: ("-", "bad")}
_CATEGORIES = {
    "breaking": ("breaks: something that it relies on goes", "bad"),
    "perhaps-breaking": ("may break: nothing proves that it does not rely on what goes", "warn"),
    "values": ("may read other values from now on", "quiet"),
}


def _title(diff: PlanDiff, style: Style) -> str:
    if diff.before is None:
        return f"{diff.app}: new, version {diff.after[:8]}"
    if diff.before == diff.after:
        return f"{diff.app}: version {diff.after[:8]} is active"
    return f"{diff.app}: version {style(diff.before[:8], 'quiet')} → {diff.after[:8]}"


def _change_lines(change: Change, style: Style) -> Iterator[str]:
    sign, look = _SIGNS[change.action]
    about = f"  {style(change.about, 'quiet')}" if change.about else ""
    yield f"  {style(sign, look)} {change.name}{about}"
    for detail in change.details:
        yield f"      {_detail_text(detail, style)}"
    for effect in change.effects:
        text = style(effect.text, "bad") if effect.kind == "dropped" else effect.text
        yield f"      {style('→', 'quiet')} {text}"


def _detail_text(detail: Detail, style: Style) -> str:
    victims = told_victims(detail)
    return f"{detail.text}  {style(victims, 'bad' if detail.breaks else 'warn')}" if victims else detail.text


def _affected_lines(affected: Iterable[Affected], style: Style) -> Iterator[str]:
    for found in affected:
        text, look = _CATEGORIES[found.category]
        yield f"  {style('≈', look)} {found.node}  {style(_way(found), 'quiet')}"
        yield f"      {text}"


def _way(found: Affected) -> str:
    return f"by {_steps(found.through[:-1])}"


def _steps(way: tuple[str, ...]) -> str:
    """Give the steps of a way; a node and the table of its name are one step to the eye."""
    return " → ".join(name for name, before in zip(way, ("", *way), strict=False) if name != before)


def _rename_text(old: str, new: str, style: Style, *, is_back: bool) -> str:
    how = "is back" if is_back else "is new"
    said = (
        f"{quote(old)} is gone and {quote(new)} {how} with the same work. Say which it is before you deploy:"
    )
    forget = f"  patterns rename --forget {_word(old)}    {quote(new)}"
    if is_back:
        choices = [f"{forget} goes on where it was when it was last deployed"]
    else:
        choices = [
            f"  patterns rename {_word(old)} {_word(new)}    it keeps its place",
            f"{forget} is new, and starts at the beginning",
        ]
    return "\n".join([style(said, "bad"), *choices])


def _reasons(
    change: Change | None, felt: Affected | None, origins: dict[str, Change]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give reasons with what stands behind each."""
    if change is not None:
        if not change.details:
            yield str(change.action), ()
        for detail in change.details:
            victims = told_victims(detail)
            yield detail.text, (victims,) if victims else ()
    if felt is not None:
        origin = origins.get(felt.through[0])
        behind = tuple(detail.text for detail in origin.details) if origin else ()
        yield f"upstream: {_steps(felt.through[:-1])}", (*behind, _CATEGORIES[felt.category][0])
    if change is not None:
        for effect in change.effects:
            yield f"then: {effect.text}", ()


def _tree(name: str, reasons: list[tuple[str, tuple[str, ...]]], style: Style) -> Iterator[str]:
    yield name
    for i, (reason, behind) in enumerate(reasons):
        is_last = i == len(reasons) - 1
        yield style("└─ " if is_last else "├─ ", "quiet") + reason
        for j, line in enumerate(behind):
            lead = ("   " if is_last else "│  ") + ("└─ " if j == len(behind) - 1 else "├─ ")
            yield style(lead, "quiet") + line


def _word(name: str) -> str:
    return f'"{name}"' if " " in name else name
