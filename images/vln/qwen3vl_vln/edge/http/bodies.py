"""Bodies of requests about tasks: JSON to settings; a mistake is answered with the field and what would be right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.robots import LONGEST_ROBOT, is_robot_name
from qwen3vl_vln.edge.http.fields import known, may_be_ignored, object_of, unknown
from qwen3vl_vln.edge.navigation import Assertion
from qwen3vl_vln.edge.stopping import state_stops
from qwen3vl_vln.motion.limits import Camera, History, Keyframes, Limits, OutOfBoundsError
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.settings import Settings

LONGEST_INSTRUCTION = 2000
LONGEST_NAME = 253
LANGUAGES = ("en", "zh")
PROFILES = ("waypoints", "actions")
STATES = ("Running", "Paused", "Stopped")
PARTS = ("limits", "keyframes", "history", "camera", "recording", "prompt")
OLDER = ("history_frames", "keyframe_threshold", "enable_visualization")
"""What the older protocol has in `config` and acts here."""
INNER = tuple(name for part in (Limits, Keyframes, History, Camera) for name in part().as_json())
WITHOUT_EFFECT = ("output_fps", "max_waypoints_per_inference", "history_summary")
"""What its clients send there and acts nowhere."""


@dataclass(frozen=True)
class Creation:
    """What a client wants made.

    Attributes:
        ignored: names of fields that were sent and have no effect.
    """

    settings: Settings
    ignored: tuple[str, ...] = ()


def creation(body: Any) -> Creation:
    """What `POST /vln/task/create` asks for. Single values in `config` that nobody knows are ignored and named, unless
    they sound like a bound of the robot; older clients send all kinds of things there.

    Raises:
        InvalidRequest: a field is wrong, or is not known.
    """
    body = known(body, ("instruction", "config"), "")
    config, ignored = _config(body.get("config"))
    parts = {name: config.get(name) for name in PARTS}
    for older, part, name in (
        ("keyframe_threshold", "keyframes", "threshold"),
        ("history_frames", "history", "frames"),
    ):
        if older in config:
            parts[part] = {name: config[older]} | dict(object_of(parts[part], f"config.{part}"))
    settings = _settings(body.get("instruction"), config.get("robot"), parts, "config.", None)
    return Creation(replace(settings, visualize=config.get("enable_visualization") is True), tuple(ignored))


def _config(value: Any) -> tuple[dict[str, Any], list[str]]:
    names = ("robot", *PARTS, *OLDER)
    given, taken, ignored = object_of(value, "config"), {}, []
    for name, field in given.items():
        if name in names:
            taken[name] = field
        elif name in WITHOUT_EFFECT or may_be_ignored(name, field, (*names, *INNER)):
            ignored.append(f"config.{name}")
        else:
            raise unknown(f"config.{name}", names)
    return taken, sorted(ignored)


def assertion(body: Any) -> Assertion:
    """What the operator asserts with `PUT /vln/task/{id}`. What a newer operator sends beyond what is known here is
    ignored and named: it must not keep a task from being stopped.

    Raises:
        InvalidRequest: a field is wrong.
    """
    ignored: list[str] = []
    body = known(body, ("owner", "state", "instruction", "robot", "resume", *PARTS), "", ignored)
    if body.get("owner") is None:
        raise InvalidRequest("owner is a JSON object", param="owner")
    owner = known(body["owner"], ("generation", "uid", "namespace", "name"), "owner", ignored)
    generation = owner.get("generation")
    if isinstance(generation, bool) or not isinstance(generation, int):
        raise InvalidRequest("owner.generation is a whole number", param="owner.generation")
    uid, namespace, name = (_text(owner.get(key), f"owner.{key}", LONGEST_NAME) for key in ("uid", "namespace", "name"))
    state = "Stopped" if state_stops(body) else body.get("state", "Running")
    if state not in STATES:
        raise InvalidRequest(f"state is one of {', '.join(STATES)}", param="state")
    resume = known(body.get("resume"), ("elapsedSeconds", "steps"), "resume", ignored)
    robot = _text(body.get("robot"), "robot", LONGEST_ROBOT)
    settings = _settings(body.get("instruction"), robot, {name: body.get(name) for name in PARTS}, "", ignored)
    return Assertion(
        owner=Owner(uid, namespace, name, generation),
        settings=settings,
        state=state,
        elapsed_seconds=_not_negative(resume.get("elapsedSeconds", 0), "resume.elapsedSeconds"),
        steps=int(_not_negative(resume.get("steps", 0), "resume.steps")),
        resumed=bool(resume),
        ignored=tuple(sorted(ignored)),
    )


@dataclass(frozen=True)
class Change:
    """What a client wants otherwise about its task; None leaves it as it is."""

    instruction: str | None = None
    state: str | None = None


def change(body: Any) -> Change:
    """What `PATCH /vln/task/{id}` asks for. A stop is none of it: that is obeyed whatever else the body holds.

    Raises:
        InvalidRequest: a field is wrong or not known, or there is none.
    """
    given = known(body, ("instruction", "state"), "")
    if not given:
        raise InvalidRequest("the body has an instruction, a state (Running, Paused, Stopped) or both", param="body")
    instruction = _text(given["instruction"], "instruction", LONGEST_INSTRUCTION) if "instruction" in given else None
    state = _one_of(given["state"], STATES, "state") if "state" in given else None
    return Change(instruction, state)


def _settings(instruction: Any, robot: Any, parts: dict[str, Any], path: str, ignored: list[str] | None) -> Settings:
    """Settings from the parts of a spec.

    Args:
        robot: None where the task gives its robot a name.
        path: before the names of the parts.
        ignored: as in `known`.
    """

    def part(name: str, names: Iterable[str]) -> dict[str, Any]:
        return known(parts[name], names, f"{path}{name}", ignored)

    prompt = part("prompt", ("language", "profile"))
    language = _one_of(prompt.get("language", "en"), LANGUAGES, f"{path}prompt.language")
    profile = _one_of(prompt.get("profile", "waypoints"), PROFILES, f"{path}prompt.profile")
    if robot is not None and not (isinstance(robot, str) and is_robot_name(robot)):
        rule = f"is 1 to {LONGEST_ROBOT} letters, digits, '.', '_' and '-', with a letter or digit at both ends"
        raise InvalidRequest(f"{path}robot {rule}", param=f"{path}robot")
    recording = part("recording", ("enabled",)).get("enabled", False)
    try:
        return Settings(
            robot=robot or "",
            instruction=_text(instruction, "instruction", LONGEST_INSTRUCTION),
            limits=Limits.from_json(part("limits", Limits().as_json()), f"{path}limits"),
            keyframes=_keyframes(part("keyframes", Keyframes().as_json()), f"{path}keyframes"),
            history=History.from_json(part("history", History().as_json()), f"{path}history"),
            camera=Camera.from_json(part("camera", Camera().as_json()), f"{path}camera"),
            recording=_flag(recording, f"{path}recording.enabled"),
            profile=profile,
            language=language,
        )
    except OutOfBoundsError as error:
        raise InvalidRequest(str(error), param=error.param) from None


def _keyframes(values: dict[str, Any], path: str) -> Keyframes:
    keyframes = Keyframes.from_json(values, path)
    if keyframes.min_interval_seconds > keyframes.max_interval_seconds:
        raise OutOfBoundsError(f"{path}.minIntervalSeconds", f"is at most {path}.maxIntervalSeconds")
    return keyframes


def _one_of(value: Any, words: Sequence[str], param: str) -> str:
    if value not in words:
        raise InvalidRequest(f"{param} is one of {', '.join(words)}", param=param)
    return str(value)


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
