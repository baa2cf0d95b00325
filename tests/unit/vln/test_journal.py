"""What recorded tasks answered and planned, from the answer to the file: no value takes another one's place."""

import math
from pathlib import Path

from tests.support.mcap_files import read

from qwen3vl_vln.edge.journal import BATCH_MOST, FLUSH_SECONDS, KEPT_MOST, Journal
from qwen3vl_vln.ipc.channel import LONGEST_MESSAGE
from qwen3vl_vln.ipc.messages import decode_to_worker, encode
from qwen3vl_vln.ipc.to_worker import JournalBatch, ToWorker
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.recording.recorder import Bounds, Recorder
from qwen3vl_vln.task.answer import Answer

from .bench import task_update
from .samples import Walk

CURVE = (0.5, 0.2, 0.4)
MIB = 1024 * 1024


def walked() -> tuple[Walk, list[Answer]]:
    """A robot that drives a curve, by its odometry, and what it was told."""
    walk = Walk()
    here = Odometry(Pose(1.0, 2.0, 0.5), 7)
    walk.frame(odometry=here)
    walk.result("plan", CURVE)
    return walk, walk.run(0.3, odometry=here)


async def test_what_a_robot_was_told_stands_in_the_recording_under_its_own_name(tmp_path: Path) -> None:
    walk, bodies = walked()
    told = bodies[-1]
    assert 0 < told["linear_vel"] != told["angular_vel"] > 0, "a swap of the two would show"
    recorder = Recorder(tmp_path, Bounds(64 * MIB, 32 * MIB), lambda message: None)
    recorder.take(task_update("t-1", recording=True))

    def send(batch: JournalBatch) -> None:
        arrived = decode_to_worker(encode(batch))
        assert isinstance(arrived, JournalBatch)
        recorder.take(arrived)

    journal = Journal(send)
    for body in bodies:
        journal.answered("t-1", body, walk.now)
    journal.planned(walk.task, walk.key, walk.now, opening=False)
    journal.ends("t-1")
    journal.flush(walk.now, silent=False)
    await recorder.close()

    found = list(read(next((tmp_path / "t-1").iterdir())))
    answers = [message for topic, message, _ in found if topic == "/answers"]
    names = {
        "frame_id": "frame_id",
        "seq": "seq",
        "state": "state",
        "reason": "reason",
        "linear_mps": "linear_vel",
        "angular_rps": "angular_vel",
        "plan_id": "plan_id",
        "age_ms": "age_ms",
    }
    assert answers == [{name: body[known] for name, known in names.items()} for body in bodies]

    (plan,) = [message for topic, message, _ in found if topic == "/plans"]
    follower = walk.task.follower
    assert follower is not None and (plan["plan_id"], plan["frame"], plan["epoch"]) == (follower.plan_id, walk.key, 1)
    assert plan["waypoints"] == [dict(zip(("dx", "dy", "dtheta"), CURVE, strict=True))]
    assert plan["anchor"] == {"x": 1.0, "y": 2.0, "yaw": 0.5, "origin": 7}
    times = plan["age_seconds"], plan["model_seconds"], plan["validity_seconds"]
    assert times == (walk.now - follower.started_at, follower.model_seconds, follower.validity_seconds)
    assert len({*times}) == 3 and plan["opening"] is False


def test_many_answers_come_in_messages_of_bounded_length() -> None:
    walk, bodies = walked()
    sent: list[ToWorker] = []
    journal = Journal(sent.append)
    longest = bodies[-1] | {"plan_id": "p" * 300, "frame_id": 2**53, "seq": 2**53, "linear_vel": 1 / 3}
    for _ in range(2 * BATCH_MOST + 1):
        journal.answered("t-1", longest, math.pi * 1e6)
    journal.ends("t-1")
    journal.flush(walk.now, silent=False)
    batches = [message for message in sent if isinstance(message, JournalBatch)]
    assert [(len(one.answers), one.end) for one in batches] == [(BATCH_MOST, False), (BATCH_MOST, False), (1, True)]
    assert all(len(encode(one)) < LONGEST_MESSAGE for one in batches)
    journal.answered("t-1", longest, walk.now)
    journal.flush(walk.now + FLUSH_SECONDS / 2, silent=False)
    assert len(sent) == 3, "not each answer makes a message"


def test_what_waits_for_a_silent_worker_is_bounded_and_what_is_lost_is_counted() -> None:
    walk, bodies = walked()
    sent: list[ToWorker] = []
    journal = Journal(sent.append)
    for number in range(KEPT_MOST + 5):
        journal.answered("old" if number < 3 else "new", bodies[-1], walk.now)
    journal.flush(walk.now, silent=True)
    assert not sent
    journal.flush(walk.now, silent=False)
    lost = {one.task_id: one.lost for one in sent if isinstance(one, JournalBatch) and one.lost}
    assert lost == {"old": 3, "new": 2}
    assert sum(len(one.answers) for one in sent if isinstance(one, JournalBatch)) == KEPT_MOST
