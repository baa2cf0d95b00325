"""From what happened to the messages of a recording. Pure: times are nanoseconds since 1970 and arguments."""

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.recording import schemas

ODOMETRY_FRAME, ROBOT_FRAME, CAMERA_FRAME = "odom", "robot", "camera"
INFO, WARNING, ERROR = 2, 3, 4
NANOSECONDS = 1_000_000_000

Fix = Sequence[float] | None
"""x, y, yaw and the number of the odometry's origin; None without odometry."""
Point = Sequence[float]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message for a file."""

    topic: str
    at_ns: int
    body: dict[str, Any]
    sequence: int = 0


def frame(
    at_ns: int, number: int, epoch: int, jpeg: bytes, *, key: bool, pose: Fix, fault: str | None = None
) -> list[Entry]:
    """A picture that was looked at; one that cannot be decoded is told of but not kept, viewers choke on it."""
    body = {"frame": number, "epoch": epoch, "key": key, "fault": fault, "size_bytes": len(jpeg), "pose": _pose(pose)}
    entries = [Entry(schemas.FRAMES, at_ns, body, number)]
    if fault is not None:
        entries.append(log(at_ns, ERROR, "camera", f"frame {number}: {fault}"))
    if fault != "corrupt_frame":
        image = {
            "timestamp": _time(at_ns),
            "frame_id": CAMERA_FRAME,
            "data": base64.b64encode(jpeg).decode(),
            "format": "jpeg",
        }
        entries.append(Entry(schemas.CAMERA, at_ns, image, number))
    if pose is not None:
        place = _pose_3d(Pose(*pose[:3]))
        transform = {"translation": place["position"], "rotation": place["orientation"]}
        frames = {"parent_frame_id": ODOMETRY_FRAME, "child_frame_id": ROBOT_FRAME}
        entries.append(Entry(schemas.TRANSFORMS, at_ns, {"timestamp": _time(at_ns), **frames, **transform}))
    return entries


def call(at_ns: int, fields: dict[str, Any]) -> list[Entry]:
    """A model call that ended; `fields` are those of `qwen3vl.ModelCall`, waypoints as triples."""
    text, outcome = fields["text"], fields["outcome"]
    body = {**fields, "text": None if text is None else readable(text), "waypoints": _waypoints(fields["waypoints"])}
    level = WARNING if outcome in ("invalid", "failed") else INFO
    said = f"{outcome} ({fields['reason']}) after {fields['seconds']:.2f} s: {body['text'] or ''}".rstrip(" :")
    return [Entry(schemas.MODEL, at_ns, body, fields["frame"]), log(at_ns, level, "model", said)]


def plan(at_ns: int, fields: dict[str, Any]) -> list[Entry]:
    """A plan that began to count; `fields` are those of `qwen3vl.Plan`, waypoints as triples and the anchor as a fix.

    With odometry its poses stand in the odometry's frame, else in the robot's frame at the key frame.
    """
    anchor: Fix = fields["anchor"]
    body = {**fields, "anchor": _pose(anchor), "waypoints": _waypoints(fields["waypoints"])}
    pose, poses = Pose() if anchor is None else Pose(*anchor[:3]), []
    for point in fields["waypoints"]:
        pose = pose.after(*point)
        poses.append(_pose_3d(pose))
    name = ROBOT_FRAME if anchor is None else ODOMETRY_FRAME
    shown = {"timestamp": _time(at_ns), "frame_id": name, "poses": poses}
    return [Entry(schemas.PLANS, at_ns, body, fields["frame"]), Entry(schemas.PLAN, at_ns, shown, fields["frame"])]


ANSWER_FIELDS = ("frame_id", "seq", "state", "reason", "linear_mps", "angular_rps", "plan_id", "age_ms")


def answers(rows: Iterable[tuple[int, Sequence[Any]]]) -> list[Entry]:
    """Answers that went out: the time of each, and its values in the order of `ANSWER_FIELDS`."""
    return [
        Entry(schemas.ANSWERS, at_ns, dict(zip(ANSWER_FIELDS, row, strict=True)), int(row[0])) for at_ns, row in rows
    ]


def event(
    at_ns: int, kind: str, message: str, epoch: int, *, level: int = INFO, task: dict[str, Any] | None = None
) -> list[Entry]:
    """Something that happened to the task."""
    body = {"kind": kind, "message": message, "epoch": epoch, "task": task}
    return [Entry(schemas.EVENTS, at_ns, body), log(at_ns, level, "task", f"{kind}: {message}" if message else kind)]


def log(at_ns: int, level: int, name: str, message: str) -> Entry:
    """A line for people."""
    body = {"timestamp": _time(at_ns), "level": level, "message": message, "name": name, "file": "", "line": 0}
    return Entry(schemas.LOG, at_ns, body)


def readable(text: str) -> str:
    """The text without halves of characters, which no JSON can carry."""
    return text.encode("utf-8", "replace").decode()


def _time(at_ns: int) -> dict[str, int]:
    return {"sec": at_ns // NANOSECONDS, "nsec": at_ns % NANOSECONDS}


def _pose(fix: Fix) -> dict[str, float] | None:
    return None if fix is None else {"x": fix[0], "y": fix[1], "yaw": fix[2], "origin": int(fix[3])}


def _pose_3d(pose: Pose) -> dict[str, Any]:
    half = pose.yaw / 2
    return {
        "position": {"x": pose.x, "y": pose.y, "z": 0.0},
        "orientation": {"x": 0.0, "y": 0.0, "z": math.sin(half), "w": math.cos(half)},
    }


def _waypoints(points: Sequence[Point]) -> list[dict[str, float]]:
    return [dict(zip(("dx", "dy", "dtheta"), point, strict=True)) for point in points]
