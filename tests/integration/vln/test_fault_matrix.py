"""Proof that the robot stands: whatever fails, the last command that is not zero reaches the base in time.

The robot's program, the VLN API's two processes and the engine are processes of their own; the base is the world's and
counts on the real clock, the way of a command to it included. `hack/faults --write` keeps the table in the docs."""

import asyncio
import contextlib
import json
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from tests.integration.vln import wire as wires
from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, child_of, frame, running
from tests.integration.vln.flooding import flood
from tests.integration.vln.matrix import Matrix, Row
from tests.integration.vln.timeofday import LIBRARY, PACKAGE, TimeOfDay
from tests.integration.vln.walking import KEY_FRAME_SECONDS, Ground, Walker
from tests.support.figures import Figures
from tests.support.polling import until

from localkube import packages
from localkube.report import Failure
from qwen3vl_client import boot_time
from qwen3vl_client.images import OLD_IN_A_ROW, YOUNG_SECONDS
from qwen3vl_common.navigation.settings import Limits
from qwen3vl_vln.motion.agreement import COMMANDED_METRES, LAG_SECONDS, MIRRORED_COMMANDED_RADIANS
from qwen3vl_vln.motion.plan import Plan
from qwen3vl_vln.motion.plan_follower import GRACE_SECONDS
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_world.robot import TIMEOUT_SECONDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

STAND_SECONDS = 0.3
"""An answer holds for 250 ms; 50 ms is a command's way to the base."""
WORKER_SILENT_SECONDS = 1.0
"""So long a worker may say nothing."""
MODEL_TIMEOUT_SECONDS, SLOW_SECONDS = 4.0, 3.0
NEW_PLANS = 3
CALL_SECONDS = 0.2
"""The engine's own time for an answer here, with what a loaded machine adds."""
PICTURE_SECONDS = 0.1
ODOMETRY_SECONDS = 0.2
"""From a motion to a pose that shows it, with the loop's turn and the comparison's."""
TURN = {"reached_goal": False, "waypoints": [{"dx": 0.0, "dy": 0.0, "dtheta": 0.8}], "action": "left"}
SLOWEST_TURN = 0.4
"""rad/s of the 0.8 that it ramps up to, on average over the first bit."""
STALL_SECONDS, DRIVING_SECONDS = 3.0, 5.0
LEAST_REST_METRES, ROUNDING = 0.02, 0.02
"""Waypoints are told to a tenth of a millimetre."""
LATE_CAMERAS = (
    (0.0, 0.5, "camera later by 0.5 s each second"),
    (20.0, 0.0, "camera 20 s late"),
)
PACKAGES = {"ip": "iproute2", "nft": "nftables", str(LIBRARY): PACKAGE}


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    matrix = Matrix()
    yield matrix
    matrix.write()


@pytest.fixture(scope="module")
def network() -> Iterator[wires.Wire | str]:
    """A wire, or why there is none."""
    with contextlib.suppress(Failure):
        packages.ensure(PACKAGES)
    with contextlib.ExitStack() as stack:
        wire: wires.Wire | str
        try:
            wire = stack.enter_context(wires.wire())
        except wires.NoWireError as error:
            wire = str(error)
        yield wire


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(
    tmp_path_factory: pytest.TempPathFactory, matrix: Matrix, network: wires.Wire | str, figure: Figures
) -> AsyncIterator[Ground]:
    folder = tmp_path_factory.mktemp("ground")
    cuttable = isinstance(network, wires.Wire)
    host = wires.SERVER if cuttable else "127.0.0.1"
    async with running(folder, "--model-timeout-seconds", str(MODEL_TIMEOUT_SECONDS), host=host) as chain:
        yield Ground(
            chain,
            folder,
            matrix,
            figure,
            wire=network if isinstance(network, wires.Wire) else None,
            no_wire="" if cuttable else str(network),
        )


async def resumed(ground: Ground, walker: Walker) -> None:
    """The operator tells a new VLN API of the task; the robot moves only by what the model says from then on."""
    await ground.assert_task(walker.task_id, walker.robot, resume={"elapsedSeconds": 1.0, "steps": 1})
    await walker.told("restarted", "hold")
    await walker.walks()


# The programs and the machines --------------------------------------------------------------------------------------


async def test_the_robot_s_program_killed(ground: Ground) -> None:
    async with ground.walking() as walker:
        walker.process.kill()
        at = time.monotonic()
        await walker.quiet()
        ground.stood(
            "robot's program killed",
            walker,
            at,
            STAND_SECONDS,
            # No zero follows: it is the base that ends the motion.
            by=walker.body.last_motion + TIMEOUT_SECONDS,
            told="nothing: the base's own time-out of 250 ms",
            then="a new program of the same robot walks on",
        )
        async with ground.program(walker.task_id, walker.robot) as again:
            await again.walks()


