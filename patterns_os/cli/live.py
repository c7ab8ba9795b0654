"""The live picture of an app at work: its nodes as a tree, with what each is doing."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from patterns_os.cli.console import ago, note, say, styled
from patterns_os.launcher.supervisor import RunEvent, Supervisor
from patterns_os.plan.spec import Plan

_STYLE = {
    "waiting": "quiet",
    "running": "busy",
    "done": "good",
    "failed": "bad",
    "held": "warn",
    "received": "good",
}


@dataclass(slots=True)
class NodeView:
    """What one node has done since the picture began."""

    name: str
    kind: str
    state: str = "waiting"
    runs: int = 0
    rows_in: int = 0
    rows_out: int = 0
    seconds: float = 0.0
    started: float = 0.0
    trouble: str = ""


class LiveView:
    """Keeps the picture; `observe` takes events from the supervisor."""

    def __init__(self, plan: Plan) -> None:
        self.failures: list[RunEvent] = []
        self._plan = plan
        self.nodes: dict[str, NodeView] = {}
        self.use(plan)

    def use(self, plan: Plan) -> None:
        """Show another version of the app."""
        self._plan = plan
        known = self.nodes
        self.nodes = {
            name: known.get(name) or NodeView(name, kind)
            for name, kind in [
                *((hook.name, "webhook") for hook in plan.webhooks),
                *((node.name, node.kind) for node in plan.nodes),
            ]
        }

    def received(self, webhook: str, rows: int) -> None:
        """Count what a webhook has received."""
        view = self.nodes[webhook]
        view.state, view.rows_out = "received", view.rows_out + rows

    def observe(self, event: RunEvent) -> None:
        """Take an event in."""
        view = self.nodes.setdefault(event.node, NodeView(event.node, "python"))
        if event.kind == "started":
            view.state, view.started = "running", time.monotonic()
            return
        view.runs += 1
        view.state = event.kind
        view.rows_in += event.rows_in
        view.rows_out += event.rows_out
        view.seconds += event.seconds
        view.trouble = ""
        if event.kind in {"failed", "held"}:
            self.failures.append(event)
            view.trouble = describe_failure(event)

    def lines(self) -> list[str]:
        """Give the tree, a line a node; a node below two others is drawn in full once."""
        drawn: set[str] = set()
        lines: list[str] = []
        for root in self._roots():
            self._draw(root, "", "", drawn, lines)
        for name in self.nodes:
            if name not in drawn:
                self._draw(name, "", "", drawn, lines)
        return lines

    def _draw(self, name: str, lead: str, below: str, drawn: set[str], lines: list[str]) -> None:
        again = name in drawn
        drawn.add(name)
        lines.append(self._line(lead + name) if again else self._line(lead + name, self.nodes[name]))
        if again:
            return
        children = [child for child in self._children(name) if child != name]
        for i, child in enumerate(children):
            last = i == len(children) - 1
            self._draw(
                child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), drawn, lines
            )

    def _line(self, label: str, view: NodeView | None = None) -> str:
        widest = max((len(name) for name in self.nodes), default=0) + 9
        if view is None:
            return f"{label:<{widest}} {styled('(above)', 'quiet')}"
        state = styled(f"{view.state:<8}", _STYLE.get(view.state, "quiet"))
        if view.kind == "webhook":
            figures = _rows(view.rows_out) if view.rows_out else ""
        elif view.state == "running":
            figures = f"{view.rows_in} → {view.rows_out} rows  {ago(time.monotonic() - view.started)}"
        else:
            figures = f"{view.rows_in} → {view.rows_out} rows  {view.seconds:.2f} s" if view.runs else ""
        trouble = f"  {view.trouble}" if view.trouble else ""
        return f"{label:<{widest}} {state} {figures}{trouble}".rstrip()

    def _roots(self) -> list[str]:
        fed = {child for name in self.nodes for child in self._children(name) if child != name}
        return [name for name in self.nodes if name not in fed]

    def _children(self, name: str) -> list[str]:
        hook = next((hook for hook in self._plan.webhooks if hook.name == name), None)
        node = self._plan.node(name)
        tables = {hook.table} if hook else {out.table for out in node.outputs} if node else set()
        return [n.name for n in self._plan.nodes if any(i.table in tables for i in n.inputs)]


def describe_failure(event: RunEvent) -> str:
    """Give a failure in one line: where, what, and what happens next."""
    error = event.error or {}
    where = f"{error['where']} " if error.get("where") else ""
    text = f"{where}{error.get('message', 'failed')}".split("\n")[0]
    if event.kind == "held":
        return f"{text} (the record is set aside: patterns held list)"
    if event.retry_in_s:
        return f"{text} (again in {ago(event.retry_in_s)})"
    return text


def tell_failures(view: LiveView) -> None:
    """Print the last failure of each node, with its hint."""
    last = {event.node: event for event in view.failures}
    for event in last.values():
        error = event.error or {}
        lines = [f"error[{error.get('code', 'failed')}] {event.node}: {describe_failure(event)}"]
        if error.get("hint"):
            lines.append(f"  hint: {error['hint']}")
        lines.append(f"  see: patterns logs {_quoted(event.node)}")
        note("\n".join(lines))


@contextmanager
def picture(view: LiveView, supervisor: Supervisor) -> Iterator[Callable[[str], None]]:
    """Draw the tree while the block runs, ten times a second on a terminal; else once at the end.

    Gives a function that prints a line above the picture.
    """
    if not sys.stdout.isatty():
        yield say
        for line in view.lines():
            say(line)
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import, only for terminals
    from rich.live import Live  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    def draw() -> Any:  # noqa: ANN401 - a rich renderable
        for live in supervisor.live.values():
            if live.handle is not None and live.claim.node in view.nodes:
                view.nodes[live.claim.node].state = "running"
        return Text.from_ansi("\n".join(view.lines()))

    console = Console()
    with Live(console=console, get_renderable=draw, refresh_per_second=10, transient=False):
        yield lambda line: console.print(Text.from_ansi(line))


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
