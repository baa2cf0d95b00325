"""No robot is driven but by a plan from a picture of this robot, sent by this writer's run, for this instruction."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from qwen3vl_common.navigation.settings import Limits, WantedState
from qwen3vl_vln.edge.navigation import Assertion
from qwen3vl_vln.errors import LeaseBusyError, RobotChangedError
from qwen3vl_vln.ipc.to_edge import CallResult, EarlyPlan
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.task.events import Frame, Owner
from qwen3vl_vln.task.http_writers import Peer
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.waypoint import Waypoint

from .samples import WALL, navigation_without_worker

OWN = Peer("default", "10.0.0.1")
PEERS = [
    Peer("default", "10.0.0.1", connection=("10.0.0.1", 4001)),
    Peer("default", "10.0.0.1", connection=("10.0.0.1", 4002)),
    Peer("default", "10.0.0.2", "arm", ("10.0.0.2", 4001)),
]
LONG = Limits(timeout_seconds=86400.0, robot_silent_seconds=3600.0)
BACK = st.sampled_from([0, 0, 0, 1, 2, 5])
"""So many pictures before the newest one is that which the model answers about."""
PLANS = [
    (Waypoint(0.5, 0.0, 0.0),),
    (Waypoint(0.0, 0.0, 0.6),),
    (Waypoint(0.3, 0.1, 0.3), Waypoint(0.4, 0.0, 0.0)),
]


@dataclass(frozen=True)
class Sent:
    """Whose picture it is, and what was to be done when it was sent.

    Attributes:
        anew: how often the walk has begun anew by then.
    """

    writer: str
    run: str
    robot: str
    instruction: str
    anew: int


@dataclass(frozen=True)
class Opened:
    """A WebSocket with a lease, by which frames may come for as long as it holds."""

    writer: str
    run: str
    lease_epoch: int


class Writers(RuleBasedStateMachine):
    """One task of a NavTask, all who want to drive its robot, by WebSocket or HTTP, and a model that answers late."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.navigation = navigation_without_worker()
        self.navigation.now = lambda: self.now  # type: ignore[method-assign]
        self.navigation.wall = lambda: WALL + self.now  # type: ignore[method-assign]
        # There is no worker that would ask for pictures: each that may be shown to the model is.
        self.navigation.link.offer = self._offer  # type: ignore[method-assign]
        self.generation, self.robot, self.instruction = 1, "a", "Walk."
        self.state: WantedState = "Running"
        self.entry = self.navigation.assert_task("walk-uid", self._wish())
        self.connections: list[Opened] = []
        self.speaker = "", ""
        self.driver = "", ""
        self.pictures = self.moved = self.anew = 0
        self.keys: dict[int, tuple[Sent, int]] = {}
        self.plans: dict[str, Sent] = {}

    def _wish(self) -> Assertion:
        owner = Owner("uid", "robots", "walk", self.generation)
        return Assertion(owner, Settings(robot=self.robot, instruction=self.instruction, limits=LONG), self.state)

    def _assert(self) -> None:
        self.generation += 1
        self.navigation.assert_task("walk-uid", self._wish())

    def _sent(self) -> Sent:
        return Sent(*self.speaker, self.robot, self.instruction, self.anew)

    def _offer(self, task: Task, frame: Frame, now: float) -> int:
        number = task.frame_pose(frame)
        self.keys[number] = self._sent(), task.epoch
        return number

    # Robots -----------------------------------------------------------------------------------------------------

    @initialize()
    def first_walk(self) -> None:
        """Most walks have begun: one writer drives by a plan."""
        self.connects("w", "1", takeover=False)
        self.frame(0, {})
        self.result(0, PLANS[0], "plan")

    @rule(writer=st.sampled_from("wx"), run=st.sampled_from("12"), takeover=st.sampled_from([True, True, False]))
    def connects(self, writer: str, run: str, takeover: bool) -> None:
        with contextlib.suppress(LeaseBusyError, RobotChangedError):
            peer = replace(OWN, name=writer)
            self.entry.need_robot(peer, self.robot if takeover else None)
            epoch = self.navigation.grant(self.entry, writer, run=run, takeover=takeover)
            self.entry.drives(peer)
            self._drives(writer, run)
            self.connections = [*self.connections[-3:], Opened(writer, run, epoch)]
            self._goes_on()

    @rule(
        by=st.integers(0, 3),
        more=st.sampled_from(
            [{}, {}, {}, {}, {}, {"image": None}, {"emergency_stop": True}, {"delayed": True}, {"blocked": True}]
        ),
    )
    def frame(self, by: int, more: dict[str, Any]) -> None:
        for given in (more, {"image": None}):
            self._frame_by(self.connections[-1 - by % len(self.connections)], given)

    def _frame_by(self, one: Opened, more: dict[str, Any]) -> None:
        if self.entry.lease.holds(one.writer, one.lease_epoch, self.now, run=one.run):
            self._frame(one.writer, one.run, **more)

    @rule(peer=st.sampled_from(PEERS), named=st.booleans())
    def frame_by_http(self, peer: Peer, named: bool) -> None:
        with contextlib.suppress(LeaseBusyError, RobotChangedError):
            self.navigation.admit_http(self.entry, peer, self.now, robot=self.robot if named else None)
            self._drives(peer.writer, "")
            self._frame(peer.writer, "")

    def _frame(self, writer: str, run: str, **more: Any) -> None:
        self.speaker = writer, run
        self.pictures += 1
        self.anew += more.get("emergency_stop", False)
        pose = self.entry.task.execution.reckoning.commanded_pose
        given: dict[str, Any] = {"image": b"picture %d" % self.pictures, "size": (640, 480), "watchdog": bool(run)}
        given |= {"odometry": Odometry(Pose(pose.x, pose.y, pose.yaw), 1)} if run else {}
        body = self.navigation.frame(self.entry, Frame(self.now, **(given | more)))
        if body["linear_vel"] or body["angular_vel"]:
            self.moved += 1
            assert self.plans[body["plan_id"]] == self._sent()
        self.now += 0.1

    def _drives(self, writer: str, run: str) -> None:
        self.anew += (writer, run) != self.driver
        self.driver = writer, run

    @rule(seconds=st.sampled_from([0.3, 0.6, 1.5, 2.5]))
    def worker_lost(self, seconds: float) -> None:
        self.now += seconds
        self.navigation.worker_lost(self.entry)

    # The model --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.keys)
    @rule(
        back=BACK,
        points=st.sampled_from(PLANS),
        outcome=st.sampled_from(["plan", "plan", "plan", "hold", "invalid"]),
    )
    def result(self, back: int, points: tuple[Waypoint, ...], outcome: str) -> None:
        frame, epoch = self._asked(back)
        result = CallResult(
            task_id="walk-uid",
            epoch=epoch,
            frame=frame,
            outcome=outcome,
            detail="",
            waypoints=points if outcome == "plan" else (),
            action="",
            environment="",
            progress=None,
            clamped=False,
            seconds=0.3,
        )
        self._said(result)

    @precondition(lambda self: self.keys)
    @rule(back=BACK, points=st.sampled_from(PLANS))
    def early_plan(self, back: int, points: tuple[Waypoint, ...]) -> None:
        frame, epoch = self._asked(back)
        self._said(EarlyPlan(task_id="walk-uid", epoch=epoch, frame=frame, waypoints=points, seconds=0.2))

    def _asked(self, back: int) -> tuple[int, int]:
        frame = list(self.keys)[-1 - back % len(self.keys)]
        return frame, self.keys[frame][1]

    def _said(self, message: CallResult | EarlyPlan) -> None:
        self.navigation.on_message(message)
        if self.entry.task.follower is not None:
            self.plans.setdefault(self.entry.task.follower.plan_id, self.keys[message.frame][0])
        self._goes_on()

    def _goes_on(self) -> None:
        for more in ({"image": None}, {}):
            self._frame_by(self.connections[-1], more)

    # People -----------------------------------------------------------------------------------------------------

    @rule(robot=st.sampled_from("ab"))
    def another_robot(self, robot: str) -> None:
        self.anew += robot != self.robot
        self.robot = robot
        self._assert()
        self.connects(*self.driver, takeover=True)

    @rule(instruction=st.sampled_from(["Walk.", "Walk to the blue door."]))
    def another_instruction(self, instruction: str) -> None:
        self.anew += instruction != self.instruction
        self.instruction = instruction
        self._assert()

    @rule()
    def pauses_and_goes_on(self) -> None:
        states: tuple[WantedState, ...] = ("Paused", "Running")
        for self.state in states:
            self.anew += 1
            self._assert()
            self._goes_on()