async def test_the_server_killed(ground: Ground) -> None:
    async with ground.walking() as walker:
        await ground.chain.vln.kill()
        at = time.monotonic()
        await walker.told("not_connected")
        await walker.quiet()
        ground.stood(
            "VLN API killed",
            walker,
            at,
            STAND_SECONDS,
            told="client: not_connected",
            then="hold/restarted, then walks on by a new plan",
        )
        await ground.chain.vln.start()
        await resumed(ground, walker)


async def test_the_pod_rolled(ground: Ground) -> None:
    async with ground.walking() as walker:
        before = walker.plan_id
        ground.chain.vln.signal(signal.SIGTERM)
        at = time.monotonic()
        await walker.told("not_connected")
        assert await ground.chain.vln.running.wait() == 0, "it ends in order"
        await walker.quiet()
        ground.stood(
            "pod rolled: VLN API told to end, another one started",
            walker,
            at,
            STAND_SECONDS,
            told="client: not_connected",
            then="hold/restarted, then walks on by a new plan",
        )
        await ground.chain.vln.start()
        await resumed(ground, walker)
        after = walker.plan_id
        assert before.partition("-")[0] != after.partition("-")[0], "plans of another process are not driven"


async def test_the_edge_frozen(ground: Ground) -> None:
    async with ground.walking() as walker:
        ground.chain.vln.signal(signal.SIGSTOP)
        at = time.monotonic()
        await walker.told("not_connected")
        await walker.quiet()
        ground.stood(
            "VLN API's edge process stopped (SIGSTOP)",
            walker,
            at,
            STAND_SECONDS,
            told="client: answer_too_old, then not_connected",
            then="connects anew and walks on once it runs again",
        )
        ground.chain.vln.signal(signal.SIGCONT)
        await walker.walks()


async def test_the_worker_killed(ground: Ground) -> None:
    async with ground.walking() as walker:
        os.kill(child_of(ground.chain.vln.running.pid), signal.SIGKILL)
        at = time.monotonic()
        silent = await walker.told("worker_silent", "error")
        # Another one is started at once, and what is left of a plan may be driven then.
        await walker.walks()
        ground.stood(
            "VLN API's worker process killed",
            walker,
            at,
            STAND_SECONDS,
            by=walker.body.last_motion_before(silent.at),
            told="error/worker_silent",
            then="walks on once a new worker runs",
        )


async def test_the_worker_frozen(ground: Ground) -> None:
    async with ground.walking() as walker:
        worker = child_of(ground.chain.vln.running.pid)
        os.kill(worker, signal.SIGSTOP)
        at = time.monotonic()
        await walker.told("worker_silent", "error")
        await walker.quiet()
        ground.stood(
            "VLN API's worker process stopped (SIGSTOP)",
            walker,
            at,
            WORKER_SILENT_SECONDS + STAND_SECONDS,
            told="error/worker_silent",
            then="walks on once it runs again",
        )
        os.kill(worker, signal.SIGCONT)
        await walker.walks()


# The model ----------------------------------------------------------------------------------------------------------


def longest_drive(model_seconds: float) -> float:
    """Seconds from a key frame until nothing of its plan may be driven any more."""
    limits, plan = Limits(), Plan(tuple(Waypoint(**point) for point in FORWARD["waypoints"]))
    return min(limits.max_plan_age_seconds, model_seconds + plan.seconds(limits) + GRACE_SECONDS)


@pytest.mark.parametrize("fault", ["killed", "hangs", "slow", "failing"])
async def test_the_model_gives_no_answer(ground: Ground, fault: str) -> None:
    chain = ground.chain
    async with ground.walking() as walker:
        if fault == "killed":
            await chain.engine.kill()
        else:
            slow: dict[str, Any] = {"fault": "reply", "text": json.dumps(FORWARD), "seconds": SLOW_SECONDS}
            await chain.fault(**{"slow": slow, "hangs": {"fault": "hang"}, "failing": {"fault": "500"}}[fault])
        at = time.monotonic()
        reason = "model_failed" if fault in ("killed", "failing") else "model_slow"
        await walker.told(reason)
        await walker.until(lambda told: not told.moves, "it stands")
        await walker.quiet(0.2)
        # The newest key frame whose answer still came was sent before the fault, at most a call earlier.
        ground.stood(
            {"failing": "model answers 500", "slow": f"model takes {SLOW_SECONDS:g} s"}.get(fault, f"model {fault}"),
            walker,
            at,
            longest_drive(CALL_SECONDS),
            told=reason,
            then={"slow": "drives what is left of the late plan"}.get(fault, "walks on when the model answers"),
        )
        if fault == "killed":
            await chain.engine.start()
        if fault != "slow":
            await chain.says(FORWARD)
        await walker.walks()


