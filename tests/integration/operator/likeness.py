"""Whether two sets of namespaces hold the same: what is there, by names that do not depend on the namespaces' own, on
uids, times or on how often somebody changed something. Pure, but for the reading."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.integration.operator.api import Namespace, Object
from tests.integration.operator.edits import MARK
from tests.integration.operator.steps import MODELS, PLACES

from qwen3vl_common.keys import derive
from qwen3vl_operator.secrets import model_keys, robot_keys

CHILDREN = ("statefulsets", "deployments", "horizontalpodautoscalers", "services", "persistentvolumeclaims")
KINDS = ("visionmodels", "navtasks", *CHILDREN, "secrets")
_VARY = ("qwen3vl.io/applied-hash", "qwen3vl.io/generation", "qwen3vl.io/rollout-began")
"""Annotations whose value says what was applied when: the hash has uids in it. That each is right shows when a new
process finds nothing to apply."""
_PURPOSES = (*model_keys.PURPOSES, robot_keys.PURPOSE)
Likeness = dict[str, Any]
"""What is to be equal, by "letter/plural/name"."""


@dataclass(frozen=True)
class Seen:
    """All objects of some namespaces, by letter and plural.

    Attributes:
        former: internal keys of before: a robot's key that was made from one stays as it is when another comes.
    """

    places: Mapping[str, str]
    objects: Mapping[tuple[str, str], list[Object]]
    former: frozenset[bytes] = frozenset()

    @property
    def internal(self) -> bytes:
        """The key that all others are made from."""
        return base64.b64decode(self.secret(PLACES[0], "qwen3vl-internal").get("key", ""))

    def raw(self) -> dict[str, Object]:
        """Every object by its place."""
        return {
            f"{letter}/{plural}/{one['metadata']['name']}": one
            for (letter, plural), listed in self.objects.items()
            for one in listed
        }

    def versions(self) -> dict[str, str]:
        """resourceVersion of everything."""
        return {place: one["metadata"]["resourceVersion"] for place, one in self.raw().items()}

    def secret(self, letter: str, name: str) -> dict[str, str]:
        """The entries of a Secret, encoded; none where it is not there."""
        found = self.raw().get(f"{letter}/secrets/{name}", {})
        return dict(found.get("data") or {})

    def models(self, letter: str) -> dict[str, Object]:
        return {one["metadata"]["name"]: one for one in self.objects[letter, "visionmodels"]}


def look(places: Mapping[str, Namespace], former: Iterable[bytes] = ()) -> Seen:
    """Read everything. `former`: internal keys of before."""
    objects = {(letter, plural): place.list(plural) for letter, place in places.items() for plural in KINDS}
    return Seen({letter: place.name for letter, place in places.items()}, objects, frozenset(former))


def likeness(seen: Seen) -> Likeness:
    """What is to be equal to that of another look."""
    words = _words(seen)
    result: Likeness = {}
    for (letter, plural), listed in seen.objects.items():
        for one in listed:
            if plural == "secrets":
                result |= _entries(seen, letter, one)
                continue
            told = _task(one, listed) if plural == "navtasks" else _object(one, with_status=plural == "visionmodels")
            text = json.dumps(told)
            for word, general in words.items():
                text = text.replace(word, general)
            result[f"{letter}/{plural}/{one['metadata']['name']}"] = json.loads(text)
    return result


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where they differ, a line each."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for name in sorted({*one, *other})
            for line in differences(one.get(name), other.get(name), f"{at}/{name}" if at else name)
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line
            for number, pair in enumerate(zip(one, other, strict=True))
            for line in differences(*pair, f"{at}[{number}]")
        ]
    return [] if one == other else [f"{at}: {one!r} ≠ {other!r}"]


def left_over(seen: Seen, places: Iterable[str]) -> list[str]:
    """Which of these may be there although a new installation lacks them: volumes with data of a model that is gone or
    has no cache any more; keys of a model that wanted them before the newest full LIST; and a robot's key that was made
    before its users brought their own."""
    result = []
    for place in places:
        letter, plural, name = place.split("/")
        model = seen.models(letter).get(name.split(".")[0].removesuffix("-cache"))
        gone = {
            "persistentvolumeclaims": model is None or "cache" not in model["spec"],
            "model-keys": model is None
            or ("navigation" not in model["spec"] and not name.endswith(f".{model_keys.ENGINE}")),
            "robot-keys": name.endswith(f".{robot_keys.DEFAULT_CLIENT}"),
        }
        if gone.get(plural):
            result.append(place)
    return result


def secrets_of(seen: Seen, entries: Iterable[str]) -> set[str]:
    """The Secrets in which these entries are; other objects are left out."""
    result = set()
    for place in entries:
        letter, plural, name = place.split("/")
        if plural == "model-keys":
            result.add(f"{letter}/secrets/{model_keys.secret_name(seen.places[letter], name.split('.')[0])}")
        if plural == "robot-keys":
            result.add(f"{letter}/secrets/qwen3vl-robot-keys")
    return result


def without(found: Mapping[str, Any], places: Collection[str]) -> dict[str, Any]:
    """All but these places."""
    return {place: value for place, value in found.items() if place not in places}


def _words(seen: Seen) -> dict[str, str]:
    """By what stands in objects of one look alone, what it is called in all: the longest first."""
    result = {}
    for letter, namespace in seen.places.items():
        for name, model in seen.models(letter).items():
            result[model["metadata"]["uid"]] = f"uid of {letter}/{name}"
        for name in MODELS:
            result[model_keys.secret_name(namespace, name)] = "qwen3vl-model-keys-X"
            for purposes in ((model_keys.ENGINE,), (model_keys.VLN_TO_GATEWAY, model_keys.OPERATOR_TO_VLN)):
                keys = "".join(derive(seen.internal, purpose, namespace, name) for purpose in purposes)
                result[hashlib.sha256(keys.encode()).hexdigest()[:16]] = f"hash of {' and '.join(purposes)} of {name}"
        result[namespace] = f"namespace {letter}"
    return result


def _object(thing: Object, *, with_status: bool) -> Object:
    metadata = thing["metadata"]
    annotations = {
        name: "varies" if name in _VARY else value
        for name, value in (metadata.get("annotations") or {}).items()
        if not name.startswith(MARK)
    }
    annotations.pop("qwen3vl.io/rollout-began", None)
    told = {name: metadata[name] for name in ("labels", "ownerReferences", "finalizers") if name in metadata}
    spec = _without_marked(thing["spec"])
    if "clusterIP" in spec and spec["clusterIP"] != "None":
        for name in ("clusterIP", "clusterIPs"):
            spec[name] = "an address"
    result = {"metadata": _without_marked(told) | {"annotations": annotations}, "spec": spec}
    if with_status:
        result["status"] = _without_times(thing.get("status") or {}, metadata["generation"])
    return result


def _without_marked(value: Any) -> Any:
    """Without what steps added under names of their own."""
    if isinstance(value, dict):
        kept = {name: _without_marked(part) for name, part in value.items() if not name.startswith(MARK)}
        return {name: part for name, part in kept.items() if part != {} or value[name] == {}}
    if isinstance(value, list):
        marked = [one for one in value if isinstance(one, dict) and str(one.get("name", "")).startswith(MARK)]
        return sorted((_without_marked(one) for one in value if one not in marked), key=_identity)
    return value


def _identity(item: Any) -> str:
    """Sorts lists whose entries Kubernetes tells apart by a field; the order of the others stays."""
    if not isinstance(item, dict):
        return ""
    return str(next((item[name] for name in ("mountPath", "name") if name in item), ""))


def _without_times(value: Any, generation: int) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_times(part, generation) for name, part in value.items() if not name.endswith("Time")}
        if "observedGeneration" in kept:
            kept["observedGeneration"] = "newest" if kept["observedGeneration"] == generation else "older"
        return kept
    return [_without_times(one, generation) for one in value] if isinstance(value, list) else value


def _task(task: Object, all_tasks: list[Object]) -> Object:
    """A NavTask that is stopped, or that wants a robot with others, has a history; of these only that it was judged."""
    status = _without_times(task.get("status") or {}, task["metadata"]["generation"])
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    rivals = [one for one in all_tasks if one["spec"]["robot"] == task["spec"]["robot"]]
    if task["spec"]["state"] == "Stopped" or len(rivals) > 1:
        return {"spec": task["spec"], "judged": status.get("observedGeneration")}
    if conditions.get("Accepted", {}).get("status") != "True":
        status.pop("session", None)  # the VLN API of then may still have it
    if "session" in status:
        status["session"] = "one"
    return {"spec": task["spec"], "status": status}


def _entries(seen: Seen, letter: str, secret: Object) -> Likeness:
    """The entries of all Secrets of one purpose together, each key by what it was made from."""
    name, namespace = secret["metadata"]["name"], seen.places[letter]
    plural = "model-keys" if name.startswith("qwen3vl-model-keys-") else name.removeprefix("qwen3vl-")
    made_from = [(seen.internal, purpose) for purpose in _PURPOSES]
    made_from += [(internal, robot_keys.PURPOSE) for internal in seen.former]
    keys = {
        derive(internal, purpose, namespace, one): f"key {purpose} of {one}"
        for internal, purpose in made_from
        for one in MODELS
    }
    result = {}
    for entry, value in (secret.get("data") or {}).items():
        raw = base64.b64decode(value)
        text = raw.decode(errors="replace")
        where = entry
        if plural == "model-keys" and model_keys.secret_name(namespace, entry.split(".")[0]) != name:
            where = f"{entry} in the wrong Secret"
        result[f"{letter}/{plural}/{where}"] = keys.get(text, raw.hex())
    return result
