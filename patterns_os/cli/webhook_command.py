"""`patterns webhook`: test events, a list of what receives, and what was received."""

import asyncio
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from patterns_os.adapters.local.folder import holder
from patterns_os.cli import deliveries_command
from patterns_os.cli.choosing import choose
from patterns_os.cli.console import note, print_json, say
from patterns_os.cli.live import LiveView, picture
from patterns_os.cli.run_command import report
from patterns_os.cli.session import Opened, at_work, early_processes, opened
from patterns_os.cli.shell_json import AmbiguousError, read_eaten_json
from patterns_os.composition.authoring import configuration_of, find_app, load_plan, node_secrets
from patterns_os.control.bodies import parse_payload
from patterns_os.control.ingest import Answer
from patterns_os.errors import TemporaryError, UsageError
from patterns_os.launcher.pool import ProcessPool
from patterns_os.plan.spec import Plan, PlannedWebhook
from patterns_os.settings import DEFAULT_PORT, PATIENCE_S
from patterns_os.triggers.repeats import dedupe_of
from patterns_os.triggers.signatures import dressed, sign

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Send test events to webhooks, and see what they received.",
)

_ACCEPTED = 300


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": False},
    epilog="""Example: patterns webhook test --title "Slack messages" --data '{"event": {"text": "hello"}}'""",
)
def test(
    context: typer.Context,
    title: Annotated[
        str | None, typer.Option(help="The webhook's title; may be left out if there is one.")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="JSON", help="The event: JSON in quotes, @file.json, or - for standard input."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what ran as JSON.")] = False,
) -> int:
    """Send a test event to a webhook and let the app process it.

    With `patterns dev` running it goes over HTTP to that. Otherwise the event is stored, everything that it
    makes due is processed, and the command ends.
    """
    body = _body([*(data or []), *context.args])
    folder = find_app(Path.cwd())
    running = holder(folder)
    if running is not None and running.url is not None:
        plan = _running_plan(running.url)
        return _send(running.url, folder, plan, choose(plan, title), body)
    return asyncio.run(_test(title, body, json=json))


@app.command("list", epilog="Example: patterns webhook list --json")
def list_webhooks(
    json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the app's webhooks: title, address, table."""
    folder = find_app(Path.cwd())
    compiled, plan = load_plan(folder)
    running = holder(folder)
    port = configuration_of(compiled).deployment.port
    base = running.url if running and running.url else f"http://localhost:{port or DEFAULT_PORT}"
    found = [
        {"title": hook.title, "url": base + hook.path, "table": hook.table, "verified": bool(hook.verify)}
        for hook in plan.webhooks
    ]
    if json:
        print_json(found)
        return
    if not found:
        say("This app has no webhooks.")
        note("hint: patterns add script --from-template=patterns/slack-receive-messages@v0")
    for hook in found:
        checked = "" if hook["verified"] else "  (senders are not checked)"
        say(f"{hook['title']}\n  POST {hook['url']}\n  table {hook['table']}{checked}")
    if found and not (running and running.url):
        note("nothing listens now: patterns dev")


app.command("deliveries", epilog='Example: patterns webhook deliveries "Slack messages" --failed')(
    deliveries_command.deliveries
)
app.command("show", epilog="Example: patterns webhook show 12")(deliveries_command.show)
app.command("replay", epilog="Example: patterns webhook replay 12 13 --yes")(deliveries_command.replay)


def _body(words: list[str]) -> bytes:
    """Give the event's bytes: as given where they are JSON, repaired and said so where a shell ate the quotes."""
    if not words:
        raise UsageError(
            "There is no event to send", code="webhook-data", hint="""--data '{"event": {"text": "hello"}}'"""
        )
    first = words[0]
    if len(words) == 1 and first == "-":
        return sys.stdin.buffer.read()
    if len(words) == 1 and first.startswith("@"):
        try:
            return Path(first[1:]).read_bytes()
        except OSError as error:
            raise UsageError(
                f'The file "{first[1:]}" can\'t be read: {error.strerror}', code="webhook-data"
            ) from error
    if len(words) == 1:
        try:
            orjson.loads(first)
        except ValueError:
            pass
        else:
            return first.encode()
    return _repaired(words)


def _repaired(words: list[str]) -> bytes:
    try:
        value = read_eaten_json(words)
    except AmbiguousError as error:
        raise UsageError(
            f"The event is not JSON, and can't be read with its quotes eaten by the shell: {error}",
            code="webhook-data",
            hint="""put it in single quotes: --data='{"key": "value"}', or use --data=@event.json""",
        ) from error
    text = orjson.dumps(value).decode()
    note(
        f"the shell has eaten the quotes; understood: {text}\n  hint: put the JSON in single quotes: --data='{text}'"
    )
    return text.encode()


async def _test(title: str | None, body: bytes, *, json: bool) -> int:
    async with early_processes() as pool:
        with opened("patterns webhook test") as opened_app:
            return await _deliver(opened_app, pool, choose(opened_app.plan, title), body, json=json)


async def _deliver(
    opened_app: Opened, pool: ProcessPool, hook: PlannedWebhook, body: bytes, *, json: bool
) -> int:
    """Store the event as the server would, then process everything that is due."""
    view = LiveView(opened_app.plan)
    async with at_work(opened_app, view.observe, pool) as (parts, supervisor):
        table = opened_app.deployment.tables[hook.table]
        sent, headers = _dressed(hook, body, opened_app.app, opened_app.plan, f"http://localhost{hook.path}")
        answer = await parts.ingest.receive(hook, table, sent, {"host": "localhost", **headers})
        _check(answer)
        _note_held(answer)
        _note_repeat(answer)
        if not answer.is_repeat:
            view.received(hook.name, _rows_of(body))
        if json:
            await supervisor.serve(until_quiet=True, patience_s=PATIENCE_S)
        else:
            with picture(view, supervisor):
                await supervisor.serve(until_quiet=True, patience_s=PATIENCE_S)
    return report(view, json=json)


def _running_plan(url: str) -> Plan:
    """Give the webhooks of the running app: the files here may be half edited."""
    try:
        with urllib.request.urlopen(f"{url}/_patterns/status", timeout=10) as response:  # noqa: S310 - our own address
            status = orjson.loads(response.read())
    except (OSError, ValueError) as error:
        raise TemporaryError(f"{url} does not answer: {error}", code="app-unreachable") from error
    return Plan.model_validate({"app": status["app"], "webhooks": status["webhooks"]})


def _send(url: str, folder: Path, plan: Plan, hook: PlannedWebhook, body: bytes) -> int:
    """Post the event to the running app."""
    sent, headers = _dressed(hook, body, folder, plan, url + hook.path)
    request = urllib.request.Request(url + hook.path, data=sent, headers=headers, method="POST")  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own address
            is_repeat = "patterns-repeat" in response.headers
            answer = Answer(status=response.status, body=_json(response.read()), is_repeat=is_repeat)
    except urllib.error.HTTPError as error:
        answer = Answer(status=error.code, body=_json(error.read()))
    except OSError as error:
        raise TemporaryError(f"{url} does not answer: {error}", code="app-unreachable") from error
    _check(answer)
    _note_held(answer)
    _note_repeat(answer)
    say(f"{hook.title}: stored by the running app, {url}{hook.path}")
    return 0


def _check(answer: Answer) -> None:
    if answer.status < _ACCEPTED:
        return
    message = answer.body.get("message", "") if isinstance(answer.body, dict) else answer.body
    raise UsageError(f"The webhook answers {answer.status}: {message}", code="webhook-refused")


def _note_held(answer: Answer) -> None:
    """Tell of rows that did not fit the table. A webhook with an answer of its own does not say."""
    if isinstance(answer.body, dict) and answer.body.get("held"):
        rows = "1 row" if answer.body["held"] == 1 else f"{answer.body['held']} rows"
        reasons = "\n  ".join(answer.body.get("reasons", ()))
        note(f"warning[row-refused] {rows} held, patterns held list:\n  {reasons}")


def _note_repeat(answer: Answer) -> None:
    if answer.is_repeat:
        note(
            "warning[repeat] this delivery came before: it is answered as then, and nothing is stored\n"
            "  hint: give the event another id, or see patterns webhook deliveries"
        )


def _dressed(
    hook: PlannedWebhook, body: bytes, folder: Path, plan: Plan, url: str
) -> tuple[bytes, dict[str, str]]:
    """Give body and headers as the provider would send them, signature and id of the delivery included."""
    now_s = time.time()
    sent, content_type = dressed(hook.verify, body, now_s)
    number = uuid.uuid4().hex
    headers = {"content-type": content_type}
    known = dedupe_of(hook.verify, hook.dedupe)
    if known is not None and not isinstance(known, str) and "header" in known:
        headers[known["header"]] = number
    secret = node_secrets(folder, plan).get(str(hook.verify["secret"])) if hook.verify else None
    if hook.verify and secret is not None:
        headers |= sign(hook.verify, secret, sent, now_s, number, url=url)
    return sent, headers


def _rows_of(body: bytes) -> int:
    value = parse_payload(body)
    return len(value) if isinstance(value, list) else 1


def _json(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return orjson.loads(text)
    except ValueError:
        return {"message": text.decode("utf-8", "replace")}


command = typer.main.get_command(app)