async def test_the_model_talks_rubbish(ground: Ground) -> None:
    async with ground.walking() as walker:
        await ground.chain.says('{"reached_goal": false, "waypoints": [{"dx": NaN, "dy": 0, "dthe')
        at = time.monotonic()
        await walker.told("invalid_result", "hold")
        await walker.quiet()
        ground.stood(
            "model answers rubbish",
            walker,
            at,
            # Until the next key frame it is not asked; what it then says ends the plan at once.
            KEY_FRAME_SECONDS + CALL_SECONDS + STAND_SECONDS,
            told="hold/invalid_result",
            then="walks on by the next plan",
        )
        await ground.chain.says(FORWARD)
        await walker.walks()


# The network --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", wires.HOOKS)
async def test_the_network_cut(ground: Ground, direction: str) -> None:
    if ground.wire is None:
        pytest.skip(ground.no_wire)
    async with ground.walking(wire=ground.wire) as walker:
        with ground.wire.cut(direction):
            at = time.monotonic()
            await walker.told("not_connected")
            await walker.quiet()
            ground.stood(
                f"network cut {direction}",
                walker,
                at,
                STAND_SECONDS,
                told="client: answer_too_old, then not_connected",
                then="connects anew and walks on once packets pass",
            )
        await walker.walks()


# The camera ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lag", "growth", "fault"), LATE_CAMERAS)
async def test_the_camera_is_late(ground: Ground, lag: float, growth: float, fault: str) -> None:
    async with ground.walking() as walker:
        walker.say(f"lag {lag} {growth}")
        at = time.monotonic()
        await walker.told("picture_too_old", "stale")
        await walker.quiet()
        grown = YOUNG_SECONDS / growth if growth else 0.0
        ground.stood(
            fault,
            walker,
            at,
            grown + PICTURE_SECONDS * (OLD_IN_A_ROW + 1) + STAND_SECONDS,
            told="client: stale/picture_too_old",
            then="walks on once its pictures are young",
        )
        walker.say("lag 0 0")
        await walker.walks()


async def test_the_camera_is_late_and_the_robot_connects_anew(ground: Ground) -> None:
    async with ground.walking() as walker:
        walker.say("lag 5 0")
        at = time.monotonic()
        await walker.told("picture_too_old", "stale")
        walker.say("cut")
        again = await walker.until(lambda told: told.said["connections"] == 2, "it is connected anew")
        await walker.quiet(1.5)
        ground.stood(
            "camera 5 s late, and a new connection",
            walker,
            at,
            PICTURE_SECONDS * (OLD_IN_A_ROW + 1) + STAND_SECONDS,
            told="client: stale/picture_too_old",
            then="walks on once its pictures are young",
        )
        assert not any(told.moves for told in walker.body.since(again.at))
        walker.say("lag 0 0")
        await walker.walks()


# Odometry -----------------------------------------------------------------------------------------------------------


async def test_the_odometry_is_frozen(ground: Ground) -> None:
    async with ground.walking() as walker:
        walker.say("odometry healthy")
        await walker.goes_on(1.5)
        walker.say("odometry frozen")
        at = time.monotonic()
        held = await walker.told("not_moving", "hold")
        ground.stood(
            "odometry frozen",
            walker,
            at,
            # The way of which nothing shows may begin while an earlier one is still looked at.
            2 * COMMANDED_METRES / Limits().linear_meters_per_second + LAG_SECONDS + ODOMETRY_SECONDS + STAND_SECONDS,
            by=walker.body.last_motion_before(held.at),
            told="hold/not_moving",
            then="another try by the next picture; the third time it is stuck",
        )
        await walker.told("stuck", "hold")
        walker.say("odometry healthy")


