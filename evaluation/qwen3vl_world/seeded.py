"""One building per seed: two rooms with a door frame or a corridor between them, or one hall; coloured doors, boxes, a
dead end with a painting in the colour that is looked for, and something that walks across the way. Pure."""

import math
import random
from dataclasses import replace
from functools import lru_cache, partial

from qwen3vl_world.geodesic import Ways
from qwen3vl_world.plan import (
    BROWN,
    DISC_RADIUS,
    DOOR_COLOURS,
    DOOR_WIDTH,
    GREY,
    Box,
    Building,
    Crossing,
    Door,
    Place,
    Pose,
    Poster,
    Segment,
    door_on,
    room,
)
from qwen3vl_world.robot import RADIUS

TRIES = 8
"""Of one step, before all is begun anew."""
KINDS = ("hall", "frame", "corridor")
PASSAGE = 1.1
"""Between a box and anything else there is this much room, or more."""
AROUND_METRES = 1.4
"""From a box to the start and to the walls between two rooms: a robot that cannot go back must see its way round."""
FRAME_METRES = 0.9
CORRIDOR_METRES = (1.0, 1.3)
CORRIDOR_LENGTH = (1.2, 1.8)
START_METRES = 4.0
"""From the start to the goal point, at least."""
UNSEEN_RADIANS = math.radians(60)
"""The goal's bearing at the start is more than this; the camera sees 45 degrees to each side."""
_NICHE_LENGTH = 1.2
_SPARE = 0.05
"""So much wider than the robot is every way to the goal."""


@lru_cache(maxsize=64)
def building(seed: int) -> Building:
    """The building of a number: always the same."""
    rng = random.Random(seed)  # noqa: S311 - a plan, not a secret
    kind = rng.choice(KINDS)
    while True:
        made = _try(rng, kind)
        if made is not None:
            return made


def _try(rng: random.Random, kind: str) -> Building | None:
    walls = room(round(rng.uniform(7.5, 10.0), 2), round(rng.uniform(6.5, 8.0), 2))
    doors = _doors(rng, walls)
    target = doors[0]
    start = _start(rng, walls, doors)
    plan = Building(walls, (), doors, start, target.colour)
    for furnish in (partial(_divide, kind=kind), _niche, _put_boxes, _cross):
        furnished = next((made for made in (furnish(rng, plan) for _ in range(TRIES)) if made is not None), None)
        if furnished is None:
            return None
        plan = furnished
    goal = (target.goal.x, target.goal.y)
    reachable = math.isfinite(Ways(plan, RADIUS + _SPARE).metres((start.x, start.y), goal))
    return plan if reachable and _door_in_sight(plan, target) else None


def _doors(rng: random.Random, walls: tuple[Segment, ...]) -> tuple[Door, ...]:
    count = rng.choice((3, 4))
    colours = rng.sample(sorted(DOOR_COLOURS), count)
    margin = 1.2 + DOOR_WIDTH / 2
    sides = rng.sample(range(4), count)
    return tuple(
        door_on(walls, side, round(rng.uniform(margin, walls[side].length - margin), 2), colour)
        for colour, side in zip(colours, sides, strict=True)
    )


def _start(rng: random.Random, walls: tuple[Segment, ...], doors: tuple[Door, ...]) -> Pose:
    """Far from the first door, near none, and looking elsewhere."""
    width, depth = walls[0].length, walls[1].length
    goal = doors[0].goal
    while True:
        x, y = round(rng.uniform(1.0, width - 1.0), 2), round(rng.uniform(1.0, depth - 1.0), 2)
        far = math.dist((x, y), (goal.x, goal.y)) > START_METRES
        if far and all(math.dist((x, y), (door.x, door.y)) > 1.5 for door in doors):
            away = rng.uniform(UNSEEN_RADIANS, math.tau - UNSEEN_RADIANS)
            bearing = math.atan2(doors[0].y - y, doors[0].x - x)
            return Pose(x, y, round(math.remainder(bearing + away, math.tau), 2))


