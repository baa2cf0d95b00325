"""Recordings on a real disk: what is in them, how large they become, what is left after a kill or on a full disk."""

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import NonSeekingReader, make_reader
from tests.support.images import jpeg
from tests.support.mcap_files import read
from tests.support.polling import until
from tests.support.processes import ENVIRONMENT

from qwen3vl_vln.ipc.rows import AnswerRow, OdometryPose, PlanRow
from qwen3vl_vln.ipc.to_edge import RecordingStatus, ToEdge
from qwen3vl_vln.ipc.to_worker import JournalBatch
from qwen3vl_vln.recording import messages
from qwen3vl_vln.recording.recorder import WAITING_MOST_BYTES, Bounds, Recorder, changes
from qwen3vl_vln.recording.schemas import SCHEMAS
from qwen3vl_vln.recording.store import RecordingStore, file_of, is_whole, listed, repair
from qwen3vl_vln.recording.writer import LEAST_FILE_BYTES, RecordingWriter
from qwen3vl_vln.waypoint import Waypoint

from .bench import camera_frame, task_update

KIB = 1024
AT = 1_700_000_000_000_000_000
ABOUT = {"robot": "go2", "instruction": "Walk on.", "verdict": None}
CALL = messages.ModelCall(
    frame=3,
    epoch=1,
    instruction="Walk on.",
    language="en",
    profile="waypoints",
    reverse=False,
    history_frames=2,
    seconds=0.4,
    text='{"waypoints": []} \ud83d half a character',
    finish_reason="stop",
    outcome="plan",
    reason="json",
    waypoints=(Waypoint(0.5, 0.0, 0.1),),
    action="forward",
    environment="",
    progress=None,
    clamped=False,
)
PLAN = PlanRow(
    at=0.0,
    plan_id="b-t-1",
    frame=3,
    epoch=1,
    waypoints=(Waypoint(1.0, 0.0, 1.5707963), Waypoint(1.0, 0.0, 0.0)),
    anchor=OdometryPose(x=2.0, y=3.0, yaw=0.0, origin=7),
    age_seconds=0.5,
    model_seconds=0.4,
    validity_seconds=3.0,
    opening=False,
)
ANSWER = AnswerRow(
    at=0.0,
    frame_id=12,
    seq=12,
    state="moving",
    reason="following_plan",
    linear_mps=0.4,
    angular_rps=-0.1,
    plan_id="b-t-1",
    age_ms=500,
)
HOLD = replace(ANSWER, seq=None, state="hold", reason="plan_consumed", linear_mps=0.0, plan_id=None, age_ms=None)


class Told(list[tuple[str, int, str | None]]):
    def __call__(self, task_id: str, size: int, error: str | None) -> None:
        self.append((task_id, size, error))


def writer_of(folder: Path, *, total: int = 64 << 20, file: int = 32 << 20) -> RecordingWriter:
    store = RecordingStore(folder, total)
    store.scan()
    return RecordingWriter(store, file, Told())


def everything() -> list[messages.Entry]:
    return [
        *messages.frame(AT, 3, 1, jpeg(), key=True, pose=OdometryPose(x=1.0, y=2.0, yaw=0.5, origin=1)),
        *messages.frame(AT + 1, 4, 1, b"\xff\xd8 nothing", key=False, pose=None, fault="corrupt_frame"),
        *messages.call(AT + 2, CALL),
        *messages.call(AT + 3, replace(CALL, text=None, finish_reason=None, outcome="failed", waypoints=())),
        *messages.plan(AT + 4, PLAN),
        *messages.plan(AT + 5, replace(PLAN, anchor=None)),
        messages.answer(AT + 6, ANSWER),
        messages.answer(AT + 7, HOLD),
        *messages.event(AT + 8, "paused", "", 2, task=ABOUT),
    ]


def pictures(count: int, start: int = 0) -> list[list[messages.Entry]]:
    size = {"width": 320, "height": 240}
    return [
        messages.frame(AT + i, i, 1, jpeg(**size, seed=i % 8), key=True, pose=None) for i in range(start, start + count)
    ]


# What is in them -----------------------------------------------------------------------------------------------------


