"""What the model is asked: instruction, earlier key frames, the image of now, and the form of a short answer. Pure.

Profile `waypoints` holds the engine to a schema: `reached_goal` and `waypoints` come first, so that everything a robot
needs is known before the rest is written. Profile `actions` asks for one sentence in the vocabulary of NaVILA; models
that were trained on another one (Uni-NaVid's words, arrows) answer in theirs."""

import base64
from collections.abc import Sequence
from typing import Any

from qwen3vl_vln.parser import ParseLimits

MAX_TOKENS = {"waypoints": 160, "actions": 48}
ACTIONS = ("forward", "left", "right", "hold", "stop")
_LIMITS = ParseLimits()
_BOUNDS = dict(zip(("dx", "dy", "dtheta"), _LIMITS.bounds, strict=True))

_WAYPOINTS = {
    "en": (
        "You steer a walking robot by its camera. Answer with one JSON object. waypoints: 0 to 5 displacements in the "
        "robot's frame, each relative to the one before: dx forward in metres, dy to the left in metres, dtheta "
        "counter-clockwise in radians; at most {dx:g} m, {dy:g} m and {dtheta:g} rad each. Keep steps small near "
        "obstacles. When the target is not in view, turn to search. "
        "When you cannot tell what is safe, give no waypoints and action hold. Set reached_goal to true, with no "
        "waypoints, only when the instruction is done. Give no other keys."
    ),
    "zh": (
        "你通过摄像头为一台行走机器人导航。只回答一个 JSON 对象。waypoints：0 到 5 个位移，均以机器人坐标系给出，"
        "每个相对前一个：dx 向前（米），dy 向左（米），dtheta 逆时针（弧度），"
        "各不超过 {dx:g} 米、{dy:g} 米和 {dtheta:g} 弧度。靠近障碍物时步子要小。"
        "看不到目标时转动寻找。"
        "无法判断是否安全时，不给 waypoints，action 填 hold。"
        "只有指令完成时才把 reached_goal 设为 true，并且不给 waypoints。不要给出其他键。"
    ),
}
_ACTIONS = {
    "en": (
        "You steer a walking robot by its camera. Decide on its next action and answer with one sentence and nothing "
        "else: 'The next action is move forward 50 cm', 'The next action is turn left 30 degrees', 'The next action "
        "is turn right 30 degrees', with the amount that fits, at most 75 cm or 45 degrees. Keep amounts small near "
        "obstacles. When the target is not in view, turn to search. When you cannot tell what is safe, answer 'wait'. "
        "Only when the instruction is done, answer 'The next action is stop'."
    ),
    "zh": (
        "你通过摄像头为一台行走机器人导航。决定它的下一个动作，只回答一句话："
        "“向前 50 厘米”、“左转 30 度”或“右转 30 度”，数值按情况选择，最多 75 厘米或 45 度。"
        "靠近障碍物时数值要小。看不到目标时转动寻找。无法判断是否安全时，回答“等待”。"
        "只有指令完成时才回答“停止”。"
    ),
}
_SYSTEMS = {"waypoints": _WAYPOINTS, "actions": _ACTIONS}
_CURRENT = {
    "en": "The last picture shows what the robot sees now; the {count} before it show what it saw earlier.",
    "zh": "最后一张图片是机器人现在看到的；之前的 {count} 张是它更早看到的。",
}
_ONLY = {"en": "The picture shows what the robot sees now.", "zh": "图片是机器人现在看到的。"}


def schema(*, reverse: bool) -> dict[str, Any]:
    """The JSON schema of an answer, in the order in which guided decoding writes it."""
    step = {
        "type": "object",
        "properties": {
            name: {"type": "number", "minimum": 0.0 if name == "dx" and not reverse else -bound, "maximum": bound}
            for name, bound in _BOUNDS.items()
        },
        "required": list(_BOUNDS),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {
            "reached_goal": {"type": "boolean"},
            "waypoints": {"type": "array", "items": step, "minItems": 0, "maxItems": _LIMITS.max_waypoints},
            "action": {"type": "string", "enum": list(ACTIONS)},
        },
        "required": ["reached_goal", "waypoints", "action"],
        "additionalProperties": False,
    }


def texts(instruction: str, history: int, *, language: str, profile: str) -> tuple[str, str]:
    """The words of the two messages, the system's and the user's.

    Args:
        history: number of earlier images.
    """
    about = _CURRENT[language].format(count=history) if history else _ONLY[language]
    return _SYSTEMS[profile][language].format(**_BOUNDS), f"{about}\nInstruction: {instruction}"


def request(
    model: str,
    instruction: str,
    history: Sequence[bytes],
    current: bytes,
    *,
    language: str,
    profile: str,
    reverse: bool,
) -> dict[str, Any]:
    """The body of a chat completion.

    Args:
        history: earlier key frames, the oldest first; JPEG.
        current: the image of now; JPEG.
    """
    system, question = texts(instruction, len(history), language=language, profile=profile)
    images = [{"type": "image_url", "image_url": {"url": _data_url(jpeg)}} for jpeg in (*history, current)]
    body = {
        "model": model,
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": [*images, {"type": "text", "text": question}]},
        ],
        "max_tokens": MAX_TOKENS[profile],
        "temperature": 0,
    }
    if profile == "waypoints":
        form = {"name": "navigation", "strict": True, "schema": schema(reverse=reverse)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
