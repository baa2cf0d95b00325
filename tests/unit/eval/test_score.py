"""What a walk is worth: shortest ways, success, false goals and SPL, against cases counted by hand."""

import math

import pytest

from qwen3vl_world.geodesic import Ways
from qwen3vl_world.plan import Box, Building, Pose, Segment, room
from qwen3vl_world.robot import RADIUS
from qwen3vl_world.verdict import Standard, spl

HALL = Building(room(10, 10))
WALL = Building((*room(10, 10), Segment(5, 0, 5, 7)))
GOAL = (8.0, 2.0)


def standard(building: Building = WALL) -> Standard:
    return Standard(Ways(building, RADIUS), (2.0, 2.0), GOAL)


def stood(one: Standard, *places: tuple[float, float], seconds: float = 1.5) -> Standard:
    """It was at these places, at each for so long."""
    for number, (x, y) in enumerate(places):
        one.look(number * seconds, Pose(x, y))
        one.look((number + 1) * seconds, Pose(x, y))
    return one


class TestWays:
    def test_where_nothing_stands_it_is_the_straight_line_at_any_angle(self) -> None:
        assert Ways(HALL, RADIUS).metres((1, 1), (9, 4)) == pytest.approx(math.hypot(8, 3))

    def test_round_the_end_of_a_wall_it_is_two_tangents_and_an_arc(self) -> None:
        # From (2, 2) to (5, 7) it is √34; the tangents to the circle of 0.25 m around the wall's end are shorter.
        tangent = math.sqrt(34 - RADIUS**2)
        arc = math.tau - 2 * math.acos(RADIUS / math.sqrt(34)) - 2 * math.atan2(3, 5)
        exact = 2 * tangent + RADIUS * arc
        assert Ways(WALL, RADIUS).metres((2, 2), GOAL) == pytest.approx(exact, rel=0.012)

    def test_a_gap_narrower_than_the_robot_is_none(self) -> None:
        open_by = [
            Ways(Building((*room(10, 10), Segment(5, 0, 5, 4), Segment(5, 4 + gap, 5, 10))), RADIUS).metres(
                (2, 2), GOAL
            )
            for gap in (0.45, 0.6)
        ]
        assert open_by[0] == math.inf and open_by[1] < math.inf

    def test_it_goes_round_a_box_on_the_shorter_side(self) -> None:
        way = Ways(Building(room(10, 10), (Box(5, 4.6, 1, 1),)), RADIUS).way((2, 5), (8, 5))
        assert len(way) > 2 and all(y > 5 for _, y in way[1:-1])


class TestScore:
    def test_declared_and_standing_at_the_goal_is_a_success(self) -> None:
        score = stood(standard(), (8.0, 2.3)).score(declared=True, driven_metres=20.0)
        assert score.success and score.oracle and not score.false_goal
        assert score.spl == pytest.approx(standard().shortest_metres / 20)
        assert score.metres_from_goal == pytest.approx(0.3)

    def test_the_edge_of_the_disc_is_where_it_ends(self) -> None:
        assert standard(HALL).shortest_metres == pytest.approx(5.5)
        assert stood(standard(), (8.0, 2.49)).score(declared=True, driven_metres=12).success
        assert not stood(standard(), (8.0, 2.52)).score(declared=True, driven_metres=12).success

    def test_declared_somewhere_else_is_a_false_goal(self) -> None:
        score = stood(standard(), (3.0, 2.0)).score(declared=True, driven_metres=1.0)
        assert score.false_goal and not score.success and not score.oracle and score.spl == 0

    def test_there_but_not_declared_is_only_an_oracle_success(self) -> None:
        score = stood(standard(), (8.0, 2.0), (6.0, 2.0)).score(declared=False, driven_metres=14.0)
        assert score.oracle and not score.success and not score.false_goal and score.spl == 0

    def test_it_has_to_stand_there(self) -> None:
        assert not stood(standard(), (8.0, 2.0), seconds=0.4).score(declared=True, driven_metres=12).success

    def test_behind_a_wall_near_is_far(self) -> None:
        one = Standard(Ways(WALL, RADIUS), (2.0, 2.0), (5.3, 2.0))
        score = stood(one, (4.85, 2.0)).score(declared=True, driven_metres=3.0)
        assert score.metres_from_goal > 9 and score.false_goal


@pytest.mark.parametrize(
    ("success", "shortest", "driven", "share"),
    [
        (True, 4.0, 5.0, 0.8),
        (True, 4.0, 4.0, 1.0),
        (True, 4.0, 3.9, 1.0),
        (False, 4.0, 4.0, 0.0),
        (True, 0.0, 0.0, 1.0),
        (True, 0.0, 2.0, 0.0),
    ],
)
def test_spl(success: bool, shortest: float, driven: float, share: float) -> None:
    assert spl(success, shortest, driven) == pytest.approx(share)