def test_every_message_is_what_its_schema_says(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    writer.begin("t-1", ABOUT, AT)
    writer.add("t-1", everything())
    writer.end("t-1")
    (path,) = (tmp_path / "t-1").iterdir()
    found = list(read(path))
    assert {topic for topic, _, _ in found} == set(SCHEMAS)
    for topic, message, schema in found:
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(message, schema)
        assert schema == SCHEMAS[topic][1]
    assert len(found) == len(everything())
    assert [topic for topic, _, _ in found].count("/camera") == 1, "what cannot be decoded is not kept"
    with path.open("rb") as file:
        names = {schema.name for schema in make_reader(file).get_summary().schemas.values()}  # type: ignore[union-attr]
    assert {"foxglove.CompressedImage", "foxglove.Log", "foxglove.PosesInFrame", "foxglove.FrameTransform"} < names


def test_a_plan_stands_where_its_picture_was_taken() -> None:
    _, shown = messages.plan(AT, PLAN)
    places = [(pose["position"]["x"], pose["position"]["y"]) for pose in shown.body["poses"]]
    assert shown.body["frame_id"] == "odom" and places == [pytest.approx((3.0, 3.0)), pytest.approx((3.0, 4.0))]
    _, shown = messages.plan(AT, replace(PLAN, anchor=None))
    assert shown.body["frame_id"] == "robot" and shown.body["poses"][0]["position"]["x"] == 1.0


TASK = task_update("t-1", recording=True)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({}, []),
        ({"instruction": "Stop there."}, ["instruction_changed"]),
        ({"phase": "Paused"}, ["paused"]),
        ({"camera_number": 2}, ["camera_changed"]),
        ({"phase": "Finished", "verdict": "GoalReached"}, ["finished"]),
    ],
)
def test_changes_become_events(change: dict[str, Any], kinds: list[str]) -> None:
    assert [kind for kind, _ in changes(TASK, replace(TASK, **change))] == kinds


def test_the_beginning_says_whether_a_worker_was_lost() -> None:
    assert changes(None, TASK)[0][0] == "recording_on"
    assert changes(None, replace(TASK, again=True))[0][0] == "worker_restarted"
    assert changes(replace(TASK, phase="Paused"), TASK)[0][0] == "resumed"


# How large they become -----------------------------------------------------------------------------------------------


def test_files_are_turned_and_the_oldest_go_first(tmp_path: Path) -> None:
    total, each = 2048 * KIB, 300 * KIB
    writer = writer_of(tmp_path, total=total, file=each)
    writer.begin("t-1", ABOUT, AT)
    largest = len(pictures(1)[0][1].body["data"])
    for entries in pictures(120):
        writer.add("t-1", entries)
        on_disk = sum(path.stat().st_size for path in (tmp_path / "t-1").iterdir())
        assert on_disk <= total + 2 * largest
    writer.end("t-1")
    names = [one.name for one in listed(tmp_path, "t-1") or []]
    numbers = [int(name.removesuffix(".mcap").rpartition("-")[2]) for name in names]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) and numbers[0] > 0 and len(numbers) > 3
    for path in (tmp_path / "t-1").iterdir():
        found = list(read(path))
        assert found[0][0] == "/events" and found[0][1]["task"] == ABOUT, "each file says what the task was"
        assert path.stat().st_size <= each + 2 * largest


def test_many_tasks_keep_to_the_bound_together(tmp_path: Path) -> None:
    total = 4096 * KIB
    writer = writer_of(tmp_path, total=total)
    for turn in range(40):
        for task in range(8):
            writer.begin(f"t-{task}", ABOUT, AT)
            writer.add(f"t-{task}", pictures(1, turn)[0])
        assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= total + 8 * 200 * KIB
    writer.begin("one-too-many", ABOUT, AT)
    told: Told = writer.tell  # type: ignore[assignment]
    assert total // 18 < LEAST_FILE_BYTES and "share" in (told[-1][2] or ""), "less would be no recording"
    writer.close()
    assert all(is_whole(path) for path in tmp_path.glob("*/*"))


def test_a_new_process_counts_what_lies_there(tmp_path: Path) -> None:
    writer = writer_of(tmp_path)
    for task in ("old", "new"):
        writer.begin(task, ABOUT, AT)
        for entries in pictures(20):
            writer.add(task, entries)
        writer.end(task)
        time.sleep(0.02)  # the file system's clock
    size = (tmp_path / "new").iterdir().__next__().stat().st_size
    writer_of(tmp_path, total=size + 10)
    assert listed(tmp_path, "old") is None and len(listed(tmp_path, "new") or []) == 1


