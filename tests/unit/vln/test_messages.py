"""Messages between edge and worker: each survives the way and is acted on at its end; nothing else passes for one."""

import inspect
import json
import typing
from collections.abc import AsyncIterator, Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.images import jpeg
from tests.support.polling import until

from qwen3vl_common.navigation.settings import Camera, Keyframes, Limits
from qwen3vl_vln.edge.navigation import Navigation
from qwen3vl_vln.ipc import to_edge, to_worker
from qwen3vl_vln.ipc.fields import reader
from qwen3vl_vln.ipc.frame_slots import Arena
from qwen3vl_vln.ipc.messages import Message, UnreadableMessageError, decode_to_edge, decode_to_worker, encode
from qwen3vl_vln.ipc.rows import OdometryPose
from qwen3vl_vln.ipc.to_edge import (
    Alive,
    CallBegan,
    CallFailed,
    CallResult,
    ContextWarning,
    EarlyPlan,
    Fault,
    FrameDecoded,
    FrameFault,
    ModelWarm,
    RecordingStatus,
    SlotLeft,
    ToEdge,
    ViewDrawn,
    WantFrame,
)
from qwen3vl_vln.ipc.to_worker import (
    DrawView,
    ForgetTask,
    JournalBatch,
    LeaveSlot,
    ToWorker,
    WorkerSettings,
)
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_vln.worker.worker import Worker, build

from .bench import camera_frame, task_update
from .samples import WORKER, navigation_without_worker

KINDS: list[type[Message]] = list(typing.get_args(ToWorker | ToEdge))

# What a message may carry. Numbers and texts are those that JSON has.
for _kind, _values in (
    (str, st.text(max_size=8)),
    (int, st.integers(-(2**53), 2**53)),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (Path, st.text("abc/._-", min_size=1).map(Path)),
    (Limits, st.builds(lambda mps: Limits(linear_meters_per_second=mps, reverse=True), st.floats(0.01, 3))),
    (Keyframes, st.builds(lambda share: Keyframes(threshold=share), st.floats(0, 1))),
    (Camera, st.builds(lambda metres: Camera(height_meters=metres), st.floats(0.05, 3))),
):
    st.register_type_strategy(_kind, _values)


def decode(line: bytes, kind: type[Message]) -> Message:
    return decode_to_worker(line) if kind in typing.get_args(ToWorker) else decode_to_edge(line)


# The way -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_each_message_survives_the_way(kind: type[Message], data: st.DataObject) -> None:
    built = {field.name: data.draw(st.from_type(hint)) for field, hint in _declared(kind)}
    message = kind(**built)
    line = encode(message)
    assert b"\n" not in line, "a message is one line"
    assert decode(line, kind) == message


def _declared(kind: type[Message]) -> list[tuple[Any, Any]]:
    hints = typing.get_type_hints(kind)
    return [(field, hints[field.name]) for field in fields(kind)]


def test_each_class_of_the_two_modules_is_a_message_and_says_what_it_means() -> None:
    for module, union in ((to_worker, ToWorker), (to_edge, ToEdge)):
        own = {one for _, one in inspect.getmembers(module, inspect.isclass) if one.__module__ == module.__name__}
        assert own - {Fault} == set(typing.get_args(union)), "one that is in no union is sent by nobody"
    for kind in KINDS:
        assert kind.__doc__ and not kind.__doc__.startswith(f"{kind.__name__}("), "a docstring of its own"
        assert kind.__dataclass_params__.frozen and hasattr(kind, "__slots__")  # type: ignore[union-attr]


def unreadable(line: bytes, decode: Callable[[bytes], Message], said: str) -> None:
    with pytest.raises(UnreadableMessageError, match=said):
        decode(line)