async def test_the_odometry_is_mirrored(ground: Ground) -> None:
    async with ground.walking() as walker:
        walker.say("odometry mirrored")
        await ground.chain.says(TURN)
        turned = await walker.until(lambda told: told.w > 0, "it turns")
        held = await walker.told("odometry_mirrored", "hold")
        await walker.quiet()
        ground.stood(
            "odometry mirrored, and a turn",
            walker,
            turned.at,
            # Looked at from 0.7 s after the first turn; what is told then may take as long to show.
            2 * LAG_SECONDS + MIRRORED_COMMANDED_RADIANS / SLOWEST_TURN + ODOMETRY_SECONDS + STAND_SECONDS,
            by=walker.body.last_motion_before(held.at),
            told="hold/odometry_mirrored",
            then="stands until its odometry begins anew",
            plan=TURN,
            plan_since=turned.at,
        )
        await walker.quiet(2 * KEY_FRAME_SECONDS)
        assert not any(told.moves for told in walker.body.since(held.at + STAND_SECONDS))
        await ground.chain.says(FORWARD)
        walker.say("odometry healthy")
        await walker.walks()


async def test_the_odometry_jumps(ground: Ground) -> None:
    async with ground.walking() as walker:
        walker.say("odometry healthy")
        await walker.goes_on(1.0)
        walker.say("odometry jumps")
        at = time.monotonic()
        held = await walker.told("odometry_jump", "hold")
        ground.stood(
            "odometry jumps by 2 m to the side",
            walker,
            at,
            STAND_SECONDS,
            by=walker.body.last_motion_before(held.at),
            told="hold/odometry_jump",
            then="walks on by the next plan, from the new origin",
        )
        await walker.walks()


# Neighbours ---------------------------------------------------------------------------------------------------------


async def test_a_neighbour_floods_the_server(ground: Ground) -> None:
    task = await ground.chain.create(robot="flooder")
    async with ground.walking() as walker:
        at = time.monotonic()
        with flood(ground.chain, task, 5000) as flooding:
            await until(lambda: flooding.code, 15, "the close message")
        assert flooding.code == 4429
        ground.drove_on(
            "a neighbour sends 5,000 messages a second", walker, at, told="the neighbour: 4429", then="walks on"
        )


async def test_an_older_client_stalls(ground: Ground) -> None:
    """A client without a watchdog of its own drives on by what it was told last; that is why it is told less."""
    chain = ground.chain
    await chain.says(FORWARD)
    task = await chain.create(robot="older")
    stalled: list[tuple[float, float]] = []
    began = time.monotonic()
    while time.monotonic() - began < DRIVING_SECONDS:
        _, answer = await chain.ask("POST", "/vln/frame", frame(task, int((time.monotonic() - began) * 30)))
        rest = sum(math.hypot(point["dx"], point["dy"]) for point in answer["waypoints"])
        driven = answer["linear_vel"] * STALL_SECONDS
        if driven and rest >= LEAST_REST_METRES:
            stalled.append((driven / rest, driven - rest))
        await asyncio.sleep(1 / 30)
    await chain.ask("POST", f"/vln/task/{task}/stop")
    assert len(stalled) > 30, "it drove"
    times, beyond = (max(each) for each in zip(*stalled, strict=True))
    fault = f"an older client, without a watchdog, stalls for {STALL_SECONDS:g} s at the worst moment"
    told, then = (
        "nothing: it is told no more than it may drive in 1 s",
        f"drives {times:.1f} times the rest of its plan",
    )
    ground.matrix.rows.append(Row(fault, None, None, None, max(0.0, beyond), 0.0, told, then))
    ground.figure(f"{fault}: times the rest of its plan", times, "", STALL_SECONDS)
    assert times <= STALL_SECONDS + ROUNDING


# The clock ----------------------------------------------------------------------------------------------------------


def time_of_day(ground: Ground, name: str) -> TimeOfDay:
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY} is not there; it comes with the package {PACKAGE}")
    return TimeOfDay(ground.folder / name)


async def walks_through(ground: Ground, walker: Walker, fault: str, at: float) -> None:
    """It goes on by new plans, which come of new key frames, and never stands."""

    def plans() -> set[str]:
        return {told.said["answer"]["plan_id"] for told in walker.body.since(at) if told.moves}

    await walker.until(lambda _: len(plans()) > NEW_PLANS, f"{NEW_PLANS} new plans")
    ground.drove_on(fault, walker, at, told="moving/following_plan", then="key frames and plans go on")
    assert walker.last.said["connections"] == 1


async def test_the_server_s_clock_set(ground: Ground) -> None:
    clock, vln = time_of_day(ground, "server.clock"), ground.chain.vln
    await vln.end()
    try:
        vln.environment |= clock.environment
        await vln.start()
        async with ground.walking() as walker:
            for hours in (+1, -1):
                clock.step(hours * 3600)
                at, wall = time.monotonic(), time.time()
                await walks_through(ground, walker, f"server's clock set by {hours:+d} h", at)
                stamp = (await ground.chain.task(walker.task_id))["last_step"]["at"]
                assert abs(stamp - wall - hours * 3600) < 60, "the server believed it"
    finally:
        await vln.end()
        for name in clock.environment:
            del vln.environment[name]
        await vln.start()


