"""Sequences of steps that users, administrators and accidents do to models and to what belongs to them: a pure function
of a seed and a number, so that a sequence that shows a fault can be done again. `actions` carries them out."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.integration.operator.edits import CHILD_EDITS, SERVICE_EDITS, SPEC_EDITS, WORKLOAD_EDITS

PLACES = ("a", "b", "c")
"""Letters of the watched namespaces; the first is the release's own and is never removed."""
MODELS = ("qwen3vl", "a", "a-vln", "walker")
"""Names that are near one another's children and the chart's objects."""
CHILDREN = (
    ("statefulsets", "engine"),
    ("services", "engine"),
    ("services", "vln"),
    ("deployments", "vln"),
    ("persistentvolumeclaims", "cache"),
)
TASKS = {"walk": "go2-01", "turn": "go2-01", "fetch": "go2-02"}
"""NavTasks by name, each with its robot; two want the same one."""


@dataclass(frozen=True)
class Step:
    """One deed.

    Attributes:
        place: letter of the namespace; empty where it concerns all.
        name: of the object.
        detail: what is changed, as JSON values.
    """

    number: int
    action: str
    place: str = ""
    name: str = ""
    detail: Any = None

    def __str__(self) -> str:
        said = "" if self.detail is None else json.dumps(self.detail)
        return " ".join(part for part in (f"{self.number:4}", self.action, self.place, self.name, said) if part)


def steps(seed: int, count: int) -> list[Step]:
    """`count` steps; the same ones for the same two numbers."""
    return list(_Author(random.Random(seed), count).write())


@dataclass
class _Author:
    """Draws steps, with a rough idea of what is there, so that most of them find something to change."""

    chance: random.Random
    count: int

    def __post_init__(self) -> None:
        self._models: list[tuple[str, str]] = []
        self._away: set[str] = set()
        self._number = 0

    def write(self) -> Iterator[Step]:
        rare = self._rare()
        often: dict[Callable[[], Step], int] = {
            self._make: 10,
            self._delete: 5,
            self._edit: 30,
            self._delete_child: 9,
            self._edit_child: 17,
            self._secret: 10,
            self._obstacle: 6,
            self._task: 10,
            self._rest: 14,
        }
        for number in range(1, self.count + 1):
            self._number = number
            step = rare.get(number) or self.chance.choices(list(often), list(often.values()))[0]()
            if step.action == "remove_namespace":
                self._models = [one for one in self._models if one[0] != step.place]
                self._away.add(step.place)
            if step.action == "make_namespace":
                self._away.discard(step.place)
            yield step

    # What shall not happen at every turn, for each takes seconds to be over

    def _rare(self) -> dict[int, Step]:
        """By number: outages of all kinds, and most of their ends; what is still away at the end is given back then."""
        result: dict[int, Step] = {}
        hundreds = max(1, round(self.count / 100))
        for _ in range(2 * hundreds):
            self._outage(result, ("kill_operator", ""), ("start_operator", ""), 12)
        for turn in range(hundreds):
            place = PLACES[1 + turn % 2]
            self._outage(result, ("remove_namespace", place), ("make_namespace", place), 30)
            self._outage(result, ("take_rights", self.chance.choice(PLACES)), None, 40)
            if turn % 2 == 0:
                self._outage(result, ("restart_apiserver", ""), None, 0)
        return result

    def _outage(
        self, result: dict[int, Step], begin: tuple[str, str], end: tuple[str, str] | None, longest: int
    ) -> None:
        first = self.chance.randint(self.count // 20 + 1, max(self.count - 5, 2))
        if begin[0] == "take_rights":
            end = "give_rights", begin[1]
        for number, pair in ((first, begin), (first + self.chance.randint(1, max(longest, 1)), end)):
            free = next((one for one in range(number, self.count + 1) if one not in result), None)
            if pair is not None and free is not None:
                waits = self.chance.random() < 0.7 if pair[0] == "start_operator" else None
                result[free] = Step(free, *pair, detail=waits)

    # Drawn at any time

    def _some_model(self) -> tuple[str, str]:
        if self._models and self.chance.random() < 0.95:
            return self.chance.choice(self._models)
        return self.chance.choice(PLACES), self.chance.choice(MODELS)

    def _step(self, action: str, place: str = "", name: str = "", detail: Any = None) -> Step:
        return Step(self._number, action, place, name, detail)

    def _make(self) -> Step:
        there = [place for place in PLACES if place not in self._away]
        absent = [(place, name) for place in there for name in MODELS if (place, name) not in self._models]
        if not absent:
            return self._edit()
        place, name = self.chance.choice(absent)
        self._models.append((place, name))
        spec = {"source": {"volume": {"claimName": "weights"}}, "engine": {"name": "simulator"}}
        for part in self.chance.sample(["servedName", "navigation", "cache", "replicas"], 2):
            value = self.chance.choice(SPEC_EDITS[part])
            spec |= {} if value is None else {part: value}
        if "cache" in spec:
            spec.pop("replicas", None)  # its volume serves one replica
        return self._step("make_model", place, name, _without_none(spec))

    def _delete(self) -> Step:
        place, name = self._some_model()
        if (place, name) in self._models and self.chance.random() < 0.7:
            self._models.remove((place, name))
            return self._step("delete_model", place, name)
        return self._step("make_model_again", place, name)

    def _edit(self) -> Step:
        place, name = self._some_model()
        part = self.chance.choice(list(SPEC_EDITS))
        value = self.chance.choice(SPEC_EDITS[part])
        spec = {part: value} | ({"replicas": self.chance.choice((0, 1))} if part == "cache" else {})
        if part == "replicas" and value > 1:
            spec["cache"] = None
        return self._step("edit_model", place, name, spec)

    def _delete_child(self) -> Step:
        place, name = self._some_model()
        plural, word = self.chance.choice(CHILDREN)
        return self._step("delete_child", place, f"{name}-{word}", plural)

    def _edit_child(self) -> Step:
        place, name = self._some_model()
        plural, word = self.chance.choice(CHILDREN)
        own = WORKLOAD_EDITS if plural in ("statefulsets", "deployments") else ()
        own = SERVICE_EDITS if plural == "services" else own
        change = self.chance.choice((*CHILD_EDITS, *own, *own))
        return self._step("edit_child", place, f"{name}-{word}", [plural, change])

    def _secret(self) -> Step:
        place, name = self._some_model()
        kind = self.chance.choice(("keys", "keys", "robots", "robots", "robots", "internal"))
        if kind == "keys":
            return self._step("edit_model_keys", place, name, self.chance.choice(("delete", "change", "remove")))
        if kind == "internal":
            how = self.chance.choice(("delete", "replace", "spoil", "restore"))
            return self._step("edit_internal", PLACES[0], detail=how)
        how = self.chance.choice(("add", "add", "take", "own default", "remove default", "delete"))
        return self._step("edit_robot_keys", place, name, how)

    def _obstacle(self) -> Step:
        place, name = self._some_model()
        plural, word = self.chance.choice(CHILDREN)
        action = self.chance.choice(("put_obstacle", "put_obstacle", "take_obstacle"))
        return self._step(action, place, f"{name}-{word}", plural)

    def _task(self) -> Step:
        place, model = self._some_model()
        name = self.chance.choice(list(TASKS))
        how = self.chance.choice(("make", "make", "make", "stop", "delete", "pause", "instruct"))
        return self._step("edit_task", place, name, [how, model])

    def _rest(self) -> Step:
        return self._step("rest", detail=self.chance.choice((0.1, 0.2, 0.3, 0.5, 1.0, 2.0)))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(part) for name, part in value.items() if part is not None}
    return value
