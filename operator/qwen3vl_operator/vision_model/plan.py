"""What is to be done about each object that a VisionModel wants. Pure: small decisions, of which the first counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.compare import is_up_to_date
from qwen3vl_operator.kube.resources import Object, title
from qwen3vl_operator.vision_model.desired.spec_hash import former_spec_hash
from qwen3vl_operator.vision_model.desired.vln import KEY_HASH
from qwen3vl_operator.vision_model.observed import Outcome
from qwen3vl_operator.vision_model.spec import VisionModel

ROLLED_OUT = (api.STATEFUL_SETS.kind, api.DEPLOYMENTS.kind)
"""Kinds whose change restarts pods."""
FORBIDDEN = 403


@dataclass(frozen=True)
class Step:
    """What is to be done about one object.

    Attributes:
        live: the object as it is known, None where none is.
        outcome: what is decided without asking anybody; None: it is applied.
        message: why it waits, or failed already.
        status: HTTP status by which it failed already; 0 when no answer came.
        paced: it is applied because it is its turn.
    """

    thing: Object
    live: Object | None
    outcome: Outcome | None = None
    message: str = ""
    status: int = 0
    paced: bool = False


@dataclass(frozen=True)
class MissingKeys:
    """Keys that an object mounts and that are not there yet.

    Attributes:
        message: which, and why, in the apiserver's words where they cannot be written.
        failed: HTTP status of the try to write them, 0 when no answer came; None: nothing has failed, they come.
    """

    message: str
    failed: int | None = None


@dataclass(frozen=True)
class Situation:
    """What decides beside the objects themselves.

    Attributes:
        missing_keys: by kind of object, keys that it mounts and that are not there.
        may_begin: whether it is the model's turn to be rolled out for the operator's own reasons.
    """

    missing_keys: Mapping[str, MissingKeys]
    may_begin: Callable[[], bool]


def plan(
    model: VisionModel, wanted: Sequence[Object], live: Sequence[Object | None], situation: Situation
) -> list[Step]:
    """A step for each wanted object.

    Args:
        live: what is there of each, None where nothing is known.
    """
    return [_step(model, thing, old, situation) for thing, old in zip(wanted, live, strict=True)]


def _step(model: VisionModel, thing: Object, live: Object | None, situation: Situation) -> Step:
    if live is not None and not is_ours(model, live):
        return Step(thing, live, Outcome.TAKEN)
    if live is not None and is_up_to_date(thing, live):
        return Step(thing, live, Outcome.UNCHANGED)
    if model.spec.paused:
        return Step(thing, live, Outcome.PAUSED)
    if missing := situation.missing_keys.get(thing["kind"]):
        if missing.failed is None:
            return Step(thing, live, Outcome.WAITING, missing.message)
        outcome = Outcome.REFUSED if missing.failed == FORBIDDEN else Outcome.FAILED
        return Step(thing, live, outcome, missing.message, missing.failed)
    if live is not None and is_operators_change(model, thing, live):
        if not situation.may_begin():
            return Step(thing, live, Outcome.QUEUED)
        return Step(thing, live, paced=True)
    return Step(thing, live)


def is_operators_change(model: VisionModel, thing: Object, live: Object) -> bool:
    """Whether applying restarts pods although nobody changed this model.

    What was applied last differs from what is wanted now, but not what of the spec enters the template. A missing hash
    is one of a version that had none. Drift is no change of anybody's wishes: what was applied last is the same.

    A VLN API with another key than the operator's is none either: it answers 401, so that no robot of its can be
    stopped until it restarts, which no queue may put off.
    """
    if thing["kind"] not in ROLLED_OUT or model.spec.replicas == 0:
        return False
    if thing["kind"] == api.DEPLOYMENTS.kind and _vln_key_hash(live) != _vln_key_hash(thing):
        return False
    known = live["metadata"].get("annotations") or {}
    wanted = thing["metadata"]["annotations"]
    if known.get(names.APPLIED_HASH) == wanted[names.APPLIED_HASH]:
        return False
    if (live.get("spec") or {}).get("replicas") != thing["spec"].get("replicas"):
        return False
    same_spec = known.get(names.SPEC_HASH) in (None, wanted[names.SPEC_HASH], former_spec_hash(model, thing["kind"]))
    return same_spec or known.get(names.GENERATION) == str(model.generation)


def _vln_key_hash(deployment: Object) -> str | None:
    """Which keys the VLN API's pods were made with; None where that is not noted."""
    template = (deployment.get("spec") or {}).get("template") or {}
    found: str | None = ((template.get("metadata") or {}).get("annotations") or {}).get(KEY_HASH)
    return found


def is_owned(model: VisionModel, thing: Object) -> bool:
    """Whether the object names this model as an owner."""
    return any(owner["uid"] == model.uid for owner in thing["metadata"].get("ownerReferences") or [])


def is_ours(model: VisionModel, thing: Object) -> bool:
    """Whether an object of a name that we need may be applied to.

    One without an owner is known by its labels: somebody took the owner away, or it is a retained cache. That one is of
    any model of this name, so that a model made again finds its cache again.
    """
    if thing["metadata"].get("ownerReferences"):
        return is_owned(model, thing)
    labels: dict[str, Any] = thing["metadata"].get("labels") or {}
    retained = thing.get("kind") == api.CLAIMS.kind and labels.get(names.MANAGED_BY) == names.FIELD_MANAGER
    return labels.get(names.MODEL_UID) == model.uid or (retained and labels.get(names.MODEL) == model.name)


def unwanted(model: VisionModel, wanted: Sequence[Object], children: Sequence[Object]) -> list[Object]:
    """Children that are to be deleted. Claims hold data and never are."""
    if model.spec.paused:
        return []
    keep = {title(thing) for thing in wanted}
    kinds = {resource.kind for resource in api.CHILDREN if resource is not api.CLAIMS}
    return [
        thing for thing in children if thing["kind"] in kinds and title(thing) not in keep and is_owned(model, thing)
    ]


def to_apply(step: Step, model: VisionModel, began: str | None) -> Object:
    """The object with what is noted on it when it is applied, beside what is compared.

    Args:
        began: RFC 3339 time, where a rollout of it begins that others wait for.
    """
    if step.thing["kind"] not in ROLLED_OUT:
        return step.thing
    metadata = step.thing["metadata"]
    known = ((step.live or {}).get("metadata") or {}).get("annotations") or {}
    began = began or known.get(names.ROLLOUT)
    noted = {names.GENERATION: str(model.generation)} | ({names.ROLLOUT: began} if began else {})
    return {**step.thing, "metadata": {**metadata, "annotations": {**metadata["annotations"], **noted}}}
