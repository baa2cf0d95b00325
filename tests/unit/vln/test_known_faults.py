"""The faults of the system that this one took its protocol from: a test each that would have caught it.

What needs processes is in `tests/integration/vln/test_known_faults.py`."""

import itertools
import math
import statistics
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from tests.support.figures import Figures
from tests.support.images import decoded
from tests.support.processes import ENVIRONMENT

from qwen3vl_common.navigation.settings import Camera, Keyframes
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.ipc.to_edge import CallBegan, CallResult, WantFrame
from qwen3vl_vln.ipc.to_worker import ForgetTask, TaskUpdate, ToWorker
from qwen3vl_vln.overlay.course import course
from qwen3vl_vln.overlay.projection import Projection
from qwen3vl_vln.parser import parse
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.tasks import FINISHED_SECONDS
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_vln.worker.keyframes import KeyframeChooser, View, difference, view
from qwen3vl_vln.worker.model_client import Reply
from qwen3vl_world import walkthrough

from .bench import PLAN, Bench
from .samples import FORWARD, Walk, navigation_without_worker

HZ = 30.0


def said(walk: Walk, text: str, profile: str = "waypoints") -> str:
    """The model says a text about the newest picture; what it was taken as."""
    parsed = parse(text, finish_reason="stop", profile=profile)
    points = [(point.dx, point.dy, point.dtheta) for point in parsed.waypoints]
    walk.result(parsed.outcome, *points, detail=parsed.reason)
    return parsed.outcome


def metres(answers: list[dict[str, float]], hz: float = HZ) -> float:
    """How far a robot drives that follows each answer until the next one."""
    return sum(abs(body["linear_vel"]) / hz for body in answers)


def stands(answers: list[dict[str, float]]) -> bool:
    return all(body["linear_vel"] == 0.0 and body["angular_vel"] == 0.0 for body in answers)


# 1: the default is motion


@pytest.mark.parametrize("watchdog", [True, False])
def test_default_is_motion_before_the_first_result(watchdog: bool) -> None:
    """Every frame was answered with 1.5 m/s forward until the model had spoken."""
    walk = Walk(watchdog=watchdog)
    assert stands(walk.run(5.0))


NO_PLAN = ["", " \n" * 400, "I'm sorry, I can't help with that.", "Turn around.", "↑↑←", "{}", "[]", "null"]


@pytest.mark.parametrize("text", NO_PLAN)
def test_default_is_motion_for_a_text_without_a_plan(text: str) -> None:
    """An empty answer, a refusal, white space, arrows or a wish without a number drove at 1.5 m/s."""
    walk = Walk()
    walk.run(0.5)
    walk.result("plan", FORWARD)
    assert not stands(walk.run(0.5)), "it was driving"
    assert said(walk, text) != "plan"
    assert stands(walk.run(3.0))


def test_default_is_motion_for_arrows_only_as_far_as_the_vocabulary_says() -> None:
    """Asked for in a vocabulary, two arrows are two steps of 0.25 m, and then it stands."""
    walk = Walk()
    walk.run(0.5)
    assert said(walk, "↑↑", "actions") == "plan"
    answers = walk.run(5.0)
    assert 0.4 < metres(answers) <= 0.5 and stands(answers[-30:])


# 2: NaN is full speed

