"""Who is silent, as the rescuer has seen it itself."""

import asyncio
from collections.abc import Sequence

from patterns_os.control.rescuer import Rescuer
from patterns_os.ports.claims import OwnedLane


class Lanes:
    """Claims with lanes that a test sets."""

    def __init__(self) -> None:
        self.lanes: list[OwnedLane] = []
        self.taken: list[int] = []

    async def owned_lanes(self) -> list[OwnedLane]:
        return list(self.lanes)

    async def rescue(self, lanes: Sequence[OwnedLane]) -> int:
        self.taken += [lane.token for lane in lanes]
        return len(lanes)


def lane(beat: int, token: int = 1) -> OwnedLane:
    return OwnedLane(node=1, lane=0, token=token, beat=beat, launcher="a", launcher_kind="local")


def watched(story: Sequence[tuple[float, list[OwnedLane]]]) -> list[int]:
    """Play a story of (seconds, lanes seen then); give the tokens that were taken."""
    lanes, now = Lanes(), [0.0]
    rescuer = Rescuer(lanes, lambda: None, lambda: now[0])

    async def play() -> None:
        for at, seen in story:
            now[0], lanes.lanes = at, seen
            await rescuer.look()

    asyncio.run(play())
    return lanes.taken


def test_a_beat_that_stands_still_for_fifteen_seconds_is_taken() -> None:
    assert watched([(t, [lane(5)]) for t in range(0, 18, 3)]) == [1]


def test_a_beat_that_moves_is_left_alone() -> None:
    assert watched([(t, [lane(t)]) for t in range(0, 60, 3)]) == []


def test_a_new_token_is_watched_afresh() -> None:
    assert watched([(t, [lane(5, token=1 + (t >= 9))]) for t in range(0, 21, 3)]) == []


def test_after_a_pause_of_its_own_it_begins_to_watch_afresh() -> None:
    assert watched([(0, [lane(5)]), (3, [lane(5)]), (60, [lane(5)]), (63, [lane(5)])]) == []