def _divide(rng: random.Random, plan: Building, *, kind: str) -> Building | None:
    """A wall between start and goal with a door frame in it, or a block with a corridor through it, or nothing."""
    if kind == "hall":
        return plan
    start, goal = plan.start, plan.door(plan.target).goal
    along_x = abs(goal.x - start.x) > abs(goal.y - start.y)
    _, _, right, high = plan.bounds
    most = high if along_x else right
    share = rng.uniform(0.4, 0.6)
    middle = _between(start, goal, share)
    at, opening = (middle[0], middle[1]) if along_x else (middle[1], middle[0])
    opening += rng.uniform(-0.1, 0.1)
    thick = rng.uniform(*CORRIDOR_LENGTH) if kind == "corridor" else 0.0
    half = (rng.uniform(*CORRIDOR_METRES) if kind == "corridor" else FRAME_METRES) / 2
    first, last = round(opening - half, 2), round(opening + half, 2)
    sides = [round(at - thick / 2, 2), round(at + thick / 2, 2)] if thick else [round(at, 2)]
    if first < 0.3 or last > most - 0.3:
        return None
    lines = [(side, begin, side, end) for side in sides for begin, end in ((0.0, first), (last, most))]
    if thick:
        lines += [(sides[0], edge, sides[1], edge) for edge in (first, last)]
    if not along_x:
        lines = [(y1, x1, y2, x2) for x1, y1, x2, y2 in lines]
    walls = tuple(Segment(x1, y1, x2, y2) for x1, y1, x2, y2 in lines)
    near = min(wall.distance(door.x, door.y) for wall in walls for door in plan.doors)
    ends = min(wall.distance(place.x, place.y) for wall in walls for place in (start, goal))
    return replace(plan, walls=(*plan.walls, *walls)) if near > 1.0 and ends > 0.8 else None


def _niche(rng: random.Random, plan: Building) -> Building | None:
    """Two short walls before an outer one, and between them a painting in the colour of the goal."""
    outer = plan.walls[rng.randrange(4)]
    wide = rng.uniform(*CORRIDOR_METRES)
    margin = 0.4 + wide / 2
    middle = rng.uniform(margin, outer.length - margin)
    dx, dy = (outer.x2 - outer.x1) / outer.length, (outer.y2 - outer.y1) / outer.length
    x, y = outer.x1 + middle * dx, outer.y1 + middle * dy
    feet = [(x + side * wide / 2 * dx, y + side * wide / 2 * dy) for side in (-1, 1)]
    stubs = tuple(
        Segment(round(fx, 2), round(fy, 2), round(fx - _NICHE_LENGTH * dy, 2), round(fy + _NICHE_LENGTH * dx, 2))
        for fx, fy in feet
    )
    inner = plan.walls[4:]
    for stub in stubs:
        samples = [(stub.x1 + s * (stub.x2 - stub.x1), stub.y1 + s * (stub.y2 - stub.y1)) for s in (0.0, 0.5, 1.0)]
        if any(math.dist((door.x, door.y), place) < 1.5 for door in plan.doors for place in samples):
            return None
        if any(wall.distance(*place) < PASSAGE for wall in inner for place in samples):
            return None
        if stub.distance(plan.start.x, plan.start.y) < 0.8:
            return None
    poster = Poster(plan.target, round(x, 2), round(y, 2), wide=round(rng.uniform(0.5, 0.8), 2))
    return replace(plan, walls=(*plan.walls, *stubs), posters=(poster,))