def test_what_is_no_message_is_told_by_one_error() -> None:
    for line in (b"", b"{}", b"[]", b'["Alive"]', b'[["Alive"],{}]', b"nothing", b'["Nobody",{}]', b'["Alive",{},1]'):
        unreadable(line, decode_to_edge, "is no message of Alive, WantFrame")
    unreadable(encode(Alive()), decode_to_worker, "is no message of WorkerSettings")
    unreadable(encode(ForgetTask(task_id="t")), decode_to_edge, "is no message of Alive")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epoch": None}, "epoch is a NoneType"),
        ({"epoch": True}, "epoch is a bool"),
        ({"epoch": 1.0}, "epoch is a float"),
        ({"epoch": "1"}, "epoch is a str"),
        ({"force": 1}, "force is a int"),
        ({"task_id": 7}, "task_id is a int"),
        ({"received_at": None}, "received_at is a NoneType"),
        ({"pose": [1.0, 2.0, 0.5, 1]}, "pose: needs the fields origin, x, y, yaw"),
        ({"pose": {"x": 1.0, "y": 2.0, "yaw": 0.5}}, "pose: needs the fields"),
        ({"pose": {"x": 1.0, "y": 2.0, "yaw": 0.5, "origin": "1"}}, "pose: origin is a str"),
        ({"more": 1}, "needs the fields"),
    ],
)
def test_a_field_that_is_wrong_is_named(change: dict[str, Any], said: str) -> None:
    frame = camera_frame("t-1", 1, pose=OdometryPose(x=1.0, y=2.0, yaw=0.5, origin=1))
    kind, body = orjson.loads(encode(frame))
    unreadable(orjson.dumps([kind, body | change]), decode_to_worker, f"CameraFrame: {said}")


@pytest.mark.parametrize("kind", KINDS)
def test_no_field_can_be_left_out(kind: type[Message]) -> None:
    sample = next(one for one in [*HANDLED_BY_WORKER, *HANDLED_BY_EDGE] if type(one) is kind)
    name, body = orjson.loads(encode(sample))
    for field in body:
        rest = {other: value for other, value in body.items() if other != field}
        with pytest.raises(UnreadableMessageError, match="needs the fields"):
            decode(orjson.dumps([name, rest]), kind)


def test_words_settings_and_lists_are_checked_too() -> None:
    fault = '["FrameFault",{"task_id":"t","epoch":1,"fault":"%s"}]'
    assert decode_to_edge((fault % "covered_camera").encode()) == FrameFault(
        task_id="t", epoch=1, fault=Fault.COVERED_CAMERA
    )
    unreadable((fault % "tired").encode(), decode_to_edge, "fault: 'tired' is not a valid Fault")
    kind, body = orjson.loads(encode(task_update("t-1")))
    body["limits"]["linearMetersPerSecond"] = 1000
    unreadable(json.dumps([kind, body]).encode(), decode_to_worker, "TaskUpdate: limits: ")
    early = EarlyPlan(task_id="t", epoch=1, frame=1, waypoints=(Waypoint(1.0, 0.0, 0.0),), seconds=1.0)
    kind, body = orjson.loads(encode(early))
    for points, said in (
        ({}, "is a dict"),
        ([[1.0, 0.0, 0.0]], "needs the fields"),
        ([{"dx": 1.0}], "needs the fields"),
    ):
        unreadable(orjson.dumps([kind, body | {"waypoints": points}]), decode_to_edge, f"waypoints: {said}")


def test_a_class_that_could_not_be_read_is_found_at_the_start() -> None:
    with pytest.raises(TypeError, match="no message can carry"):
        reader(Frame)


# Its end -------------------------------------------------------------------------------------------------------------

UPDATE = task_update("t-1", recording=True, history_frames=3)
SETTINGS = replace(WORKER, slots=2, slot_bytes=1 << 16, view_slots=2, output_slot_bytes=1 << 16)


