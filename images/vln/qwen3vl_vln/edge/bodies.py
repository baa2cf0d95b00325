"""Bodies of requests about tasks: JSON to settings; a mistake is answered with the field and what would be right."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_vln.edge.navigation import Assertion
from qwen3vl_vln.edge.stopping import state_stops
from qwen3vl_vln.motion.limits import Camera, History, Keyframes, Limits, OutOfBoundsError
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.task import Settings

LONGEST_INSTRUCTION = 2000
LONGEST_NAME = 253
LANGUAGES = ("en", "zh")
PROFILES = ("waypoints", "actions")
STATES = ("Running", "Paused", "Stopped")


def creation(body: Any) -> Settings:
    """What `POST /vln/task/create` asks for. Keys of `config` that only the older protocol has are taken and ignored.

    Raises:
        InvalidRequest: a field is wrong.
    """
    body = _object(body, "body")
    config = _object(body.get("config") or {}, "config")
    keyframes = dict(_object(config.get("keyframes") or {}, "config.keyframes"))
    if "keyframe_threshold" in config:
        keyframes.setdefault("threshold", config["keyframe_threshold"])
    history = {"frames": config["history_frames"]} if "history_frames" in config else {}
    settings = _settings(
        instruction=body.get("instruction"),
        robot=config.get("robot", ""),
        limits=config.get("limits") or {},
        keyframes=keyframes,
        history=history,
        camera=config.get("camera") or {},
        recording=config.get("recording") or {},
        prompt=config.get("prompt") or {},
        path="config.",
    )
    # Older clients send all kinds of things here; only one of them asks for pictures.
    return replace(settings, visualize=config.get("enable_visualization") is True)


def assertion(body: Any) -> Assertion:
    """What the operator asserts with `PUT /vln/task/{id}`.

    Raises:
        InvalidRequest: a field is wrong.
    """
    body = _object(body, "body")
    owner = _object(body.get("owner"), "owner")
    generation = owner.get("generation")
    if isinstance(generation, bool) or not isinstance(generation, int):
        raise InvalidRequest("owner.generation is a whole number", param="owner.generation")
    uid, namespace, name = (_text(owner.get(key), f"owner.{key}", LONGEST_NAME) for key in ("uid", "namespace", "name"))
    state = "Stopped" if state_stops(body) else body.get("state", "Running")
    if state not in STATES:
        raise InvalidRequest(f"state is one of {', '.join(STATES)}", param="state")
    resume = _object(body.get("resume") or {}, "resume")
    settings = _settings(
        instruction=body.get("instruction"),
        robot=_text(body.get("robot"), "robot", LONGEST_NAME),
        limits=body.get("limits") or {},
        keyframes=body.get("keyframes") or {},
        history=body.get("history") or {},
        camera=body.get("camera") or {},
        recording=body.get("recording") or {},
        prompt=body.get("prompt") or {},
        path="",
    )
    return Assertion(
        owner=Owner(uid, namespace, name, generation),
        settings=settings,
        state=state,
        elapsed_seconds=_not_negative(resume.get("elapsedSeconds", 0), "resume.elapsedSeconds"),
        steps=int(_not_negative(resume.get("steps", 0), "resume.steps")),
        resumed=bool(resume),
    )


def _settings(
    *,
    instruction: Any,
    robot: Any,
    limits: Any,
    keyframes: Any,
    history: Any,
    camera: Any,
    recording: Any,
    prompt: Any,
    path: str,
) -> Settings:
    prompt = _object(prompt, f"{path}prompt")
    language, profile = prompt.get("language", "en"), prompt.get("profile", "waypoints")
    if language not in LANGUAGES:
        raise InvalidRequest(f"{path}prompt.language is one of {', '.join(LANGUAGES)}", param=f"{path}prompt.language")
    if profile not in PROFILES:
        raise InvalidRequest(f"{path}prompt.profile is one of {', '.join(PROFILES)}", param=f"{path}prompt.profile")
    if not isinstance(robot, str) or len(robot) > LONGEST_NAME:
        raise InvalidRequest(f"{path}robot is a name", param=f"{path}robot")
    try:
        return Settings(
            robot=robot,
            instruction=_text(instruction, "instruction", LONGEST_INSTRUCTION),
            limits=Limits.from_json(_object(limits, f"{path}limits"), f"{path}limits"),
            keyframes=Keyframes.from_json(_object(keyframes, f"{path}keyframes"), f"{path}keyframes"),
            history=History.from_json(_object(history, f"{path}history"), f"{path}history"),
            camera=Camera.from_json(_object(camera, f"{path}camera"), f"{path}camera"),
            recording=_flag(_object(recording, f"{path}recording").get("enabled", False), f"{path}recording.enabled"),
            profile=profile,
            language=language,
        )
    except OutOfBoundsError as error:
        raise InvalidRequest(str(error), param=error.param) from None


def _object(value: Any, param: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{param} is a JSON object", param=param)
    return value


def _flag(value: Any, param: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidRequest(f"{param} is true or false", param=param)
    return value


def _text(value: Any, param: str, longest: int) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise InvalidRequest(f"{param} is a text of 1 to {longest} characters", param=param)
    return value


def _not_negative(value: Any, param: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise InvalidRequest(f"{param} is a number that is not negative", param=param)
    return float(value)
