"""Ticks on a real database: two schedulers, pauses, what was missed, changed crons."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from patterns_os.adapters.postgres.deployments import PostgresDeployments
from patterns_os.adapters.postgres.schedules import PostgresSchedules
from patterns_os.control.scheduler import Scheduler, fired_ticks
from patterns_os.plan.spec import Plan, PlannedCron, PlannedNode
from patterns_os.ports.deployments import Deployment

pytestmark = pytest.mark.postgres

NEVER = datetime(2090, 1, 1, tzinfo=UTC)


class Clock:
    """An app with one node that runs by a cron, and hands to move its next tick."""

    def __init__(self, conninfo: str, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.conninfo = conninfo
        self.connection = connection
        self.passwords: dict[str, str] = {}
        self.deployment: Deployment | None = None

    def deploy(self, expression: str | None, name: str = "report", **changes: Any) -> Deployment:
        cron = None if expression is None else PlannedCron(expression=expression, **changes)
        node = PlannedNode(name=name, kind="python", file="a.py", content="1", cron=cron, manual=cron is None)
        deployments = PostgresDeployments(self.conninfo, self.passwords.setdefault)
        self.deployment = deployments.deploy(Plan(app="clock", nodes=(node,)), first_ticks={name: NEVER})
        return self.deployment

    @property
    def app(self) -> int:
        assert self.deployment is not None
        return self.deployment.app

    def come(self, tick: datetime) -> None:
        """Let the next tick be that moment, which was in force for long."""
        self.connection.execute(
            "update patterns_os.schedules set next_at = %s, since = least(since, %s)",
            (tick, tick - timedelta(days=1)),
        )

    def come_now(self) -> None:
        """Let the next tick be this moment: the present promise of a cron is kept, whatever it says."""
        self.connection.execute("select pg_sleep(1.1)")
        self.connection.execute("update patterns_os.schedules set next_at = clock_timestamp()")

    def requests(self) -> list[tuple[str, str]]:
        rows = self.connection.execute(
            "select payload ->> 'tick' as tick, state from patterns_os.requests order by id"
        )
        return [(row["tick"][:16], row["state"]) for row in rows]

    def schedule(self) -> dict[str, Any]:
        row = self.connection.execute("select * from patterns_os.schedules").fetchone()
        assert row is not None
        return row

    def fire(self, times: int = 1) -> int:
        return asyncio.run(self._fire(times))

    async def _fire(self, schedulers: int) -> int:
        """Let so many schedulers look at the same time; give how many runs they requested."""
        links = [PostgresSchedules(self.conninfo, self.app) for _ in range(schedulers)]
        counts = await asyncio.gather(*(Scheduler(link, lambda: None).fire_due() for link in links))
        for link in links:
            await link.close()
        return sum(counts)

    def claim(self) -> dict[str, Any] | None:
        assert self.deployment is not None
        return self.connection.execute(
            "select * from patterns_os.claim_v1(%s, %s, 'me', 1)", (self.app, self.deployment.version)
        ).fetchone()


@pytest.fixture
def clock(database: str) -> Iterator[Clock]:
    with psycopg.connect(database, autocommit=True, row_factory=dict_row) as connection:
        yield Clock(database, connection)


def minutes_ago(count: int) -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=count)


def shown(*ticks: datetime) -> list[str]:
    return [tick.isoformat()[:16] for tick in ticks]


class TestOneRun:
    def test_of_many_schedulers_at_once_one_requests_each_tick(self, clock: Clock) -> None:
        clock.deploy("* * * * *", catchup="all")
        for _ in range(5):
            clock.connection.execute("delete from patterns_os.requests")
            clock.come(minutes_ago(3))

            assert clock.fire(4) == len(clock.requests()) >= 4
            assert len({tick for tick, _ in clock.requests()}) == len(clock.requests())

    def test_a_scheduler_that_wakes_after_another_has_fired_changes_nothing(self, clock: Clock) -> None:
        clock.deploy("* * * * *", catchup="all")
        clock.come(minutes_ago(3))

        async def pause() -> int:
            paused = PostgresSchedules(clock.conninfo, clock.app)
            (seen,) = await paused.due()
            await clock._fire(1)
            count = await paused.fire(seen, fired_ticks(seen))
            await paused.close()
            return count

        assert asyncio.run(pause()) == 0
        assert len(clock.requests()) == len(set(clock.requests())) >= 4
        assert clock.schedule()["next_at"] > datetime.now(UTC) - timedelta(seconds=5)

    def test_a_tick_that_was_requested_before_is_not_requested_again(self, clock: Clock) -> None:
        clock.deploy("@daily")
        tick = datetime(2026, 1, 1, tzinfo=UTC)
        clock.come(tick)
        first = clock.fire()
        [(requested, _)] = clock.requests()
        clock.come(datetime.fromisoformat(requested).replace(tzinfo=UTC))

        assert (first, clock.fire(), len(clock.requests())) == (1, 0, 1)


class TestMissed:
    def test_one_run_makes_up_for_all_unless_it_is_said_otherwise(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *")
        clock.come(datetime(2020, 1, 1, tzinfo=UTC))

        assert clock.fire() == 1
        newest = datetime(datetime.now(UTC).year, 1, 1, tzinfo=UTC)
        assert clock.requests() == [(*shown(newest), "pending")]
        assert (clock.schedule()["missed"], clock.schedule()["missed_at"]) == (
            newest.year - 2020,
            newest.replace(year=newest.year - 1),
        )

    def test_all_are_made_up_for_in_order(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *", catchup="all")
        clock.come(datetime(2024, 1, 1, tzinfo=UTC))

        years = range(2024, datetime.now(UTC).year + 1)
        assert clock.fire() == len(years)
        assert [tick for tick, _ in clock.requests()] == [f"{year}-01-01T00:00" for year in years]
        assert clock.schedule()["missed"] == 0

    def test_none_is_made_up_for_and_the_log_says_so(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *", catchup="none")
        clock.come(datetime(2026, 1, 1, tzinfo=UTC))

        assert (clock.fire(), clock.requests()) == (0, [])
        row = clock.connection.execute("select line from patterns_os.logs").fetchone()
        count = datetime.now(UTC).year - 2025
        assert row is not None
        assert row["line"].startswith(f"{count} tick{'s were' if count > 1 else ' was'} missed, the last at ")
        assert clock.schedule()["next_at"] > datetime.now(UTC)

    def test_a_tick_on_time_runs_whatever_is_made_up_for(self, clock: Clock) -> None:
        clock.deploy("* * * * *", catchup="none")
        clock.come(minutes_ago(30))

        assert 1 <= clock.fire() <= 2
        assert clock.schedule()["missed"] >= 29

    def test_no_more_than_a_hundred_are_made_up_for(self, clock: Clock) -> None:
        clock.deploy("* * * * *", catchup="all")
        clock.come(minutes_ago(60 * 24 * 30))

        assert clock.fire() == 100
        assert clock.schedule()["missed"] == 9_900


class TestOverlap:
    def test_ticks_wait_for_each_other(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *")
        clock.come_now()
        clock.fire()
        assert clock.claim() is not None
        clock.come_now()

        assert clock.fire() == 1
        assert [state for _, state in clock.requests()] == ["running", "pending"]
        assert clock.claim() is None

    @pytest.mark.parametrize("claimed", [True, False], ids=["while it runs", "while one waits"])
    def test_a_tick_is_left_out(self, clock: Clock, *, claimed: bool) -> None:
        clock.deploy("0 0 1 1 *", overlap="skip")
        clock.come_now()
        clock.fire()
        assert not claimed or clock.claim() is not None
        clock.come_now()

        assert clock.fire() == 0
        assert [state for _, state in clock.requests()] == ["running" if claimed else "pending", "skipped"]


class TestChanges:
    def test_a_new_cron_counts_from_its_activation_and_the_former_is_remembered(self, clock: Clock) -> None:
        clock.deploy("@daily")
        since = clock.schedule()["since"]
        clock.deploy("0 * * * *")

        assert (clock.schedule()["expression"], clock.schedule()["next_at"]) == ("0 * * * *", NEVER)
        (former,) = clock.connection.execute("select * from patterns_os.former_schedules").fetchall()
        assert (former["expression"], former["since"]) == ("@daily", since)
        assert former["until"] == clock.schedule()["since"]

    def test_the_same_cron_with_other_rules_goes_on(self, clock: Clock) -> None:
        clock.deploy("@daily")
        before = clock.schedule()
        clock.deploy("@daily", catchup="none", overlap="skip")

        assert clock.schedule() == {**before, "catchup": "none", "overlap": "skip"}
        assert clock.connection.execute("select 1 from patterns_os.former_schedules").fetchone() is None

    def test_waiting_ticks_of_the_former_cron_are_kept(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *")
        clock.come(datetime(2026, 1, 1, tzinfo=UTC))
        clock.fire()
        clock.deploy("0 12 1 1 *")

        claim = clock.claim()
        assert claim is not None
        assert claim["request"]["payload"]["tick"].startswith(f"{datetime.now(UTC).year}-01-01T00:00")

    def test_a_tick_that_had_come_before_the_change_is_still_fired(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *", catchup="all")
        clock.come(datetime(2026, 1, 1, tzinfo=UTC))
        clock.deploy("* * * * *", catchup="all")

        clock.fire()
        ticks = [tick for tick, _ in clock.requests()]
        assert ticks[0] == "2026-01-01T00:00"
        assert len(ticks) <= datetime.now(UTC).year - 2026 + 2
        assert clock.schedule()["next_at"] > datetime.now(UTC) - timedelta(seconds=5)

    def test_a_removed_cron_is_remembered_and_its_waiting_ticks_are_kept(self, clock: Clock) -> None:
        clock.deploy("0 0 1 1 *")
        clock.come(datetime(2026, 1, 1, tzinfo=UTC))
        clock.fire()
        clock.deploy(None)

        assert clock.connection.execute("select 1 from patterns_os.schedules").fetchone() is None
        assert len(clock.connection.execute("select 1 from patterns_os.former_schedules").fetchall()) == 1
        assert clock.claim() is not None
