"""Which buildings there are: the demo's, made by hand; an empty hall for open loops; and one per seed."""

from qwen3vl_world.plan import BROWN, GREY, Box, Building, Pose, door_on, room
from qwen3vl_world.seeded import building

__all__ = ["building", "demo", "empty_hall"]


def demo() -> Building:
    """A hall of 8 by 6 m: the red door straight on behind a box, the blue one to the left, the green one behind."""
    walls = room(8.0, 6.0)
    doors = (
        door_on(walls, 1, 3.4, "red"),
        door_on(walls, 2, 3.0, "blue"),
        door_on(walls, 0, 4.6, "green"),
    )
    boxes = (
        Box(4.2, 3.1, 0.5, 0.6, 0.55, BROWN),
        Box(2.4, 4.6, 0.6, 0.45, 0.5, GREY),
        Box(6.3, 1.4, 0.5, 0.5, 0.6, BROWN),
    )
    return Building(walls, boxes, doors, Pose(1.3, 2.7, 0.0), "red")


def empty_hall() -> Building:
    """Nothing to run into for 10 m ahead: for tests of what is driven, not of what is seen."""
    return Building(room(24.0, 16.0), start=Pose(8.0, 8.0))
