"""What an app at work says of itself: its endpoints, schedules and storages, and what its nodes do."""

from collections.abc import Sequence
from datetime import UTC, datetime

from patterns_os.cli.console import say, styled
from patterns_os.cli.live import LiveView, describe_failure
from patterns_os.composition.running import Database
from patterns_os.launcher.supervisor import RunEvent
from patterns_os.plan.spec import Plan
from patterns_os.settings import DEFAULT_HOST, STATE_FOLDER
from patterns_os.triggers.cron import parse_cron


def welcome(plan: Plan, database: Database, url: str) -> str:
    """Give what is printed at the start: live endpoints, live schedules, storages online."""
    parts = [f"{plan.app}, version {plan.version_hash[:8]} (Ctrl-C stops)", live_parts(plan, database, url)]
    echoes = [model.name for model in plan.models if model.provider == "echo"]
    if echoes:
        parts.append(styled(f"Model {', '.join(echoes)}: answered by echo, for development only", "warn"))
    return "\n\n".join(parts) + "\n"


def live_parts(plan: Plan, database: Database, url: str) -> str:
    """Give live endpoints, live schedules and storages online."""
    shown = url.removeprefix("http://")
    endpoints = [f"{shown}{hook.path} POST" for hook in plan.webhooks]
    files = [f"files ({STATE_FOLDER}/files)"] if plan.files else []
    return "\n\n".join(
        [
            _section("Live endpoints", endpoints),
            _section("Live schedules", schedule_lines(plan)),
            _section("Storages online", [database.shown, *files]),
        ]
    )


def url_of(host: str, port: int) -> str:
    """Give the address of an app as people type it."""
    return f"http://{'localhost' if host in {DEFAULT_HOST, 'localhost'} else host}:{port}"


def schedule_lines(plan: Plan) -> list[str]:
    """Give the app's schedules in words."""
    crons = [(node.name, node.cron) for node in plan.nodes if node.cron is not None]
    widest = max((len(name) for name, _ in crons), default=0)
    return [
        f"{name:<{widest}}  {parse_cron(cron.expression, cron.timezone).describe()}" for name, cron in crons
    ]


def tell(view: LiveView, event: RunEvent) -> None:
    """Print how a run ended, with a hint where one helps."""
    view.observe(event)
    if event.kind == "started":
        return
    if event.kind == "done":
        rows = f"{event.rows_in} → {event.rows_out} rows  {event.seconds:.3f} s"
        say(stamped(f"{event.node}  {styled('done', 'good')}  {rows}"))
        return
    say(stamped(f"{event.node}  {styled(event.kind, 'bad')}  {describe_failure(event)}"))
    hint = (event.error or {}).get("hint")
    if hint:
        say(f"          hint: {hint}")


def stamped(text: str) -> str:
    """Give the text after the time of day."""
    return f"{styled(datetime.now(UTC).astimezone().strftime('%H:%M:%S'), 'quiet')}  {text}"


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines or ["None"])])
