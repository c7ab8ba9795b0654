from pathlib import Path

import pytest

from patterns_os.launcher.supervisor import LiveRun, Supervisor, Workplace
from patterns_os.ports.claims import Claim
from patterns_os.ports.deployments import Deployment


class Handle:
    """A node process that is only ever killed."""

    def __init__(self):
        self.is_killed = False

    def kill(self):
        self.is_killed = True


@pytest.fixture
def supervisor(monkeypatch):
    workplace = Workplace(folder=Path("app"), environment={}, secrets={}, scripts={})
    made = Supervisor(None, Deployment.__new__(Deployment), workplace)
    claim = Claim(
        run=7, token=1, node="n", lane=0, reason="rows", attempt=1, narrow=None, inputs=(), tables={}
    )
    made.live[7] = LiveRun(claim, 0.0, Handle())
    return made


def test_a_run_that_ended_while_the_beat_waited_for_its_commit_is_not_killed(supervisor):
    supervisor._let_go({7})
    supervisor._let_go(set())

    assert not supervisor.live[7].handle.is_killed


def test_a_run_that_two_beats_do_not_name_is_killed(supervisor):
    supervisor._let_go(set())
    supervisor._let_go(set())

    assert supervisor.live[7].handle.is_killed
    assert supervisor.live[7].killed == "another launcher has taken the run"


def test_only_beats_in_a_row_count(supervisor):
    for own in (set(), {7}, set()):
        supervisor._let_go(own)

    assert not supervisor.live[7].handle.is_killed
