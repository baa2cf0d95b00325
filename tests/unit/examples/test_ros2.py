"""The ROS 2 example as far as it goes without ROS: it compiles, its topics fit together, its arithmetic is right. With
ROS it runs in tests/integration/ros2."""

import ast
import importlib.util
import math
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

PACKAGE = Path(__file__).parents[3] / "examples/ros2/qwen3vl_robot"


def config(name: str) -> Any:
    return yaml.safe_load((PACKAGE / "config" / f"{name}.yaml").read_text())[name]["ros__parameters"]


@pytest.fixture(scope="module")
def values() -> ModuleType:
    spec = importlib.util.spec_from_file_location("qwen3vl_robot_values", PACKAGE / "qwen3vl_robot/values.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(name: str) -> str:
    text = (PACKAGE / name).read_text()
    compile(text, name, "exec")
    return text


def calls(text: str, function: str) -> list[list[Any]]:
    """The constant arguments of every call of something with this name."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == function:
            found.append([each.value for each in node.args if isinstance(each, ast.Constant)])
    return found


def test_everything_compiles_and_is_installed() -> None:
    for path in PACKAGE.rglob("*.py"):
        text_of(str(path.relative_to(PACKAGE)))
    setup = text_of("setup.py")
    for path in (*PACKAGE.glob("config/*"), *PACKAGE.glob("launch/*.py")):
        assert f'"{path.relative_to(PACKAGE)}"' in setup
    assert ElementTree.parse(PACKAGE / "package.xml").findtext("name") == "qwen3vl_robot"


def test_what_the_launch_file_starts_is_declared() -> None:
    launch = ast.walk(ast.parse(text_of("launch/robot.launch.py")))
    started = {
        word.value.value
        for node in launch
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "package" and isinstance(word.value, ast.Constant)
    }
    needed = {each.text for each in ElementTree.parse(PACKAGE / "package.xml").findall("exec_depend")}
    assert started - {"qwen3vl_robot"} <= needed and len(started) == 4


def test_every_velocity_goes_through_mux_and_monitor() -> None:
    node, launch = text_of("qwen3vl_robot/node.py"), text_of("launch/robot.launch.py")
    mux, monitor = config("twist_mux"), config("collision_monitor")
    [[published]] = calls(node, "create_publisher")
    assert mux["topics"]["model"]["topic"] == published
    assert f'("cmd_vel_out", "{monitor["cmd_vel_in_topic"]}")' in launch
    assert monitor["cmd_vel_out_topic"] == "cmd_vel" and '"cmd_vel"' not in node
    assert mux["use_stamped"] is False and monitor["enable_stamped_cmd_vel"] is False


def test_the_button_is_above_all_and_a_person_above_the_model() -> None:
    mux = config("twist_mux")
    priorities = {name: topic["priority"] for name, topic in mux["topics"].items()}
    [lock] = mux["locks"].values()
    assert lock["priority"] > max(priorities.values()) and lock["timeout"] > 0
    assert min(priorities, key=lambda name: priorities[name]) == "model"
    assert mux["topics"]["model"]["timeout"] <= 0.25
    assert [lock["topic"]] in calls(text_of("qwen3vl_robot/node.py"), "create_subscription")


def test_the_monitor_has_a_zone_to_stop_in_and_a_scanner_that_may_not_be_silent() -> None:
    monitor = config("collision_monitor")
    assert monitor[monitor["polygons"][0]]["action_type"] == "stop"
    for name in monitor["polygons"]:
        points = ast.literal_eval(monitor[name]["points"])
        assert len(points) >= 3 and all(len(point) == 2 for point in points)
    assert 0 < monitor["source_timeout"] <= 1.0
    assert all(monitor[name]["enabled"] for name in monitor["observation_sources"])


@pytest.mark.parametrize(("seconds", "starts"), [(0.25, True), (0.5, True), (0.0, False), (-1.0, False), (0.6, False)])
def test_the_node_starts_only_with_a_base_that_has_a_time_out(values: ModuleType, seconds: float, starts: bool) -> None:
    refusal = values.wrong_base_timeout(seconds)
    assert (refusal is None) == starts
    assert starts or "the base driver needs its own time-out" in refusal
    assert values.wrong_base_timeout(math.nan) is not None
    assert ["base_timeout_seconds", 0.0] in calls(text_of("qwen3vl_robot/node.py"), "declare")


@pytest.mark.parametrize("yaw", [-3.0, -0.5, 0.0, 1.0, 3.1])
def test_yaw_of_a_quaternion(values: ModuleType, yaw: float) -> None:
    assert values.yaw_of(0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)) == pytest.approx(yaw)


def test_when_a_picture_was_taken(values: ModuleType) -> None:
    assert values.captured_seconds(100.0, 1e9 + 0.2, 1e9) == pytest.approx(99.8)
    assert values.captured_seconds(100.0, 1e9, 1e9 + 5) == 105.0
    assert values.captured_seconds(100.0, 1e9 + 0.6, 1e9) == pytest.approx(99.4)


def test_a_jump_of_the_odometry_is_counted(values: ModuleType) -> None:
    origin = values.Origin()
    assert [origin.seen(x, 0.0, yaw) for x, yaw in ((0, 3.1), (0.02, -3.1), (0.04, -3.1), (2.0, -3.1), (2.0, 0.0))] == [
        0,
        0,
        0,
        1,
        2,
    ]


class TestTrack:
    def test_a_picture_goes_with_where_the_robot_was_when_it_was_taken(self, values: ModuleType) -> None:
        track = values.Track()
        track.add(10.0, values.Place(1.0, 0.0, 3.1, 0.4, 0.0, 0))
        track.add(10.2, values.Place(1.2, 0.1, -3.1, 0.6, 0.2, 0))
        between = track.at(10.05)
        assert (between.x, between.y, between.v) == pytest.approx((1.05, 0.025, 0.45))
        assert between.yaw == pytest.approx(3.1 + 0.25 * (math.tau - 6.2)), "the short way round"
        assert track.at(10.2) == track.at(11.0) == values.Place(1.2, 0.1, -3.1, 0.6, 0.2, 0)

    def test_nothing_is_guessed_before_what_is_remembered_or_across_a_jump(self, values: ModuleType) -> None:
        track = values.Track()
        assert track.at(10.0) is None
        track.add(10.0, values.Place(0.0, 0.0, 0.0, 0.0, 0.0, 0))
        track.add(10.2, values.Place(5.0, 0.0, 0.0, 0.0, 0.0, 1))
        assert track.at(9.9) is None
        assert track.at(10.1) == values.Place(0.0, 0.0, 0.0, 0.0, 0.0, 0)

    def test_a_second_is_kept(self, values: ModuleType) -> None:
        track = values.Track()
        for turn in range(100):
            track.add(turn / 30, values.Place(turn, 0.0, 0.0, 0.0, 0.0, 0))
        assert track.at(99 / 30 - 0.99) is not None and track.at(99 / 30 - 1.1) is None
