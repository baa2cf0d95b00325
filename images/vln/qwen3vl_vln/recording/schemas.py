"""The topics of a recording and the JSON schemas of their messages. Pure.

Names and required fields of `foxglove.*` are those of https://docs.foxglove.dev/docs/sdk/schemas, by which viewers know
what to draw; `qwen3vl.*` are our own, complete, with units in the names of fields or in their descriptions."""

from typing import Any

Schema = dict[str, Any]

CAMERA, FRAMES, MODEL, PLAN, PLANS, ANSWERS, EVENTS, LOG, TRANSFORMS = (
    "/camera",
    "/frames",
    "/model",
    "/plan",
    "/plans",
    "/answers",
    "/events",
    "/log",
    "/tf",
)


def _of(kind: str, description: str = "", **more: Any) -> Schema:
    return {"type": kind, **({"description": description} if description else {}), **more}


def _maybe(kind: str, description: str) -> Schema:
    return {"type": [kind, "null"], "description": description}


def _group(properties: dict[str, Schema], **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), **more}


def _own(description: str, properties: dict[str, Schema]) -> Schema:
    return _group(properties, description=description, additionalProperties=False)


_TEXT, _NUMBER, _FLAG = _of("string"), _of("number"), _of("boolean")
_TIME = _group({"sec": _of("integer", minimum=0), "nsec": _of("integer", minimum=0, maximum=999_999_999)}, title="time")
_VECTOR = _group({"x": _NUMBER, "y": _NUMBER, "z": _NUMBER}, title="foxglove.Vector3")
_QUATERNION = _group({"x": _NUMBER, "y": _NUMBER, "z": _NUMBER, "w": _NUMBER}, title="foxglove.Quaternion")
_POSE_3D = _group({"position": _VECTOR, "orientation": _QUATERNION}, title="foxglove.Pose")

_FRAME = _of("integer", "Number of the frame within the task; the MCAP sequence of its picture on /camera.")
_EPOCH = _of("integer", "Rises when what was asked before is void: another instruction, a pause, the end.")
_POSE = {
    **_own(
        "",
        {
            "x": _of("number", "m"),
            "y": _of("number", "m"),
            "yaw": _of("number", "rad, counter-clockwise"),
            "origin": _of("integer", "Number of the odometry's origin."),
        },
    ),
    "type": ["object", "null"],
    "description": "The robot's odometry with this frame; null without.",
}
_WAYPOINTS = _of(
    "array",
    "Displacements, each from the one before, in the robot frame.",
    items=_own(
        "",
        {
            "dx": _of("number", "forward, m"),
            "dy": _of("number", "to the left, m"),
            "dtheta": _of("number", "counter-clockwise, rad"),
        },
    ),
)

SCHEMAS: dict[str, tuple[str, Schema]] = {
    CAMERA: (
        "foxglove.CompressedImage",
        _group(
            {
                "timestamp": _TIME,
                "frame_id": _TEXT,
                "data": _of("string", contentEncoding="base64"),
                "format": _TEXT,
            }
        ),
    ),
    LOG: (
        "foxglove.Log",
        _group(
            {
                "timestamp": _TIME,
                "level": _of("integer", "1 debug, 2 info, 3 warning, 4 error, 5 fatal", minimum=0, maximum=5),
                "message": _TEXT,
                "name": _TEXT,
                "file": _TEXT,
                "line": _of("integer", minimum=0),
            }
        ),
    ),
    PLAN: (
        "foxglove.PosesInFrame",
        _group({"timestamp": _TIME, "frame_id": _TEXT, "poses": _of("array", items=_POSE_3D)}),
    ),
    TRANSFORMS: (
        "foxglove.FrameTransform",
        _group(
            {
                "timestamp": _TIME,
                "parent_frame_id": _TEXT,
                "child_frame_id": _TEXT,
                "translation": _VECTOR,
                "rotation": _QUATERNION,
            }
        ),
    ),
    FRAMES: (
        "qwen3vl.Frame",
        _own(
            "A camera frame that was looked at.",
            {
                "frame": _FRAME,
                "epoch": _EPOCH,
                "key": _of("boolean", "Whether it is a key frame: one that the model may see."),
                "fault": _maybe("string", "Why it cannot be used; null for a good one."),
                "size_bytes": _of("integer", "Of the JPEG."),
                "pose": _POSE,
            },
        ),
    ),
    MODEL: (
        "qwen3vl.ModelCall",
        _own(
            "One question to the model, its answer as it came, and what was understood.",
            {
                "frame": _FRAME,
                "epoch": _EPOCH,
                "instruction": _TEXT,
                "language": _TEXT,
                "profile": _of("string", "The form of answers that was asked for."),
                "reverse": _of("boolean", "Whether a plan might drive backwards."),
                "history_frames": _of("integer", "Earlier pictures that were shown."),
                "seconds": _of("number", "Duration of the call, s."),
                "text": _maybe("string", "The answer as it came; null when there was none."),
                "finish_reason": _maybe("string", "Why the model stopped writing, as it said."),
                "outcome": _of("string", "plan, goal, stop, hold, invalid; failed or cancelled without an answer."),
                "reason": _of("string", "The parser's word for why; the error of a failed call."),
                "waypoints": _WAYPOINTS,
                "action": _TEXT,
                "environment": _TEXT,
                "progress": _maybe("number", "0 to 1, as the model sees it."),
                "clamped": _of("boolean", "Something was larger than allowed and was cut."),
            },
        ),
    ),
    PLANS: (
        "qwen3vl.Plan",
        _own(
            "A plan that began to count.",
            {
                "plan_id": _TEXT,
                "frame": _FRAME,
                "epoch": _EPOCH,
                "waypoints": _WAYPOINTS,
                "anchor": _POSE,
                "age_seconds": _of("number", "Since the receipt of its key frame, s."),
                "model_seconds": _of("number", "The model's time for it, s."),
                "validity_seconds": _of("number", "From the receipt of its key frame, s."),
                "opening": _of("boolean", "Begun while the rest of the answer was still being written."),
            },
        ),
    ),
    ANSWERS: (
        "qwen3vl.Answer",
        _own(
            "What the robot was told.",
            {
                "frame_id": _of("integer", "Number of the frame that was answered."),
                "seq": _maybe("integer", "The robot's own number of it."),
                "state": _TEXT,
                "reason": _TEXT,
                "linear_mps": _of("number", "m/s"),
                "angular_rps": _of("number", "rad/s"),
                "plan_id": _maybe("string", "The plan that was driven."),
                "age_ms": _maybe("integer", "Age of that plan's picture, ms."),
            },
        ),
    ),
    EVENTS: (
        "qwen3vl.Event",
        _own(
            "Something happened to the task.",
            {
                "kind": _of("string", "One word for programs."),
                "message": _of("string", "One sentence for people."),
                "epoch": _EPOCH,
                "task": {"type": ["object", "null"], "description": "The task's settings, where they are news."},
            },
        ),
    ),
}
"""Topic → name and schema of its messages."""