def _put_boxes(rng: random.Random, plan: Building) -> Building | None:
    """The first one stands on the straight way; none where even that one has no room."""
    start, goal = plan.start, plan.door(plan.target).goal
    left, low, right, high = plan.bounds
    wanted = rng.randint(2, 4)
    for attempt in range(80):
        if len(plan.boxes) == wanted:
            break
        if plan.boxes:
            x, y = rng.uniform(left, right), rng.uniform(low, high)
        elif attempt < 40:
            x, y = _between(start, goal, rng.uniform(0.2, 0.8))
            x, y = x + rng.uniform(-0.15, 0.15), y + rng.uniform(-0.15, 0.15)
        else:
            return None
        wide, deep, height = (round(rng.uniform(*span), 2) for span in ((0.4, 0.7), (0.4, 0.7), (0.48, 0.62)))
        box = Box(round(x, 2), round(y, 2), wide, deep, height, rng.choice((BROWN, GREY)))
        if _has_room(box, plan):
            plan = replace(plan, boxes=(*plan.boxes, box))
    return plan


def _dividing(plan: Building) -> tuple[Segment, ...]:
    """The walls between the two rooms: neither the outer ones nor those of the dead end."""
    return plan.walls[4 : len(plan.walls) - 2 * len(plan.posters)]


def _has_room(box: Box, plan: Building) -> bool:
    if box.distance(plan.start.x, plan.start.y) < AROUND_METRES:
        return False
    if any(box.distance(door.goal.x, door.goal.y) < PASSAGE for door in plan.doors):
        return False
    half = math.hypot(box.wide, box.deep) / 2
    if any(wall.distance(box.x, box.y) - half < PASSAGE for wall in plan.walls):
        return False
    if any(wall.distance(box.x, box.y) - half < AROUND_METRES for wall in _dividing(plan)):
        return False
    return all(
        math.dist((box.x, box.y), (o.x, o.y)) - half - math.hypot(o.wide, o.deep) / 2 > PASSAGE for o in plan.boxes
    )


def _cross(rng: random.Random, plan: Building) -> Building | None:
    """Something walks up and down across the straight way, where it has room."""
    start, goal = plan.start, plan.door(plan.target).goal
    length = math.dist((start.x, start.y), (goal.x, goal.y))
    nx, ny = -(goal.y - start.y) / length, (goal.x - start.x) / length
    for _ in range(30):
        x, y = _between(start, goal, rng.uniform(0.25, 0.8))
        ends = [side * rng.uniform(0.7, 1.6) for side in (-1, 1)]
        line = [round(value, 2) for end in ends for value in (x + end * nx, y + end * ny)]
        crossing = Crossing(line[0], line[1], line[2], line[3], round(rng.uniform(0.25, 0.45), 2))
        places = [crossing.at(share * crossing.length) for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
        apart = min(plan.clearance(*place) for place in places) - DISC_RADIUS
        ends_apart = min(math.dist(place, (end.x, end.y)) for place in places for end in (start, goal))
        # Wider than the robot, so that nobody is squeezed in.
        if apart > 2 * RADIUS + 0.2 and ends_apart > 1.4:
            return replace(plan, crossing=replace(crossing, begin_metres=round(rng.uniform(0, crossing.length), 2)))
    return None


def _door_in_sight(plan: Building, door: Door) -> bool:
    """Half of the door or more is seen from the start over everything that is low."""
    inner = plan.walls[4:]
    seen = 0
    for side in (-0.35, -0.15, 0.0, 0.15, 0.35):
        end = (door.x + side * door.ny + 0.01 * door.nx, door.y - side * door.nx + 0.01 * door.ny)
        seen += not any(_cut(wall, (plan.start.x, plan.start.y), end) for wall in inner)
    return seen >= 3


def _cut(wall: Segment, begin: Place, end: Place) -> bool:
    """Whether a wall stands between two places."""

    def side(ax: float, ay: float, bx: float, by: float, x: float, y: float) -> float:
        return (bx - ax) * (y - ay) - (by - ay) * (x - ax)

    one = side(*begin, *end, wall.x1, wall.y1) * side(*begin, *end, wall.x2, wall.y2)
    two = side(wall.x1, wall.y1, wall.x2, wall.y2, *begin) * side(wall.x1, wall.y1, wall.x2, wall.y2, *end)
    return one < 0 and two < 0


def _between(start: Pose, goal: Pose, share: float) -> Place:
    return start.x + share * (goal.x - start.x), start.y + share * (goal.y - start.y)