NUMBERS = ["NaN", "-NaN", "Infinity", "-Infinity", "1e999", '"NaN"', "null"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("field", ["dx", "dy", "dtheta"])
def test_nan_is_full_speed(number: str, field: str) -> None:
    """A clamp of NaN gave the upper limits: 1.5 m/s and 1 rad/s."""
    walk = Walk()
    walk.run(0.5)
    point = {"dx": "0.3", "dy": "0.0", "dtheta": "0.1"} | {field: number}
    inner = ", ".join(f'"{name}": {value}' for name, value in point.items())
    text = f'{{"reached_goal": false, "waypoints": [{{{inner}}}], "action": "forward"}}'
    assert said(walk, text) == "invalid"
    assert stands(walk.run(2.0))


# 3: negation is ignored

NEGATED = [
    "Do not move forward. Stop, there is a staircase.",
    "There is a door on the left. I should stop.",
    "Don't turn left.",
    "Never go forward here.",
    "不要前进，前面有楼梯。",
    "不能左转。",
]


@pytest.mark.parametrize("text", NEGATED)
@pytest.mark.parametrize("profile", ["waypoints", "actions"])
def test_negation_is_ignored(text: str, profile: str) -> None:
    """'Do not move forward' drove forward: the first word of a table decided."""
    walk = Walk()
    walk.run(0.5)
    assert said(walk, text, profile) in ("stop", "hold", "invalid")
    assert stands(walk.run(2.0))


# 4: false goals

NO_GOAL = [
    '{"waypoints": [], "action": "hold", "reached_goal": fal',
    "{'reached_goal': True, 'waypoints': []}",
    '<think>{ is it reached_goal? }</think>{"reached_goal": false, "waypoints": [], "action": "hold"}',
    'The answer {with braces} has "reached_goal" in it',
    '{"reached_goal": "false", "waypoints": [], "action": "hold"}',
    '{"reached_goal": "true", "waypoints": [], "action": "stop"}',
    '{"reached_goal": 1, "waypoints": [], "action": "hold"}',
    '{"reached_goal": false, "waypoints": [], "action": "hold",}',
    "The goal has not been reached yet.",
    "I have not arrived at the door.",
    "任务未完成",
    "还没有到达目标",
    "When I have reached the door I will stop.",
]


@pytest.mark.parametrize("text", NO_GOAL)
@pytest.mark.parametrize("profile", ["waypoints", "actions"])
def test_false_goal(text: str, profile: str) -> None:
    """Broken JSON with the key's name, 'not been reached yet', 任务未完成 and the string "false" ended a task."""
    walk = Walk()
    for _ in range(4):
        walk.run(1.5)
        assert said(walk, text, profile) != "goal"
    assert walk.task.verdict is None and not walk.task.goal.candidate
    assert walk.run(0.1)[-1]["reached_goal"] is False


# 5: time stamps of another clock


@pytest.mark.parametrize("origin", [0.0, -1e6, 4e9])
def test_frame_number_by_rate_as_timestamp_makes_every_frame_stale(origin: float) -> None:
    """A client's own time stamps were compared with the wall clock, so that no frame was ever looked at."""
    walk = Walk(watchdog=False)
    for number in range(60):
        walk.now += 1 / HZ
        walk.frame(captured=origin + number / HZ)
    assert walk.offered, "its pictures go to the model"
    walk.result("plan", FORWARD)
    walk.now += 1 / HZ
    body = walk.frame(captured=origin + 60 / HZ)
    assert body["state"] == "moving" and body["captured_at"] == origin + 59 / HZ


# 9: the clock set back


async def test_clock_set_back_ends_key_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a step back of the wall clock the elapsed time was negative, and no key frame came ever again."""
    wall, bench = time.time(), Bench()
    hours = itertools.count()
    monkeypatch.setattr(time, "time", lambda: wall - 3600.0 * next(hours))
    try:
        bench.task("a")
        for turn in range(1, 4):
            await bench.until(WantFrame, turn)
            bench.frame("a")
            await bench.until(CallBegan, turn)
            bench.model.asked[-1][1].set_result(Reply(PLAN, "stop"))
            await bench.until(CallResult, turn)
    finally:
        await bench.scheduler.close()


# 10: the overlay is mirrored


@pytest.mark.parametrize(("turn", "side"), [(+0.4, -1), (-0.4, +1)])
@pytest.mark.parametrize("metres_ahead", [0.8, 0.0], ids=["on the way", "in place"])
def test_overlay_is_mirrored(turn: float, side: int, metres_ahead: float) -> None:
    """A turn to the left (+) was drawn to the right, and a turn in place not at all."""
    dy = math.copysign(0.25, turn) if metres_ahead else 0.0
    way = course([Waypoint(metres_ahead, dy, turn)] * 2)
    turned = way.turns[0].angle if not metres_ahead else 0.0
    points = way.line if metres_ahead else np.array([[math.cos(turned), math.sin(turned)]])
    projection = Projection(Camera(), 640, 480)
    middle = (projection.width - 1) / 2
    tip = float(projection.pixels(points[-1:])[0][0])
    assert (tip - middle) * side > 20.0


# 11: the threshold is dead on real footage


def brighter(jpeg: bytes, by: float) -> bytes:
    pixels = decoded(jpeg)
    done, data = cv2.imencode(".jpg", cv2.convertScaleAbs(pixels, beta=by), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()


def mirrored(jpeg: bytes) -> bytes:
    pixels = decoded(jpeg)
    done, data = cv2.imencode(".jpg", cv2.flip(pixels, 1), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()


@pytest.fixture(scope="module")
def footage() -> list[bytes]:
    """Six seconds of walking, ten pictures a second."""
    return walkthrough.pictures(60)


def seen(pictures: list[bytes]) -> list[View]:
    return [view(picture) for picture in pictures]


def test_threshold_is_dead_on_moving_footage(footage: list[bytes], figure: Figures) -> None:
    """Neighbouring pictures never came near the default threshold: the timer alone made key frames."""
    chooser = KeyframeChooser(Keyframes(max_interval_seconds=60.0))
    chosen = sum(chooser.choose(each, turn / 10, None, force=False) for turn, each in enumerate(seen(footage)))
    figure("key frames by difference alone, of 60 pictures of a walk", chosen, "", 6, at_least=True)
    assert chosen >= 6


def test_exposure_moves_the_threshold_more_than_motion(footage: list[bytes], figure: Figures) -> None:
    """30 grey values brighter scored 0.23, a mirrored picture 0.12. Here brightness is taken out while nothing is
    saturated (hence from the darker picture to the brighter one); a mirrored picture of a symmetric room scores little
    too, which is known."""
    pictures = footage[::4]
    views, darker = seen(pictures), seen([brighter(picture, -30.0) for picture in pictures])
    exposure = [difference(*pair) for pair in zip(darker, views, strict=True)]
    mirror = [difference(view(mirrored(picture)), each) for picture, each in zip(pictures, views, strict=True)]
    motion = [difference(*pair) for pair in itertools.pairwise(views)]
    figure("score of 30 grey values more brightness, median", statistics.median(exposure), "", Keyframes().threshold)
    figure("score of a mirrored picture, median", statistics.median(mirror), "")
    figure("score of 0.4 s of walking, median", statistics.median(motion), "")
    assert max(exposure) < Keyframes().threshold
    assert statistics.median(exposure) < statistics.median(mirror)
    assert statistics.median(exposure) < statistics.median(motion)


# 12: drawing is part of the answer


def test_latency_is_made_of_drawing() -> None:
    """Every answer waited for the drawing of its picture. The process that answers has nothing to draw with."""
    code = "import sys, qwen3vl_vln.__main__; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert "uvloop" in loaded.stdout.split(), "it is the whole program"
    assert not {"cv2", "numpy", "PIL", "simplejpeg"} & set(loaded.stdout.split())


# By reading


@pytest.mark.parametrize(("watchdog", "hz"), [(True, 30.0), (False, 30.0), (False, 5.0)])
def test_a_plan_is_sent_again_for_as_long_as_the_model_thinks(watchdog: bool, hz: float) -> None:
    """0.3 m became 12 m while the model thought about the next picture."""
    walk = Walk(watchdog=watchdog)
    walk.run(0.5, hz)
    walk.result("plan", (0.3, 0.0, 0.0))
    answers = walk.run(8.0, hz)
    assert 0.2 < metres(answers, hz) <= 0.3 + 1e-6
    assert stands(answers[-round(3 * hz) :])


def test_a_result_comes_back_to_life_after_a_stop() -> None:
    """A call under way wrote its result into a task that had been stopped meanwhile."""
    walk = Walk()
    walk.run(0.5)
    epoch, key = walk.task.epoch, walk.key
    walk.task.stop(walk.now, walk.wall)
    walk.result("plan", FORWARD, epoch=epoch, frame=key)
    walk.early_plan(FORWARD)
    assert walk.task.follower is None and walk.task.action == "" and walk.task.counts.late_results == 1
    body = walk.run(0.1)[-1]
    assert (body["state"], body["waypoints"], body["linear_vel"]) == ("stopped", [], 0.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


async def test_tasks_are_never_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks, histories and callbacks were kept for ever. Ten minutes after their end nothing is left here."""
    clock, told, navigation = Clock(), list[ToWorker](), navigation_without_worker()
    monkeypatch.setattr(navigation.link, "send", told.append)
    monkeypatch.setattr(Navigation, "now", staticmethod(lambda: clock.now))
    picture = walkthrough.pictures(1)[0]
    for number in range(1000):
        entry = navigation.create(Settings(robot=f"go2-{number}", instruction="Walk on."))
        navigation.grant(entry, "writer", takeover=False)
        navigation.frame(entry, Frame(clock.now, sequence=1, image=picture, watchdog=True))
        navigation.stop(entry, "enough")
    navigation.look_at_clock()
    assert len(navigation.tasks) == 1000, "they are still readable"
    clock.now += FINISHED_SECONDS + 1
    navigation.look_at_clock()
    assert len(navigation.tasks) == 0 and navigation.tasks.since(None) == []
    assert not len(navigation.link.frames) and not navigation._waiters._waiting and not navigation.views._watches
    ended = {message.task_id for message in told if isinstance(message, TaskUpdate) and not message.active}
    forgotten = {message.task_id for message in told if isinstance(message, ForgetTask)}
    assert len(ended) == 1000 and forgotten == ended


async def test_finished_tasks_are_kept_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock set on by an hour must not take the verdict away from those who have not read it yet."""
    navigation = navigation_without_worker()
    wall = time.time()
    navigation.stop(navigation.create(Settings(robot="go2", instruction="Walk on.")), "enough")
    monkeypatch.setattr(time, "time", lambda: wall + 3600.0)
    navigation.look_at_clock()
    assert len(navigation.tasks) == 1


async def test_histories_are_never_removed() -> None:
    """What the worker knew of a task stayed; a thousand tasks leave no job, no call and no turn behind."""
    bench = Bench()
    for number in range(1000):
        bench.task(f"t{number}")
        bench.frame(f"t{number}", image=walkthrough.pictures(1)[0] if number < 4 else None)
        bench.task(f"t{number}", epoch=2, active=False)
        bench.slots.clear()
    await bench.scheduler.close()
    scheduler = bench.scheduler
    assert not scheduler._jobs and not scheduler._tasks and scheduler.queue.idle