async def test_the_client_s_clock_set(ground: Ground) -> None:
    clock = time_of_day(ground, "client.clock")
    async with ground.walking(environment=clock.environment) as walker:
        for hours in (+1, -1):
            clock.step(hours * 3600)
            at = time.monotonic()
            await walks_through(ground, walker, f"robot's clock set by {hours:+d} h", at)
            told = walker.last
            off = told.said["clock"] - time.time()
            assert abs(off - hours * 3600) < 60, "the robot's program believed it"


# People -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["REST, a robot's key", "REST, a key that may only stop", "the robot's WebSocket"])
async def test_a_stop_while_the_model_is_asked(ground: Ground, way: str) -> None:
    chain = ground.chain
    async with ground.walking() as walker:
        await chain.fault(fault="reply", text=json.dumps(FORWARD), seconds=1.5)
        await walker.until(
            lambda told: told.moves and told.said["answer"]["age_ms"] > KEY_FRAME_SECONDS * 1000, "asked"
        )
        assert (await chain.ask("GET", "/vln/pipeline/stats"))[1]["queue_size"] >= 1, "a call is under way"
        at = time.monotonic()
        if way.startswith("REST"):
            key = "stop-key" if "only" in way else ROBOT_KEY
            status, _ = await chain.ask("POST", f"/vln/task/{walker.task_id}/stop", key=key)
            assert status == 200
        else:
            walker.say("stop")
        await walker.told("stop_requested", "stopped")
        await walker.quiet(2.0)
        ground.stood(
            f"stop by {way}, while the model is asked",
            walker,
            at,
            STAND_SECONDS,
            told="stopped/stop_requested",
            then="ended as Cancelled; the late answer moves nothing",
        )
        assert (await chain.task(walker.task_id))["verdict"] == "Cancelled"


async def test_a_second_program_with_the_same_key(ground: Ground) -> None:
    async with ground.walking() as walker:
        at = time.monotonic()
        for seed in range(30):
            status, body = await ground.chain.ask("POST", "/vln/frame", frame(walker.task_id, seed))
            assert status == 409 and body["error"]["code"] == "lease_busy"
            await asyncio.sleep(1 / 30)
        ground.drove_on(
            "second program with the same key", walker, at, told="the second: 409", then="the first walks on"
        )


async def test_the_robot_s_program_started_again_while_the_model_is_asked(ground: Ground) -> None:
    async with ground.walking() as walker:
        await ground.chain.fault(fault="reply", text=json.dumps(FORWARD), seconds=SLOW_SECONDS)
        await walker.until(
            lambda told: told.moves and told.said["answer"]["age_ms"] > KEY_FRAME_SECONDS * 1000, "asked"
        )
        walker.process.kill()
        at = time.monotonic()
        began = boot_time()
        async with ground.program(walker.task_id, walker.robot) as again:
            moved = await again.until(lambda told: told.moves, "it walks")
            assert moved.said["answer"]["captured_at"] >= began, "by a picture of its own"
        ground.stood(
            "robot's program started again while the model is asked",
            walker,
            at,
            STAND_SECONDS,
            by=walker.body.last_motion + TIMEOUT_SECONDS,
            told="nothing: the base's own time-out of 250 ms",
            then="the new program is driven only by its own pictures",
        )


async def test_a_second_writer(ground: Ground) -> None:
    async with ground.walking() as walker:
        at = time.monotonic()
        async with ground.program(walker.task_id, walker.robot, options={"--writer": "other"}) as other:
            await other.until(lambda told: "4409" in (told.said["refusal"] or ""), "it is refused")
            assert not any(told.moves for told in other.body.told)
        ground.drove_on("second writer", walker, at, told="the second: closed with 4409", then="the first one walks on")
        takeover = {"--writer": "other", "--takeover": None}
        async with ground.program(walker.task_id, walker.robot, options=takeover) as other:
            taken = await other.until(lambda told: told.said["connections"], "it is connected")
            await walker.until(lambda told: "4410" in (told.said["refusal"] or ""), "the first one has lost the task")
            await other.walks()
            await walker.quiet()
            ground.stood(
                "second writer takes over",
                walker,
                taken.at,
                STAND_SECONDS,
                told="the first: closed with 4410",
                then="the second one walks",
            )
            assert all(not told.moves for told in walker.body.since(taken.at + STAND_SECONDS))
