"""From what happened to the messages of a recording. Pure: times are nanoseconds since 1970 and arguments."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from qwen3vl_vln.ipc.rows import AnswerRow, OdometryPose, PlanRow
from qwen3vl_vln.ipc.to_edge import Fault
from qwen3vl_vln.ipc.to_worker import TaskUpdate
from qwen3vl_vln.motion.geometry import Pose
from qwen3vl_vln.recording import schemas
from qwen3vl_vln.waypoint import Waypoint

ODOMETRY_FRAME, ROBOT_FRAME, CAMERA_FRAME = "odom", "robot", "camera"
INFO, WARNING, ERROR = 2, 3, 4
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One message for a file."""

    topic: str
    at_ns: int
    body: dict[str, Any]
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A model call that ended: the fields of `qwen3vl.ModelCall`."""

    frame: int
    epoch: int
    instruction: str
    language: str
    profile: str
    reverse: bool
    history_frames: int
    seconds: float
    text: str | None
    finish_reason: str | None
    outcome: str
    reason: str
    waypoints: tuple[Waypoint, ...]
    action: str
    environment: str
    progress: float | None
    clamped: bool


def about(task: TaskUpdate) -> dict[str, Any]:
    """A task's settings as events have them."""
    body = _fields(task)
    del body["task_id"]
    body["history"] = body.pop("history_frames")
    return body | {name: body[name].as_json() for name in ("keyframes", "camera", "limits")}


def frame(
    at_ns: int, number: int, epoch: int, jpeg: bytes, *, key: bool, pose: OdometryPose | None, fault: str | None = None
) -> list[Entry]:
    """An image that was looked at; one that cannot be decoded is told of but not kept, viewers choke on it."""
    body = {"frame": number, "epoch": epoch, "key": key, "fault": fault, "size_bytes": len(jpeg), "pose": _pose(pose)}
    entries = [Entry(schemas.FRAMES, at_ns, body, number)]
    if fault is not None:
        entries.append(log(at_ns, ERROR, "camera", f"frame {number}: {fault}"))
    if fault != Fault.CORRUPT_FRAME:
        image = {
            "timestamp": _time(at_ns),
            "frame_id": CAMERA_FRAME,
            "data": base64.b64encode(jpeg).decode(),
            "format": "jpeg",
        }
        entries.append(Entry(schemas.CAMERA, at_ns, image, number))
    if pose is not None:
        place = _pose_3d(Pose(pose.x, pose.y, pose.yaw))
        transform = {"translation": place["position"], "rotation": place["orientation"]}
        frames = {"parent_frame_id": ODOMETRY_FRAME, "child_frame_id": ROBOT_FRAME}
        entries.append(Entry(schemas.TRANSFORMS, at_ns, {"timestamp": _time(at_ns), **frames, **transform}))
    return entries


def call(at_ns: int, ended: ModelCall) -> list[Entry]:
    """A model call that ended."""
    text = "" if ended.text is None else readable(ended.text)
    body = _fields(ended) | {"text": ended.text and text, "waypoints": _waypoints(ended.waypoints)}
    level = WARNING if ended.outcome in ("invalid", "failed") else INFO
    said = f"{ended.outcome} ({ended.reason}) after {ended.seconds:.2f} s: {text}".rstrip(" :")
    return [Entry(schemas.MODEL, at_ns, body, ended.frame), log(at_ns, level, "model", said)]


def plan(at_ns: int, row: PlanRow) -> list[Entry]:
    """A plan that began to count.

    With odometry its poses stand in the odometry's frame, else in the robot's frame at the key frame.
    """
    anchor = row.anchor
    body = _fields(row) | {"anchor": _pose(anchor), "waypoints": _waypoints(row.waypoints)}
    del body["at"]
    pose, poses = Pose() if anchor is None else Pose(anchor.x, anchor.y, anchor.yaw), []
    for point in row.waypoints:
        pose = pose.after(point.dx, point.dy, point.dtheta)
        poses.append(_pose_3d(pose))
    name = ROBOT_FRAME if anchor is None else ODOMETRY_FRAME
    shown = {"timestamp": _time(at_ns), "frame_id": name, "poses": poses}
    return [Entry(schemas.PLANS, at_ns, body, row.frame), Entry(schemas.PLAN, at_ns, shown, row.frame)]


def answer(at_ns: int, row: AnswerRow) -> Entry:
    """An answer that went out."""
    body = _fields(row)
    del body["at"]
    return Entry(schemas.ANSWERS, at_ns, body, row.frame_id)


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


def _fields(row: AnswerRow | PlanRow | ModelCall | TaskUpdate) -> dict[str, Any]:
    return {one.name: getattr(row, one.name) for one in fields(row)}


def _pose(pose: OdometryPose | None) -> dict[str, float] | None:
    return None if pose is None else {"x": pose.x, "y": pose.y, "yaw": pose.yaw, "origin": pose.origin}


def _pose_3d(pose: Pose) -> dict[str, Any]:
    half = pose.yaw / 2
    return {
        "position": {"x": pose.x, "y": pose.y, "z": 0.0},
        "orientation": {"x": 0.0, "y": 0.0, "z": math.sin(half), "w": math.cos(half)},
    }


def _waypoints(points: Sequence[Waypoint]) -> list[dict[str, float]]:
    return [{"dx": point.dx, "dy": point.dy, "dtheta": point.dtheta} for point in points]
