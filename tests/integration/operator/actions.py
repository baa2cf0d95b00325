"""Carries out the steps of `steps` on a real apiserver: what they do to models, their children, Secrets and NavTasks.

What a step breaks on purpose is noted, and given back by `give_back`: obstacles, owners, pauses, what `outages` did."""

import base64
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.integration.operator.api import Namespace, Refused
from tests.integration.operator.conftest import Operator, model, nav_task
from tests.integration.operator.edits import MARK, OBSTACLES
from tests.integration.operator.outages import Outages
from tests.integration.operator.steps import CHILDREN, PLACES, TASKS, Step

from qwen3vl_common.keys import INTERNAL_KEY_BYTES
from qwen3vl_operator.secrets.model_keys import ENGINE, secret_name

NOT_DONE = (403, 404, 409, 422)
"""The apiserver's answers where a step finds nothing that it could change: the object or its namespace is away."""
PATCH = "application/json-patch+json"
COLLECTED_SECONDS = 15
NOTE = f"{MARK}.example/note"
IN_THE_WAY = "in the way"


@dataclass
class World:
    """What the steps act on. Methods have the names of the steps' actions.

    Attributes:
        users_entries: what users put into the robots' Secret, by the letter of the namespace: all of that must stay.
        may_return: likewise, of a Secret that somebody deleted whole: an operator that has read it puts it back.
        former_internals: keys that the internal Secret held before somebody changed it.
    """

    places: dict[str, Namespace]
    outages: Outages
    users_entries: dict[str, dict[str, str]] = field(default_factory=dict)
    may_return: dict[str, dict[str, str]] = field(default_factory=dict)
    former_internals: set[bytes] = field(default_factory=set)
    _obstacles: set[tuple[str, str, str]] = field(default_factory=set)
    _disowned: set[tuple[str, str, str]] = field(default_factory=set)

    def do(self, step: Step) -> bool:
        """Carry out a step; whether the apiserver found something to change."""
        self.outages.note_end(str(step))
        if self.outages.is_removed(step.place) and step.action != "make_namespace":
            return False
        action = getattr(self.outages, step.action, None) or getattr(self, step.action)
        try:
            action(step)
        except Refused as refused:
            if refused.status not in NOT_DONE:
                raise
            return False
        return True

    def forget(self, letter: str) -> None:
        """All that was in the namespace is gone."""
        self.users_entries.pop(letter, None)
        self.may_return.pop(letter, None)
        for noted in (self._obstacles, self._disowned):
            noted -= {one for one in noted if one[0] == letter}

    def give_back(self) -> tuple[Operator, list[str]]:
        """Put right what the steps broke on purpose; the operator, and what had to be taken away for that.

        That is what lost its owner by a step and then its model, and what Kubernetes' own collector missed: when the
        apiserver restarts it takes a model that is made again meanwhile for the one before.
        """
        operator = self.outages.end_all()
        for letter, plural, name in sorted(self._obstacles):
            self.take_obstacle(Step(0, "take_obstacle", letter, name, plural))
        self.edit_internal(Step(0, "edit_internal", PLACES[0], detail="restore"))
        for letter, entries in self.may_return.items():
            gone = {name: None for name in entries if name not in self.users_entries[letter]}
            self._change_robot_keys(self.places[letter], gone)
        for place in self.places.values():
            for one in place.list("visionmodels"):
                if one["spec"].get("paused"):
                    place.merge("visionmodels", one["metadata"]["name"], {"spec": {"paused": False}})
        until = time.monotonic() + COLLECTED_SECONDS
        while (left := [*self._orphans()]) and time.monotonic() < until:
            time.sleep(0.5)
        for letter, plural, name in left:
            self.places[letter].delete(plural, name)
        return operator, ["/".join(one) for one in left]

    def _orphans(self) -> Iterator[tuple[str, str, str]]:
        """Children of models that are no more, but volumes that are kept on purpose."""
        for letter, place in self.places.items():
            uids = {one["metadata"]["uid"] for one in place.list("visionmodels")}
            for plural in dict.fromkeys(plural for plural, _ in CHILDREN):
                for one in place.list(plural):
                    metadata = one["metadata"]
                    owners = {owner["uid"] for owner in metadata.get("ownerReferences") or []}
                    alone = (letter, plural, metadata["name"]) in self._disowned and not owners
                    if alone and plural != "persistentvolumeclaims":
                        owners = {(metadata.get("labels") or {}).get("qwen3vl.io/model-uid")}
                    if owners and not owners & uids:
                        yield letter, plural, metadata["name"]

    # VisionModels

    def make_model(self, step: Step) -> None:
        self.places[step.place].create("visionmodels", model(step.name, step.detail))

    def delete_model(self, step: Step) -> None:
        self.places[step.place].delete("visionmodels", step.name)

    def make_model_again(self, step: Step) -> None:
        spec = self.places[step.place].get("visionmodels", step.name)["spec"]
        self.delete_model(step)
        self.make_model(Step(step.number, step.action, step.place, step.name, spec))

    def edit_model(self, step: Step) -> None:
        self.places[step.place].merge("visionmodels", step.name, {"spec": step.detail})

    # Their children, and what stands in their way

    def delete_child(self, step: Step) -> None:
        self.places[step.place].delete(step.detail, step.name)

    def edit_child(self, step: Step) -> None:
        plural, change = step.detail
        place = self.places[step.place]
        if isinstance(change, list):
            root = "api/v1" if plural == "services" else "apis/apps/v1"
            place.api.call("PATCH", f"{root}/namespaces/{place.name}/{plural}/{step.name}", change, PATCH)
            return
        place.merge(plural, step.name, change)
        if "ownerReferences" in change.get("metadata", {}):
            self._disowned.add((step.place, plural, step.name))

    def put_obstacle(self, step: Step) -> None:
        """An object of somebody else; where ours is, it takes its place."""
        place, plural = self.places[step.place], step.detail
        body = {"metadata": {"name": step.name, "annotations": {NOTE: IN_THE_WAY}}}
        if (there := place.find(plural, step.name)) is not None:
            if plural == "persistentvolumeclaims" or NOTE in (there["metadata"].get("annotations") or {}):
                return
            place.delete(plural, step.name)
        self._obstacles.add((step.place, plural, step.name))
        place.create(plural, body | {"spec": OBSTACLES[plural]})

    def take_obstacle(self, step: Step) -> None:
        there = self.places[step.place].find(step.detail, step.name)
        noted = ((there or {"metadata": {}})["metadata"].get("annotations") or {}).get(NOTE)
        self._obstacles.discard((step.place, step.detail, step.name))
        if noted == IN_THE_WAY:
            self.places[step.place].delete(step.detail, step.name)

    # Secrets

    def edit_model_keys(self, step: Step) -> None:
        place = self.places[step.place]
        name = secret_name(place.name, step.name)
        if step.detail == "delete":
            place.delete("secrets", name)
            return
        value = None if step.detail == "remove" else _encoded("changed")
        place.merge("secrets", name, {"data": {f"{step.name}.{ENGINE}": value}})

    def edit_robot_keys(self, step: Step) -> None:
        place, known = self.places[step.place], self.users_entries.setdefault(step.place, {})
        if step.detail == "delete":
            place.delete("secrets", "qwen3vl-robot-keys")
            self.may_return.setdefault(step.place, {}).update(known)
            known.clear()
            return
        entry = f"{step.name}.{'default' if 'default' in step.detail else 'robot-7'}"
        value = f"{MARK}-{secrets.token_hex(4)}" if step.detail in ("add", "own default") else None
        self._change_robot_keys(place, {entry: value and _encoded(value)})
        known.pop(entry, None)
        if value is not None:
            known[entry] = value

    @staticmethod
    def _change_robot_keys(place: Namespace, data: Mapping[str, str | None]) -> None:
        """Set or remove entries as a user does, also where the operator has not made the Secret yet."""
        if place.find("secrets", "qwen3vl-robot-keys") is None:
            new = {name: value for name, value in data.items() if value is not None}
            place.create("secrets", {"metadata": {"name": "qwen3vl-robot-keys"}, "data": new})
        else:
            place.merge("secrets", "qwen3vl-robot-keys", {"data": dict(data)})

    def edit_internal(self, step: Step) -> None:
        place = self.places[PLACES[0]]
        there = place.find("secrets", "qwen3vl-internal")
        held = base64.b64decode(((there or {}).get("data") or {}).get("key", ""))
        spoilt = there is not None and len(held) < INTERNAL_KEY_BYTES
        if len(held) == INTERNAL_KEY_BYTES:
            self.former_internals.add(held)
        if step.detail == "delete" or (step.detail == "restore" and spoilt):
            place.delete("secrets", "qwen3vl-internal")
        elif step.detail in ("replace", "spoil"):
            value = secrets.token_bytes(INTERNAL_KEY_BYTES if step.detail == "replace" else 5)
            place.merge("secrets", "qwen3vl-internal", {"data": {"key": base64.b64encode(value).decode()}})

    # NavTasks

    def edit_task(self, step: Step) -> None:
        place, (how, walks_by) = self.places[step.place], step.detail
        if how == "make":
            place.create("navtasks", nav_task(step.name, robot=TASKS[step.name], modelRef={"name": walks_by}))
        elif how == "delete":
            place.delete("navtasks", step.name)
        else:
            spec = {"stop": {"state": "Stopped"}, "pause": {"state": "Paused"}}.get(how, {"instruction": "Go on."})
            place.merge("navtasks", step.name, {"spec": spec})


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
