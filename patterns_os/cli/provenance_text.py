"""What is told of a row's provenance, line by line."""

from collections.abc import Iterator
from datetime import UTC, datetime

from patterns_os.cli.console import ago
from patterns_os.diagnostics import quote
from patterns_os.ports.provenance import (
    DeliveryReference,
    RangeReport,
    RowProvenance,
    RunReference,
    TakenReport,
    WriteReport,
)

_SHOWN_HASH = 8


def row_lines(found: RowProvenance, now: datetime) -> list[str]:
    """Tell a row whole: its state, who wrote it, from what, and who has taken it."""
    lines = [
        f"row {found.patterns_id} of table {quote(found.table)}: position {found.position} of {found.watermark}"
    ]
    if found.state != "there":
        lines.append(state_line(found))
    lines += _write_lines(found.written, now, "written", 0)
    if not found.taken:
        return [*lines, "taken by nobody: no node reads the table"]
    return [*lines, "taken by", *(f"  {quote(_reader(one))}: {taken_line(one, now)}" for one in found.taken)]


def row_line(found: RowProvenance, now: datetime) -> str:
    """Tell a row in one line: who wrote it, and who has not taken it yet."""
    open_ones = [one for one in found.taken if one.state in {"waiting", "running", "held", "given-up"}]
    told = f"{writer_line(found.written)} {_when(found.written.at, now)}"
    if found.state != "there":
        return f"{state_line(found)}; written by {told}"
    if not found.taken:
        return f"written by {told}; no node reads it"
    if not open_ones:
        return f"written by {told}; {_everybody(len(found.taken))}"
    waits = "; ".join(f"{quote(_reader(one))}: {taken_line(one, now)}" for one in open_ones)
    return f"written by {told}; {waits}"


def state_line(found: RowProvenance) -> str:
    """Tell why a row is not in its table any more."""
    if found.state == "replaced":
        return (
            f"replaced: it is of version {found.written.version} of the table, "
            f"version {found.active_version} is active since {_moment(found.active_since)}"
        )
    return "gone: it was deleted, or a newer row with its key has taken its place"


def taken_line(taken: TakenReport, now: datetime) -> str:
    """Tell what a node has done with a row."""
    run = "" if taken.run is None else _run(taken.run, now)
    if taken.again is not None and taken.run is not None:
        return f"set aside by run {taken.run.run}, taken by {_run(taken.again, now)}"
    told = {
        "taken": f"taken by {run}",
        "read": f"first read by {run}",
        "running": f"{run} has it",
        "waiting": f"not yet, {'cursor' if taken.access == 'stream' else 'seen'} at {taken.cursor}",
        "held": f"set aside as held record {taken.held}" + (f" after {run}" if run else ""),
        "given-up": f"{run} failed at it, and it was dropped",
        "replaced": "not taken: it was replaced before",
        "passed": "not taken: the node went past it without a run",
        "forgotten": f"passed, cursor at {taken.cursor}; no run that did is on record any more",
        "retired": f"not taken, cursor at {taken.cursor}",
    }[taken.state]
    return f"{told} (the node is retired)" if taken.is_retired else told


def writer_line(write: WriteReport) -> str:
    """Tell who made a commit."""
    if write.run is not None:
        run = write.run
        details = f"{run.reason}, attempt {run.attempt}, version {run.version[:_SHOWN_HASH]}"
        return f"run {run.run} of node {quote(run.node)} ({details})"
    if write.run_number is not None:
        return f"run {write.run_number}, whose record is not kept any more"
    if write.delivery is not None:
        return _delivery(write.delivery)
    return "no run: a delivery that is not kept any more, or a held row that was let in"


def _write_lines(write: WriteReport, now: datetime, verb: str, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}{verb} {_when(write.at, now)} by {writer_line(write)}"
    for given in write.inputs:
        yield from _range_lines(given, now, depth + 1)
    if write.left_out:
        inputs = "1 input is" if write.left_out == 1 else f"{write.left_out} inputs are"
        yield f"{'  ' * (depth + 1)}… {inputs} not followed further"


def _range_lines(given: RangeReport, now: datetime, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}from table {quote(given.table)}: {_range(given)}"
    for write in given.writes:
        # A block may be larger than what was taken of it.
        part = "written" if len(given.writes) == 1 else f"positions {write.first} to {write.last} written"
        yield from _write_lines(write, now, part, depth + 1)
    if given.more:
        yield f"{'  ' * (depth + 1)}… and by further commits"


def _range(given: RangeReport) -> str:
    if given.access == "held":
        return f"the record at position {given.upto}, which had been set aside{_its_id(given)}"
    if given.access == "read":
        return f"read as a whole, as it was at position {given.upto}{_its_id(given)}"
    count = given.upto - given.after
    if count == 1:
        return f"the row at position {given.upto}{_its_id(given)}"
    sure = "" if given.exact else ", or the first of them"
    left = "" if given.rows is None or given.rows == count else f", {given.rows} of them are there now"
    return f"{count} rows, positions {given.after + 1} to {given.upto}{sure}{left}"


def _its_id(given: RangeReport) -> str:
    if given.patterns_id is not None and given.upto - given.after == 1:
        return f", {given.patterns_id}"
    return ", which is gone" if given.rows == 0 and given.upto - given.after == 1 else ""


def _run(run: RunReference, now: datetime) -> str:
    return f"run {run.run}, {_when(run.ended_at or run.claimed_at, now)} ({run.state})"


def _delivery(delivery: DeliveryReference) -> str:
    again = f", which repeats {delivery.repeats}" if delivery.repeats is not None else ""
    return f"webhook {quote(delivery.webhook)}, delivery {delivery.delivery} ({delivery.verdict}){again}"


def _reader(taken: TakenReport) -> str:
    return f"{taken.node}/{taken.stream}" if taken.stream else taken.node


def _everybody(readers: int) -> str:
    return "its reader has taken it" if readers == 1 else f"all {readers} readers have taken it"


def _when(moment: datetime, now: datetime) -> str:
    return f"{ago(max(0.0, (now - moment).total_seconds()))} ago"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
