"""How long the way to a robot is: told with the number, where it is what makes it slow."""

import pytest

from qwen3vl_vln.task.record import record
from qwen3vl_vln.task.round_trips import WINDOW_SECONDS, RoundTrips, Trips

from .samples import FORWARD, Walk


def test_only_the_last_ten_seconds_count() -> None:
    trips = RoundTrips()
    assert trips.recent(0.0) is None
    for number in range(30):
        trips.took(0.3 if number < 15 else 0.02, float(number))
    assert trips.recent(29.0) == Trips(0.02, 0.02)
    trips.took(0.2, 30.0)
    assert trips.recent(30.0) == Trips(0.02, 0.2)
    assert trips.recent(31.0 + WINDOW_SECONDS) is None


@pytest.mark.parametrize(("p50", "slow"), [(0.1, False), (0.15, False), (0.2, True), (0.3, True)])
def test_a_slow_link_is_said_in_answer_and_record(p50: float, slow: bool) -> None:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD, FORWARD)
    walk.task.linked(Trips(p50, 2 * p50))
    walk.now += 0.1
    body, kept = walk.frame(), record(walk.task, walk.now)
    wanted = {"rtt_p50_ms": round(1000 * p50), "rtt_max_ms": round(2000 * p50)}
    assert body["link"] == kept["link"] == wanted and body["state"] == "moving"
    for message in (body["message"], kept["message"], *kept["warnings"]):
        assert ("link_slow" in message and f"{1000 * p50:.0f} ms" in message) is slow
    walk.task.linked(None)
    assert walk.frame()["link"] is None and record(walk.task, walk.now)["warnings"] == []