class Desk:
    """A whole worker but for its process, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.said: list[ToEdge] = []
        self.frames, self.inputs = Arena.make(2, 1 << 16), Arena.make(2, 1 << 16)
        fds = {
            "frames_fd": self.frames.fd,
            "view_inputs_fd": self.inputs.fd,
            "view_outputs_fd": Arena.make(2, 1 << 16).fd,
        }
        settings = replace(SETTINGS, recordings_dir=folder, recordings_max_mib=64, recording_file_max_mib=32)
        self.worker: Worker = build(settings, self.said.append, **fds)
        self.folder = folder

    def heard(self, kind: type[ToEdge]) -> bool:
        return any(isinstance(one, kind) for one in self.said)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path / "recordings")
    yield desk
    await desk.worker.close()


def of_frames(desk: Desk) -> bool:
    return desk.heard(FrameFault) or desk.heard(FrameDecoded)


HANDLED_BY_WORKER: dict[ToWorker, Callable[[Desk], bool]] = {
    SETTINGS: lambda desk: not desk.said,
    UPDATE: lambda desk: desk.heard(WantFrame) and desk.heard(RecordingStatus),
    camera_frame("t-1", 1, slot=1, size=len(jpeg())): of_frames,
    LeaveSlot(slot=1): lambda desk: SlotLeft(slot=1) in desk.said,
    DrawView(task_id="t-1", slot=1, size=len(jpeg()), scene=Scene()): lambda desk: desk.heard(ViewDrawn),
    JournalBatch(task_id="t-1", end=True): lambda desk: any(
        isinstance(one, RecordingStatus) and one.finished_bytes > 0 for one in desk.said
    ),
    ForgetTask(task_id="t-1"): lambda desk: not desk.worker.scheduler._jobs,
}


@pytest.mark.parametrize("message", HANDLED_BY_WORKER, ids=lambda message: type(message).__name__)
async def test_each_message_for_the_worker_is_acted_on(desk: Desk, message: ToWorker) -> None:
    assert {type(one) for one in HANDLED_BY_WORKER} == set(typing.get_args(ToWorker))
    if isinstance(message, WorkerSettings):
        with pytest.raises(ValueError, match="first and only once"):
            desk.worker.take(message)
        return
    for arena in (desk.frames, desk.inputs):
        arena.write(1, jpeg())
    if message is not UPDATE:
        desk.worker.take(UPDATE)
        await until(lambda: desk.heard(RecordingStatus), 5)
    assert not (message is UPDATE and desk.said)
    acted = HANDLED_BY_WORKER[message]
    assert not acted(desk), "only this message does it"
    desk.worker.take(message)
    await until(lambda: acted(desk), 5, type(message).__name__, lambda: str(desk.said))


EARLY = EarlyPlan(task_id="t", epoch=1, frame=1, waypoints=(Waypoint(0.5, 0.0, 0.0),), seconds=0.2)
RESULT = CallResult(
    task_id="t",
    epoch=1,
    frame=1,
    outcome="plan",
    detail="",
    waypoints=(Waypoint(0.5, 0.0, 0.0),),
    action="forward",
    environment="a corridor",
    progress=0.5,
    clamped=False,
    seconds=0.3,
)


def counted(navigation: Navigation, what: str) -> list[str]:
    lines = navigation.metrics.text(worker_restarts=0).decode().splitlines()
    return [line for line in lines if line.startswith(what)]


HANDLED_BY_EDGE: dict[ToEdge, Callable[[Navigation, Task], object]] = {
    Alive(): lambda navigation, task: navigation.link._heard_at,
    WantFrame(task_id="t", epoch=1): lambda navigation, task: navigation.link.frames._desks[task.task_id].wanted,
    SlotLeft(slot=3): lambda navigation, task: len(navigation.link.frames._free),
    FrameDecoded(task_id="t", epoch=1, key=True, changed=True): (
        lambda navigation, task: counted(navigation, "qwen3vl_vln_images_analysed_total")
    ),
    FrameFault(task_id="t", epoch=1, fault=Fault.COVERED_CAMERA): lambda navigation, task: task.camera_monitor.fault,
    CallBegan(task_id="t", epoch=1, frame=1): lambda navigation, task: task.calls.since,
    EARLY: lambda navigation, task: task.follower,
    RESULT: lambda navigation, task: task.environment,
    CallFailed(task_id="t", epoch=1, frame=1, message="HTTP 503", deadline=False, context_too_small=False): (
        lambda navigation, task: task.calls.last_error
    ),
    ContextWarning(task_id="t", text="too long"): lambda navigation, task: task.warnings.get("context"),
    ModelWarm(seconds=6.0): lambda navigation, task: navigation.tasks.pace.median_seconds,
    ViewDrawn(slot=0, size=0): lambda navigation, task: counted(navigation, "qwen3vl_vln_pictures_rendered_total"),
    RecordingStatus(task_id="t", finished_bytes=0, error="disk full"): lambda navigation, task: task.recording_error,
}


@pytest.mark.parametrize(("message", "effect"), HANDLED_BY_EDGE.items(), ids=lambda one: type(one).__name__)
async def test_each_message_for_the_edge_is_acted_on(
    message: ToEdge, effect: Callable[[Navigation, Task], object]
) -> None:
    assert {type(one) for one in HANDLED_BY_EDGE} == set(typing.get_args(ToEdge))
    navigation = navigation_without_worker()
    navigation.link.on_message = navigation.on_message
    entry = navigation.create(Settings(robot="go2", instruction="Walk on."))
    task = entry.task
    picture = Frame(navigation.now(), sequence=1, image=jpeg(), watchdog=True, force_key=True)
    navigation.frame(entry, picture)
    kind, body = orjson.loads(encode(message))
    about = {"task_id": task.task_id, "epoch": task.epoch}
    line = orjson.dumps([kind, body | {name: about[name] for name in body.keys() & about.keys()}])
    before = effect(navigation, task)
    navigation.link.hear(decode_to_edge(line))
    assert effect(navigation, task) != before
