"""The policy's eyes on the world's pictures: no thing where there is none, and free floor that is never overstated."""

import math

import numpy as np
import pytest
import simplejpeg

from qwen3vl_server.simulator.drive.moved import motion
from qwen3vl_server.simulator.drive.sight import Picture, look
from qwen3vl_world import buildings
from qwen3vl_world.camera import Camera
from qwen3vl_world.plan import BROWN, DOOR_COLOURS, GREY, Box, Building, Pose, Poster, Segment, door_on, room


def seen_by(camera: Camera, pose: Pose, number: int = 0) -> Picture:
    """The picture as the policy gets it: JPEG halves the resolution of colours and mixes them at seams."""
    return Picture.of(np.asarray(simplejpeg.decode_jpeg(camera.jpeg(pose, number=number), "BGR"), np.uint8))


@pytest.mark.parametrize("box", [BROWN, GREY])
@pytest.mark.parametrize("door", sorted(DOOR_COLOURS))
def test_where_a_box_covers_a_door_no_third_colour_is_seen(door: str, box: tuple[int, int, int]) -> None:
    walls = room(8, 6)
    camera = Camera(Building(walls, (Box(4.3, 1.5, 0.5, 0.45, 0.5, box),), (door_on(walls, 0, 5.2, door),)), 1)
    for turn in range(16):
        picture = seen_by(camera, Pose(4.0 + 0.02 * turn, 2.9, -1.9 + 0.05 * turn))
        others = [colour for colour in DOOR_COLOURS if colour != door and look(picture, colour).target is not None]
        assert others == []


@pytest.mark.parametrize("seed", range(6))
def test_a_door_is_found_where_it_stands(seed: int) -> None:
    building = buildings.building(seed)
    camera = Camera(building, seed)
    crossing, found = building.crossing, 0
    disc = crossing and crossing.at(crossing.begin_metres)
    for door in building.doors:
        goal = door.goal
        pose = Pose(goal.x + 2.0 * door.nx, goal.y + 2.0 * door.ny, goal.yaw)
        way = [(pose.x + share * (door.x - pose.x), pose.y + share * (door.y - pose.y)) for share in (0, 0.25, 0.5)]
        solid: list[Box | Segment] = [*building.boxes, *building.walls[4:]]
        hidden = any(thing.distance(*place) < 0.6 for thing in solid for place in way)
        if hidden or (disc and any(math.dist(disc, place) < 0.8 for place in way)):
            continue
        target = look(seen_by(camera, pose), door.colour).target
        found += 1
        assert target is not None
        assert target.x == pytest.approx(2.5, abs=0.2) and target.y == pytest.approx(0.0, abs=0.1)
    assert found


def test_free_floor_ends_before_the_box_does() -> None:
    building = Building(room(8, 6), (Box(4.0, 3.0, 0.5, 0.5, 0.5, BROWN),))
    camera = Camera(building, 2)
    for away in np.arange(0.75, 2.5, 0.125):
        seen = look(seen_by(camera, Pose(3.75 - float(away), 3.0)), "red")
        assert away - 0.25 <= seen.ahead <= away + 0.05


@pytest.mark.parametrize("colour", sorted(DOOR_COLOURS))
@pytest.mark.parametrize("away", [1.2, 2.5, 4.0])
def test_a_painting_in_the_door_s_colour_is_no_door(colour: str, away: float) -> None:
    walls = room(8, 6)
    camera = Camera(Building(walls, posters=(Poster(colour, 8.0, 3.0, wide=0.8),)), 4)
    for turn in (-0.3, 0.0, 0.3):
        assert look(seen_by(camera, Pose(8.0 - away, 3.2, turn)), colour).target is None


def test_the_door_is_looked_for_though_a_painting_is_nearer() -> None:
    walls = room(8, 6)
    camera = Camera(Building(walls, doors=(door_on(walls, 1, 2.0, "red"),), posters=(Poster("red", 4.0, 6.0),)), 4)
    target = look(seen_by(camera, Pose(3.5, 3.5, 0.2)), "red").target
    assert target is not None and target.bearing < 0


class TestMotion:
    """Between two pictures: metres ahead and radians to the left."""

    @pytest.mark.parametrize("metres", [0.0, 0.1, 0.25])
    @pytest.mark.parametrize("radians", [-0.3, -0.1, 0.0, 0.2])
    def test_it_is_told_by_the_floor(self, metres: float, radians: float) -> None:
        building = buildings.demo()
        camera, start = Camera(building, 5), building.start
        later = Pose(
            start.x + metres * math.cos(start.yaw + radians / 2),
            start.y + metres * math.sin(start.yaw + radians / 2),
            start.yaw + radians,
        )
        told = motion(seen_by(camera, start, 1), seen_by(camera, later, 2))
        assert told.sure
        assert told.metres == pytest.approx(metres, abs=0.05)
        assert told.radians == pytest.approx(radians, abs=0.05)

    def test_right_before_a_wall_only_the_turn_is_told(self) -> None:
        building = buildings.demo()
        camera = Camera(building, 5)
        pose = Pose(building.bounds[2] - 0.65, 1.2, 0.0)
        told = motion(seen_by(camera, pose, 1), seen_by(camera, Pose(pose.x, pose.y, 0.2), 2))
        assert not told.sure and told.metres == 0.0