TestWriters = Writers.TestCase
TestWriters.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_writer_is_driven_by_its_own_plan() -> None:
    walk = Writers()
    walk.first_walk()
    assert walk.moved > 0
    before = walk.moved
    walk.connects("x", "1", takeover=True)
    walk.frame(0, {})
    walk.result(0, PLANS[1], "plan")
    assert walk.moved > before


CHANGES: dict[str, Callable[[Writers], None]] = {
    "another writer": lambda walk: walk.connects("x", "1", takeover=True),
    "another run": lambda walk: walk.connects("w", "2", takeover=True),
    "another robot": lambda walk: walk.another_robot("b"),
    "another instruction": lambda walk: walk.another_instruction("Walk to the blue door."),
    "a pause": lambda walk: walk.pauses_and_goes_on(),
    "an emergency stop": lambda walk: walk.frame(0, {"emergency_stop": True}),
    "another camera": lambda walk: walk.frame(0, {"size": (320, 240)}),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("early", [False, True], ids=["whole answer", "early plan"])
def test_what_was_asked_before_is_not_driven_after(change: str, early: bool) -> None:
    walk = Writers()
    walk.first_walk()
    assert walk.moved > 0
    asked, epoch = list(walk.keys)[-1], walk.entry.task.epoch
    CHANGES[change](walk)
    assert walk.entry.task.epoch > epoch
    before, newer = walk.moved, len(walk.keys) - 1 - list(walk.keys).index(asked)
    if early:
        walk.early_plan(newer, PLANS[0])
    else:
        walk.result(newer, PLANS[0], "plan")
    walk.frame(0, {})
    assert walk.moved == before