@pytest.mark.parametrize("name", ["../x", "..", "a/b", "", ".hidden", "x" * 300])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").mkdir()
    folder = tmp_path / "recordings"
    folder.mkdir()
    assert listed(folder, name) is None
    assert file_of(folder, "t-1", name) is None and file_of(folder, name, "20260101T000000Z-0.mcap") is None
    writer = writer_of(folder)
    writer.begin(name, ABOUT, AT)
    assert writer.tell[-1][2] and not list(folder.iterdir())  # type: ignore[index]


# Killed, full, slow --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    writer = writer_of(folder)
    writer.begin("t-1", ABOUT, AT)
    for entries in pictures(12):
        writer.add("t-1", [*entries, *everything()])
    writer.end("t-1")
    return next((folder / "t-1").iterdir()).read_bytes()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(share=st.floats(0, 1))
def test_a_file_cut_anywhere_opens_again(whole: bytes, tmp_path: Path, share: float) -> None:
    path = tmp_path / "20260101T000000Z-0.mcap"
    cut = whole[: int(share * len(whole))]
    path.write_bytes(cut)
    if not repair(path):
        assert len(cut) < 8
        return
    assert is_whole(path)
    with path.open("rb") as file:
        frames = [m.sequence for _, c, m in NonSeekingReader(file).iter_messages() if c.topic == "/camera"]
    assert len(frames) >= int(24 * share) - 3, "all but the last chunk"


def test_what_a_killed_writer_left_is_mended_by_the_next(tmp_path: Path) -> None:
    program = (
        "import os, sys, signal; from pathlib import Path\n"
        "from tests.unit.vln.test_recording import *\n"
        "writer = writer_of(Path(sys.argv[1])); writer.begin('t-1', ABOUT, AT)\n"
        "for entries in pictures(20): writer.add('t-1', entries)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=ENVIRONMENT, check=False)
    assert done.returncode == -9
    (left,) = listed(tmp_path, "t-1") or []
    assert not left.whole
    writer_of(tmp_path)
    (path,) = (tmp_path / "t-1").iterdir()
    assert is_whole(path) and sum(topic == "/camera" for topic, _, _ in read(path)) == 20, "no picture is lost"


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from tests.unit.vln.test_recording import *\n"
        "writer = writer_of(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "writer.begin('t-1', ABOUT, AT)\n"
        "for entries in pictures(60): writer.add('t-1', entries)\n"
        "writer.end('t-1')\n"
        "writer.begin('t-1', ABOUT, AT + 10**10); writer.add('t-1', pictures(1)[0]); writer.close()\n"
        "print(json.dumps(writer.tell))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert [error for _, _, error in told if error] == ["File too large"]
    assert done.stderr.count("is given up") == 1
    first, second = sorted((tmp_path / "t-1").iterdir())
    assert sum(topic == "/camera" for topic, _, _ in read(first)) > 3, "what was written stays readable"
    assert sum(topic == "/camera" for topic, _, _ in read(second)) == 1, "it may begin again"


async def test_a_disk_that_hangs_holds_nobody_up_and_what_is_lost_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    (folder / "old").mkdir(parents=True)
    os.mkfifo(folder / "old" / "20260101T000000Z-0.mcap")  # whoever reads it waits
    sent: list[ToEdge] = []
    recorder = Recorder(folder, Bounds(64 << 20, 32 << 20), sent.append)
    recorder.take(TASK)
    picture = jpeg(640, 480)
    count = 2 * WAITING_MOST_BYTES // len(picture)
    slowest = 0.0
    for number in range(count):
        began = time.perf_counter()
        recorder.frame(camera_frame("t-1", number, received_at=time.monotonic()), picture, key=False)
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 1.0, "the disk would have waited for ever"
    (folder / "old" / "20260101T000000Z-0.mcap").write_bytes(b"")  # the disk comes back
    await until(lambda: recorder._waiting_bytes == 0, 20)
    recorder.frame(camera_frame("t-1", count, received_at=time.monotonic()), picture, key=False)
    recorder.take(JournalBatch(task_id="t-1", end=True))
    await recorder.close()
    found = list(read(next((folder / "t-1").iterdir())))
    kept = sum(topic == "/camera" for topic, _, _ in found)
    lost = [body["message"] for topic, body, _ in found if topic == "/events" and body["kind"] == "lost"]
    assert 0 < kept < count and lost == [f"{count + 1 - kept} messages were lost: the disk is slow"]
    await asyncio.sleep(0)
    status = sent[-1]
    assert isinstance(status, RecordingStatus) and status.error is None and status.finished_bytes > 0
