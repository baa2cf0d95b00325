"""Which buildings there are: the demo's, made by hand; an empty hall for open loops; and one per seed."""

import math
import random

from qwen3vl_world.plan import BROWN, DOOR_COLOURS, DOOR_WIDTH, GREY, Box, Building, Door, Pose, Segment, door_on, room

PASSAGE = 1.1
"""Between two things there is this much room, or none."""


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


def building(seed: int) -> Building:
    """A hall with three or four doors, a box on the straight way to one of them, and others beside it."""
    rng = random.Random(seed)  # noqa: S311 - a plan, not a secret
    while True:
        walls = room(round(rng.uniform(7.0, 9.5), 2), round(rng.uniform(6.0, 8.0), 2))
        doors = _doors(rng, walls, rng.choice((3, 4)))
        target = doors[0]
        start = _start(rng, walls, doors, target)
        boxes = _boxes(rng, walls, doors, start, target)
        if start is not None and boxes:
            return Building(walls, boxes, doors, start, target.colour)


def _doors(rng: random.Random, walls: tuple[Segment, ...], count: int) -> tuple[Door, ...]:
    colours = rng.sample(sorted(DOOR_COLOURS), count)
    doors: list[Door] = []
    sides = rng.sample(range(4), min(4, count))
    for colour, side in zip(colours, sides, strict=True):
        margin = 1.2 + DOOR_WIDTH / 2
        doors.append(door_on(walls, side, round(rng.uniform(margin, walls[side].length - margin), 2), colour))
    return tuple(doors)


def _start(rng: random.Random, walls: tuple[Segment, ...], doors: tuple[Door, ...], target: Door) -> Pose | None:
    width, depth = walls[0].length, walls[1].length
    for _ in range(100):
        x, y = rng.uniform(1.0, width - 1.0), rng.uniform(1.0, depth - 1.0)
        far = math.hypot(x - target.goal.x, y - target.goal.y) > 4.0
        if far and all(math.hypot(x - door.x, y - door.y) > 1.5 for door in doors):
            return Pose(round(x, 2), round(y, 2), round(rng.uniform(-math.pi, math.pi), 2))
    return None


def _boxes(
    rng: random.Random, walls: tuple[Segment, ...], doors: tuple[Door, ...], start: Pose | None, target: Door
) -> tuple[Box, ...]:
    """The first one stands on the straight way; none where even that one has no room."""
    if start is None:
        return ()
    boxes: list[Box] = []
    width, depth = walls[0].length, walls[1].length
    wanted = rng.randint(2, 4)
    for attempt in range(200):
        if len(boxes) == wanted:
            break
        if boxes:
            x, y = rng.uniform(0.0, width), rng.uniform(0.0, depth)
        else:
            share = rng.uniform(0.35, 0.7)
            x = start.x + share * (target.goal.x - start.x) + rng.uniform(-0.15, 0.15)
            y = start.y + share * (target.goal.y - start.y) + rng.uniform(-0.15, 0.15)
        wide, deep, height = (round(rng.uniform(low, high), 2) for low, high in ((0.4, 0.7), (0.4, 0.7), (0.48, 0.62)))
        box = Box(round(x, 2), round(y, 2), wide, deep, height, rng.choice((BROWN, GREY)))
        if _has_room(box, walls, doors, start, boxes):
            boxes.append(box)
        if not boxes and attempt > 50:
            return ()
    return tuple(boxes)


def _has_room(box: Box, walls: tuple[Segment, ...], doors: tuple[Door, ...], start: Pose, others: list[Box]) -> bool:
    left, right = box.x - box.wide / 2, box.x + box.wide / 2
    low, high = box.y - box.deep / 2, box.y + box.deep / 2
    width, depth = walls[0].length, walls[1].length
    if min(left, low, width - right, depth - high) < PASSAGE:
        return False
    if box.distance(start.x, start.y) < 0.9 or any(box.distance(d.goal.x, d.goal.y) < PASSAGE for d in doors):
        return False
    return all(
        math.hypot(
            max(0.0, abs(box.x - other.x) - (box.wide + other.wide) / 2),
            max(0.0, abs(box.y - other.y) - (box.deep + other.deep) / 2),
        )
        >= PASSAGE
        for other in others
    )
