"""The building, the body and the camera: late, limited, repeatable, and quicker than real time."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from tests.support.figures import Figures
from tests.support.images import read

from qwen3vl_world import buildings, picture
from qwen3vl_world.camera import Camera
from qwen3vl_world.disc import Disc
from qwen3vl_world.geodesic import Ways
from qwen3vl_world.judge import Judge
from qwen3vl_world.plan import DISC_RADIUS, Building, Crossing, Door, Pose, room
from qwen3vl_world.robot import ACTUATOR_SECONDS, RADIUS, TIMEOUT_SECONDS, Reading, Robot
from qwen3vl_world.walk import Journey
from qwen3vl_world.world import CAMERA_SECONDS, World


def hall() -> Building:
    return buildings.empty_hall()


def told(robot: Robot, v: float, w: float, seconds: float, begin: float = 0.0) -> None:
    """Commands at 30 Hz."""
    for turn in range(round(seconds * 30)):
        robot.step(begin + turn / 30)
        robot.command(begin + turn / 30, v, w)
    robot.step(begin + seconds)


class TestBody:
    def test_it_follows_late_and_within_its_acceleration(self) -> None:
        robot = Robot(hall(), hall().start)
        robot.command(0.0, 0.5, 0.0)
        robot.step(ACTUATOR_SECONDS - 0.001)
        assert robot.v == 0.0
        robot.step(ACTUATOR_SECONDS + 0.1)
        assert 0 < robot.v <= 0.1 * 1.0 + 1e-6

    def test_it_stands_when_it_hears_nothing(self) -> None:
        robot = Robot(hall(), hall().start)
        told(robot, 0.5, 0.0, 2.0)
        assert robot.v == pytest.approx(0.5, abs=0.01)
        robot.step(2.0 + ACTUATOR_SECONDS + TIMEOUT_SECONDS + 1.0)
        assert abs(robot.v) < 0.01
        assert robot.moved_by_command_at <= 2.0 + ACTUATOR_SECONDS

    def test_a_wall_stops_it_and_is_counted_once(self) -> None:
        robot = Robot(Building(room(4, 4), start=Pose(2, 2)), Pose(3.0, 2.0))
        told(robot, 0.5, 0.0, 4.0)
        assert robot.collisions == 1 and robot.pose.x == pytest.approx(4 - RADIUS, abs=0.02)
        told(robot, -0.3, 0.0, 1.0, begin=4.0)
        assert robot.pose.x < 3.6, "it can get away again"

    def test_left_is_counter_clockwise(self) -> None:
        robot = Robot(hall(), Pose(8, 8, 0))
        told(robot, 0.4, 0.5, 2.0)
        assert robot.pose.yaw > 0.5 and robot.pose.y > 8.05

    def test_the_odometry_has_the_error_it_was_given(self) -> None:
        robot = Robot(hall(), Pose(8, 8, 0), scale=1.03)
        told(robot, 0.5, 0.0, 4.0)
        assert robot.odometry.x == pytest.approx(1.03 * (robot.pose.x - 8), rel=1e-6)


class TestCamera:
    def test_the_floor_is_below_and_the_door_where_it_stands(self) -> None:
        building = Building(room(6, 4), doors=(Door("red", 6.0, 2.0, -1.0, 0.0),), start=Pose(2, 2))
        pixels = Camera(building).pixels(Pose(2.0, 2.0, 0.0))
        blue, green, red = (int(value) for value in pixels[230, 320])
        assert red > 150 and green < 80 and blue < 80
        columns = np.flatnonzero((pixels[230, :, 2] > 150) & (pixels[230, :, 1] < 80))
        assert columns[-1] - columns[0] == pytest.approx(0.9 * 320 / 4, abs=4), "0.9 m wide at 4 m"
        to_the_left = Camera(building).pixels(Pose(2.0, 2.0, 0.4))
        moved = np.flatnonzero((to_the_left[230, :, 2] > 150) & (to_the_left[230, :, 1] < 80))
        assert moved.mean() > columns.mean(), "who turns left sees things move to the right"

    def test_two_cameras_of_one_seed_see_the_same_and_two_pictures_differ(self) -> None:
        first, second = Camera(buildings.demo(), 3), Camera(buildings.demo(), 3)
        one, two = first.jpeg(buildings.demo().start), second.jpeg(buildings.demo().start)
        assert one == two and first.jpeg(buildings.demo().start, number=1) != one

    def test_it_is_quicker_than_real_time(self, figure: Figures) -> None:
        camera, start = Camera(buildings.demo()), buildings.demo().start
        camera.jpeg(start)
        began = time.process_time()
        for turn in range(30):
            camera.jpeg(Pose(start.x + turn * 0.05, start.y, turn * 0.02))
        figure(
            "world: camera pictures a second on one core", 30 / (time.process_time() - began), "1/s", 30, at_least=True
        )


class TestWorld:
    def test_a_picture_shows_what_was_before(self) -> None:
        world = World(buildings.demo(), 1)
        for turn in range(60):
            world.command(turn / 30, 0.5, 0.0)
        jpeg, shown = world.frame(2.0)
        assert shown == pytest.approx(2.0 - CAMERA_SECONDS)
        assert simplejpeg.decode_jpeg(jpeg).shape == (480, 640, 3)
        assert world.odometry(2.0).x < world.robot.odometry.x

    def test_it_repeats_bit_for_bit(self) -> None:
        def run() -> tuple[bytes, Pose]:
            world = World(buildings.building(8), 8, scale=1.03)
            for turn in range(90):
                world.command(turn / 30, 0.4, 0.3 * math.sin(turn / 9))
            return world.frame(3.0)[0], world.pose

        assert run() == run()

    def test_what_happens_does_not_depend_on_how_often_one_looks(self) -> None:
        def run(looks: int) -> tuple[Pose, tuple[float, float] | None, Reading, float]:
            world = World(buildings.building(8), 8, scale=1.03, drift=0.01)
            for turn in range(90):
                for look in range(looks):
                    world.step((turn + look / looks) / 30)
                    world.shot((turn + look / looks) / 30)
                world.command(turn / 30, 0.4, 0.3 * math.sin(turn / 9))
            world.step(4.0)
            return world.pose, world.disc, world.odometry(4.0), world.path_length

        assert run(1) == run(2) == run(7)

    @pytest.mark.parametrize("seed", range(12))
    def test_every_building_can_be_walked(self, seed: int) -> None:
        building = buildings.building(seed)
        assert building.clearance(building.start.x, building.start.y) > RADIUS
        assert building.target in {door.colour for door in building.doors}
        for door in building.doors:
            assert building.clearance(door.goal.x, door.goal.y) > RADIUS
            assert building.bounds[0] < door.goal.x < building.bounds[2]
        assert len({door.colour for door in building.doors}) == len(building.doors) >= 3
        start, goal = building.start, building.door(building.target).goal
        assert Ways(building, RADIUS).metres((start.x, start.y), (goal.x, goal.y)) < math.inf
        bearing = math.remainder(math.atan2(goal.y - start.y, goal.x - start.x) - start.yaw, math.tau)
        assert abs(bearing) > math.radians(45), "the goal is out of view"
        assert (
            building.boxes and building.crossing and [poster.colour for poster in building.posters] == [building.target]
        )

    def test_buildings_are_of_all_kinds(self) -> None:
        inner = [len(buildings.building(seed).walls) - 4 - 2 for seed in range(12)]
        assert {0, 2, 6} == set(inner), "a hall, a frame, a corridor"


class TestDisc:
    CROSSING = Crossing(2.0, 5.0, 8.0, 5.0, speed_mps=0.5)

    def test_it_walks_up_and_down(self) -> None:
        disc = Disc(self.CROSSING)
        places = []
        for _ in range(600):
            disc.tick(0.05, Pose(0.0, 0.0))
            places.append(disc.place[0])
        assert max(places) == pytest.approx(8.0) and min(places[300:]) == pytest.approx(2.0, abs=0.05)

    def test_it_waits_before_a_robot_and_turns_round_in_the_end(self) -> None:
        disc = Disc(self.CROSSING)
        nearest, robot = 9.0, Pose(5.0, 5.0)
        for _ in range(400):
            disc.tick(0.05, robot)
            nearest = min(nearest, math.dist(disc.place, (robot.x, robot.y)))
        assert nearest > DISC_RADIUS + RADIUS and disc.place[0] < 4.0

    def test_it_goes_back_to_let_a_robot_pass_and_comes_again_after_a_while(self) -> None:
        disc, robot = Disc(self.CROSSING), Pose(5.0, 5.0)
        places = []
        for _ in range(1200):
            disc.tick(0.05, robot)
            places.append(disc.place[0])
        back = next(i for i in range(200, 1200) if places[i] == pytest.approx(2.0, abs=0.03))
        assert {round(x, 1) for x in places[back : back + 280]} == {2.0}
        assert max(places[back + 320 :]) > 3.5

    def test_a_robot_that_runs_into_it_collides_once_and_stands(self) -> None:
        building = Building(
            room(10, 10), start=Pose(5.0, 2.0, math.pi / 2), crossing=Crossing(4.9, 5.0, 5.1, 5.0, 0.01)
        )
        world = World(building)
        for turn in range(300):
            world.command(turn / 30, 0.5, 0.0)
        assert world.collisions == 1 and world.pose.y == pytest.approx(5.0 - DISC_RADIUS - RADIUS, abs=0.03)

    def test_the_camera_sees_it_where_it_is(self) -> None:
        building = Building(room(10, 10), start=Pose(5.0, 2.0, math.pi / 2), crossing=self.CROSSING)
        camera = Camera(building)
        empty, there = (camera.pixels(building.start, (x, 5.0)) for x in (2.0, 5.0))
        changed = np.flatnonzero(np.abs(empty[230].astype(int) - there[230]).sum(axis=1) > 60)
        assert abs(changed[(changed > 200) & (changed < 440)].mean() - 320) < 6


def test_the_judge_tells_the_door_it_stands_before() -> None:
    building = buildings.demo()
    judge, goal = Judge(building), building.door("blue").goal
    judge.look(0.0, building.start, "moving")
    for turn in range(40):
        judge.look(1.0 + turn / 30, Pose(goal.x + 0.2, goal.y, 1.0), "goal")
    assert judge.report()["door"] == "blue"
    judge.look(3.0, building.start, "moving")
    assert judge.report()["door"] == ""


def test_pictures_for_people_are_written(tmp_path: Path) -> None:
    from qwen3vl_client import Command

    building, journey = buildings.demo(), Journey()
    world = World(building)
    for turn in range(60):
        world.command(turn / 30, 0.5, 0.2)
        journey.note(turn / 30, world.frame(turn / 30)[0], Command(0.5, 0.2, "moving", "following_plan", True))
    map_file, frames_file = tmp_path / "map.png", tmp_path / "frames.png"
    picture.write_map(map_file, building, world.path)
    picture.write_frames(frames_file, journey.frames)
    assert read(map_file).shape[1] > 500
    assert read(frames_file).shape[0] >= 300
