"""Bodies of requests about tasks: JSON to settings; a mistake is answered with the field and what would be right.

Fields, bounds and rules are those of the contract; here is what clients of other versions may send beside them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from qwen3vl_common.errors import InvalidRequest
from qwen3vl_common.navigation.requests import OLDER, AssertTask, ChangeTask, CreateTask, CreationConfig, Resume
from qwen3vl_common.navigation.settings import Parts
from qwen3vl_common.navigation.wrong import WrongFieldError, aliases, object_of, parsed, part_of, unknown
from qwen3vl_vln.edge.navigation import Assertion
from qwen3vl_vln.edge.stopping import state_stops
from qwen3vl_vln.task.events import Owner
from qwen3vl_vln.task.settings import Settings

WITHOUT_EFFECT = ("output_fps", "max_waypoints_per_inference", "history_summary")
"""What clients of the older protocol send in `config` and acts nowhere."""
BOUNDING = re.compile("limit|speed|vel|max|safe|linear|angular|accel|blind|reverse", re.IGNORECASE)
"""A field of such a name is meant to bound a robot: a robot must not drive as if it had not been sent."""

M = TypeVar("M", bound=BaseModel)


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
    config: dict[str, Any] = {}
    try:
        given = object_of(body, "body")
        config, ignored = _config(given.get("config"))
        wanted = parsed(CreateTask, {**given, "config": _today(config)})
    except WrongFieldError as error:
        raise _refusal(_as_written(error, config)) from None
    settings = _settings(
        wanted.config,
        robot=wanted.config.robot or "",
        instruction=wanted.instruction,
        visualize=config.get("enable_visualization") is True,
    )
    return Creation(settings, tuple(ignored))


def assertion(body: Any) -> Assertion:
    """What the operator asserts with `PUT /vln/task/{id}`. What a newer operator sends beyond what is known here is
    ignored and named: it must not keep a task from being stopped.

    Raises:
        InvalidRequest: a field is wrong.
    """
    ignored: list[str] = []
    stopped = {"state": "Stopped"} if state_stops(body) else {}
    wish = _read(AssertTask, {**body, **stopped} if isinstance(body, Mapping) else body, ignored)
    resume = wish.resume or Resume()
    return Assertion(
        owner=Owner(**dict(wish.owner)),
        settings=_settings(wish, robot=wish.robot, instruction=wish.instruction),
        state=wish.state,
        elapsed_seconds=resume.elapsed_seconds,
        steps=resume.steps,
        resumed=bool(resume.model_fields_set),
        ignored=tuple(sorted(ignored)),
    )


def change(body: Any) -> ChangeTask:
    """What `PATCH /vln/task/{id}` asks for. A stop is none of it: that is obeyed whatever else the body holds.

    Raises:
        InvalidRequest: a field is wrong or not known, or there is none.
    """
    wish = _read(ChangeTask, body)
    if not wish.model_fields_set:
        raise InvalidRequest("the body has an instruction, a state (Running, Paused, Stopped) or both", param="body")
    return wish


def may_be_ignored(name: str, value: Any, known_elsewhere: Iterable[str] = ()) -> bool:
    """Whether a client may send this and have it ignored: a single value whose name does not sound like a bound.

    Args:
        known_elsewhere: fields that belong in another place or are spelt otherwise.
    """
    plain = _plain(name)
    misplaced = any(_plain(one) == plain for one in known_elsewhere)
    return not isinstance(value, Mapping | list) and BOUNDING.search(name) is None and not misplaced


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").strip().casefold()


def _config(value: Any) -> tuple[dict[str, Any], list[str]]:
    """The fields of `config` that are known, and the names of those that are ignored."""
    known = aliases(CreationConfig)
    inner = [name for field in known.values() if (part := part_of(field)) for name in aliases(part)]
    taken, ignored = {}, []
    for name, field in object_of(value, "config").items():
        if name in known:
            taken[name] = field
        elif name in WITHOUT_EFFECT or may_be_ignored(name, field, (*known, *inner)):
            ignored.append(f"config.{name}")
        else:
            raise unknown(f"config.{name}", known)
    return taken, sorted(ignored)


def _today(config: dict[str, Any]) -> dict[str, Any]:
    """`config` with the older protocol's settings at their places of today, where a setting of today comes first and
    null is as absent."""
    found = {name: value for name, value in config.items() if name not in OLDER}
    for older, (part, name) in OLDER.items():
        if config.get(older) is not None:
            found[part] = {name: config[older]} | dict(object_of(config.get(part), f"config.{part}"))
    return found


def _as_written(error: WrongFieldError, config: Mapping[str, Any]) -> WrongFieldError:
    """The same mistake by the name that the client wrote, where that is one of the older protocol's."""
    for older, (part, name) in OLDER.items():
        today = f"config.{part}.{name}"
        if error.param == today and config.get(older) is not None and name not in (config.get(part) or {}):
            return WrongFieldError(f"config.{older}", str(error).removeprefix(f"{today} "))
    return error


def _settings(parts: Parts, *, robot: str, instruction: str, visualize: bool = False) -> Settings:
    of_contract = {name: getattr(parts, name) for name in Parts.model_fields}
    return Settings(robot=robot, instruction=instruction, visualize=visualize, **of_contract)


def _read(model: type[M], body: Any, ignored: list[str] | None = None) -> M:
    try:
        return parsed(model, body, ignored=ignored)
    except WrongFieldError as error:
        raise _refusal(error) from None


def _refusal(error: WrongFieldError) -> InvalidRequest:
    return InvalidRequest(str(error), param=error.param)
