"""The building as values: walls, boxes and coloured doors, all parallel to the axes. Pure; metres and radians.

What a camera or a body needs to know about it follows from here, so that both always agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

Colour = tuple[int, int, int]
"""Blue, green, red, as OpenCV counts."""

Place = tuple[float, float]
"""Metres."""

DOOR_WIDTH, DOOR_HEIGHT = 0.9, 2.0
GOAL_METRES = 0.5
"""How far before a door's centre its goal point lies."""
WALL_HEIGHT = 2.6
DISC_RADIUS = 0.25
"""Of what walks through the building beside the robot."""
DOOR_COLOURS: dict[str, Colour] = {
    "red": (38, 34, 200),
    "blue": (196, 84, 24),
    "green": (62, 150, 30),
    "yellow": (30, 205, 235),
    "orange": (18, 118, 242),
    "purple": (150, 40, 128),
}
PLASTER: Colour = (214, 218, 220)
BROWN: Colour = (46, 74, 112)
GREY: Colour = (72, 70, 68)


@dataclass(frozen=True)
class Pose:
    """A place and a heading in the building."""

    x: float
    y: float
    yaw: float = 0.0


@dataclass(frozen=True)
class Segment:
    """One upright face, seen and bumped into from both sides."""

    x1: float
    y1: float
    x2: float
    y2: float
    height: float = WALL_HEIGHT
    colour: Colour = PLASTER

    @property
    def length(self) -> float:
        return math.hypot(self.x2 - self.x1, self.y2 - self.y1)

    def distance(self, x: float, y: float) -> float:
        """From a point to the nearest point of the face."""
        dx, dy = self.x2 - self.x1, self.y2 - self.y1
        along = ((x - self.x1) * dx + (y - self.y1) * dy) / (dx * dx + dy * dy)
        along = min(1.0, max(0.0, along))
        return math.hypot(x - self.x1 - along * dx, y - self.y1 - along * dy)


@dataclass(frozen=True)
class Box:
    """Something that stands in the way, lower than a door."""

    x: float
    y: float
    wide: float
    deep: float
    height: float = 0.55
    colour: Colour = BROWN

    def distance(self, x: float, y: float) -> float:
        """From a point to the box; 0 inside."""
        return math.hypot(max(0.0, abs(x - self.x) - self.wide / 2), max(0.0, abs(y - self.y) - self.deep / 2))

    @property
    def faces(self) -> tuple[Segment, ...]:
        """Its four sides."""
        left, right = self.x - self.wide / 2, self.x + self.wide / 2
        low, high = self.y - self.deep / 2, self.y + self.deep / 2
        corners = ((left, low), (right, low), (right, high), (left, high), (left, low))
        return tuple(Segment(*a, *b, self.height, self.colour) for a, b in pairwise(corners))


@dataclass(frozen=True)
class Door:
    """A door painted on a wall; (`nx`, `ny`) points from it into the room."""

    colour: str
    x: float
    y: float
    nx: float
    ny: float

    @property
    def goal(self) -> Pose:
        """Where a robot stands that has gone to this door, looking at it."""
        return Pose(self.x + GOAL_METRES * self.nx, self.y + GOAL_METRES * self.ny, math.atan2(-self.ny, -self.nx))


@dataclass(frozen=True)
class Poster:
    """A painted rectangle high on a wall, `wide` metres around its middle; (`x`, `y`) lies on the wall."""

    colour: str
    x: float
    y: float
    wide: float = 0.6
    low: float = 0.9
    high: float = 1.6


@dataclass(frozen=True)
class Crossing:
    """The line on which something walks up and down."""

    x1: float
    y1: float
    x2: float
    y2: float
    speed_mps: float = 0.35
    begin_metres: float = 0.0

    @property
    def length(self) -> float:
        return math.hypot(self.x2 - self.x1, self.y2 - self.y1)

    def at(self, metres: float) -> Place:
        """The place that far along."""
        share = metres / self.length
        return self.x1 + share * (self.x2 - self.x1), self.y1 + share * (self.y2 - self.y1)


@dataclass(frozen=True)
class Building:
    """Everything that stands still, and where something walks.

    Attributes:
        target: colour of the door that the first instruction speaks of; "" where there is none.
        posters: paintings that are no doors.
        crossing: where something walks up and down, if anything does.
    """

    walls: tuple[Segment, ...]
    boxes: tuple[Box, ...] = ()
    doors: tuple[Door, ...] = ()
    start: Pose = field(default_factory=lambda: Pose(0.0, 0.0))
    target: str = ""
    posters: tuple[Poster, ...] = ()
    crossing: Crossing | None = None

    @cached_property
    def faces(self) -> tuple[Segment, ...]:
        """All that a camera sees: the walls first, then the sides of the boxes."""
        return (*self.walls, *(face for box in self.boxes for face in box.faces))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least x, least y, greatest x, greatest y of the walls."""
        xs = [x for wall in self.walls for x in (wall.x1, wall.x2)]
        ys = [y for wall in self.walls for y in (wall.y1, wall.y2)]
        return min(xs), min(ys), max(xs), max(ys)

    def door(self, colour: str) -> Door:
        """The door of a colour.

        Raises:
            KeyError: there is none.
        """
        for door in self.doors:
            if door.colour == colour:
                return door
        raise KeyError(f"no {colour} door; there are {', '.join(door.colour for door in self.doors) or 'none'}")

    def clearance(self, x: float, y: float) -> float:
        """Distance from a point to the nearest wall or box."""
        things: tuple[Segment | Box, ...] = (*self.walls, *self.boxes)
        return min(thing.distance(x, y) for thing in things)


def room(width: float, depth: float) -> tuple[Segment, ...]:
    """Four walls around (0, 0) to (width, depth)."""
    corners = ((0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth), (0.0, 0.0))
    return tuple(Segment(*a, *b) for a, b in pairwise(corners))


def door_on(walls: Sequence[Segment], number: int, along: float, colour: str) -> Door:
    """A door on a wall of `room`, its centre `along` metres from where the wall begins."""
    wall = walls[number]
    dx, dy = (wall.x2 - wall.x1) / wall.length, (wall.y2 - wall.y1) / wall.length
    return Door(colour, wall.x1 + along * dx, wall.y1 + along * dy, -dy, dx)
