"""Ways over the known floor: short, wide, and round what stands there."""

import math

import numpy as np
import pytest

from qwen3vl_server.simulator.drive.memory import moving, recall
from qwen3vl_server.simulator.drive.moved import Motion
from qwen3vl_server.simulator.drive.sight import Sighting, Target
from qwen3vl_server.simulator.drive.ways import FARTHEST_METRES, LEAST_CLEARANCE, Floor, way

RAYS = np.linspace(1, -1, 80).astype(np.float32)
FAR = np.full(80, FARTHEST_METRES, np.float32)
NOTHING = np.zeros((0, 2), np.float32)


def floor(*points: tuple[float, float]) -> Floor:
    return Floor(np.array(points, np.float32).reshape(-1, 2), RAYS, FAR)


def wall(ahead: float, begin: float, end: float) -> list[tuple[float, float]]:
    """Points across, from right to left."""
    return [(ahead, float(left)) for left in np.arange(begin, end, 0.04)]


def gap(corners: list[tuple[float, float]], points: list[tuple[float, float]]) -> float:
    """The least distance of a way from things."""
    least, here = math.inf, (0.0, 0.0)
    for there in corners:
        for share in np.linspace(0, 1, 60):
            place = (here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1]))
            least = min(least, *(math.dist(place, point) for point in points))
        here = there
    return least


def test_where_nothing_stands_it_is_straight() -> None:
    assert way(floor(), (3.0, 1.0), 0.3) == [(3.0, 1.0)]


@pytest.mark.parametrize("aside", [-0.2, 0.0, 0.2])
def test_it_goes_round_what_stands_in_the_way(aside: float) -> None:
    points = wall(1.6, aside - 0.3, aside + 0.3)
    corners = way(floor(*points), (3.5, 0.0), 0.0)
    assert corners[-1] == (3.5, 0.0) and gap(corners, points) > LEAST_CLEARANCE - 0.06


def test_it_goes_through_the_middle_of_a_frame() -> None:
    points = [*wall(2.0, -3.0, -0.2), *wall(2.0, 0.7, 3.0)]
    corners = way(floor(*points), (4.0, 0.0), 0.0)
    assert gap(corners, points) > 0.36


def test_no_gap_too_narrow_for_it_is_taken() -> None:
    points = [*wall(2.0, -3.0, -0.24), *wall(2.0, 0.24, 3.0)]
    assert all(corner[0] < 2.0 for corner in way(floor(*points), (4.0, 0.0), 0.0))


def test_who_has_turned_to_one_side_stays_with_it() -> None:
    """The box a little more to the left: left is as short, but the robot looks to the right of it already."""
    points = wall(1.5, 0.0, 0.7)
    assert way(floor(*points), (3.2, 0.9), 0.27)[0][1] < 0.2


def test_who_stands_near_something_can_still_go_away_from_it() -> None:
    corners = way(floor((0.0, 0.27)), (2.0, -0.5), -0.2)
    assert corners[-1] == (2.0, -0.5)


def test_something_remembered_within_the_robot_opens_no_way_through_what_stands_before_it() -> None:
    points = [(0.05, 0.05), *wall(0.55, -0.6, 0.6)]
    assert gap(way(floor(*points), (2.0, 0.0), 0.0), points[1:]) > 0.2


def test_a_place_beyond_what_is_known_is_gone_towards() -> None:
    x, y = way(floor(), (1.0, 9.0), 1.4)[-1]
    assert abs(y) < 3.1 and y / x == pytest.approx(9.0)


def test_what_was_seen_is_remembered_where_it_is_now() -> None:
    target = Target(0.0, 3.0, 0.0, (2.4, 0.0), 0.0, True, False, False)
    before = Sighting(target, np.array([(1.0, 0.5)], np.float32), RAYS, FAR, 4.0)
    empty = Sighting(None, NOTHING, RAYS, FAR, 4.0)
    known = recall([before, empty], [Motion(0.6, 0.0, sure=True), Motion(0.0, math.pi / 2, sure=True)])
    assert known.target is not None and known.age == 1
    assert (known.target.x, known.target.y) == pytest.approx((0.0, -2.4), abs=1e-6)
    assert known.target.bearing == pytest.approx(-math.pi / 2)
    assert known.beside == pytest.approx(np.array([[0.5, -0.4]]), abs=1e-5)


@pytest.mark.parametrize(("before_metres", "walks"), [(4.0, True), (1.1, False)])
def test_what_stands_where_the_floor_was_free_is_walking(before_metres: float, walks: bool) -> None:
    points = np.array(wall(1.0, -0.15, 0.15), np.float32)
    before = Sighting(None, NOTHING, RAYS, np.full(80, before_metres, np.float32), before_metres)
    now = Sighting(None, points, RAYS, FAR, 1.0)
    assert bool(len(moving(now, [before], [Motion(0.1, 0.0, sure=True)]))) is walks
