"""What a VisionModel's status says: a pure function of the model and of what was observed, written in every pass."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import ORDER, Condition, serialize, summary
from qwen3vl_operator.kube.mask import mask
from qwen3vl_operator.secrets import model_keys
from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.conditions import conditions, current
from qwen3vl_operator.vision_model.failures import last_failure
from qwen3vl_operator.vision_model.observed import Object, Observed
from qwen3vl_operator.vision_model.spec import VisionModel


def status(model: VisionModel, seen: Observed, *, gateway_url: str, previous: Object, now: str) -> Object:
    """The whole status. Nothing in it derives from the present time but transition times.

    Args:
        previous: the present status; transition times and the last failure are carried over.
        now: RFC 3339 time, for transitions only.
    """
    wanted = model.spec.replicas
    set_status = (seen.stateful_set or {}).get("status") or {}
    ready = sum(pods.is_ready(pod) for pod in seen.pods)
    told = _fit_to_tell(conditions(model, seen), seen.secrets)
    children = {"statefulSet": names.child(model.name, "engine"), "service": names.child(model.name, "engine")}
    children["keys"] = model_keys.secret_name(model.namespace, model.name)
    if model.spec.cache is not None:
        children["cache"] = names.child(model.name, "cache")
    if model.spec.navigation is not None:
        children["vln"] = names.child(model.name, "vln")
    result: Object = {
        "observedGeneration": model.generation,
        "servedName": model.served_name,
        "endpoint": gateway_url,
        "selector": f"{names.MODEL_UID}={model.uid},{names.COMPONENT}=engine",
        "replicas": {
            "desired": wanted,
            "current": int(set_status.get("replicas", 0)),
            "ready": ready,
            "updated": len(current(seen)),
            "summary": f"{ready}/{wanted}",
        },
        "engine": {
            "name": model.spec.engine.name,
            "image": _image(seen.stateful_set),
            "gpusPerReplica": model.spec.engine.tensor_parallel if model.spec.engine.kind.uses_gpus else 0,
        },
        "children": children,
        "conditions": serialize(told, previous.get("conditions") or [], generation=model.generation, now=now),
    }
    failure = last_failure(seen.pods, previous.get("lastFailure"), seen.secrets)
    if failure:
        result["lastFailure"] = failure
    return result


def invalid(model_body: Object, error: str, *, now: str) -> Object:
    """The status of an object whose spec does not parse: it keeps what it had, and says why nothing is done."""
    previous, generation = _before(model_body)
    bad = Condition("Accepted", False, "InvalidSpec", error)
    told = _fit_to_tell([bad, summary([bad])])
    serialized = serialize(told, previous.get("conditions") or [], generation=generation, now=now)
    return {**previous, "observedGeneration": generation, "conditions": serialized}


def failed_pass(model_body: Object, words: str, *, now: str) -> Object:
    """The status when a whole pass broke: it took too long, or the operator made a mistake.

    What was known stays, each condition with the generation that it was judged for; but no generation is called Valid
    or up to date whose objects may not have been applied.

    Args:
        words: what broke.
    """
    previous, generation = _before(model_body)
    bad = Condition("Accepted", False, "ApplyFailed", words)
    told = _fit_to_tell([bad, replace(bad, type="UpToDate"), summary([bad])])
    known: list[Object] = previous.get("conditions") or []
    by_type = {item["type"]: item for item in [*known, *serialize(told, known, generation=generation, now=now)]}
    ordered = [by_type[kind] for kind in (*ORDER, "Ready") if kind in by_type]
    return {**previous, "observedGeneration": generation, "conditions": ordered}


def _before(model_body: Object) -> tuple[Object, int]:
    """The present status, and the generation of the present spec."""
    return model_body.get("status") or {}, model_body["metadata"].get("generation", 0)


def _fit_to_tell(told: Sequence[Condition], secrets: Collection[str] = ()) -> list[Condition]:
    """With messages that have no secrets and that fit into a terminal."""
    return [replace(one, message=mask(one.message, secrets)[: pods.MAX_MESSAGE]) for one in told]


def _image(stateful_set: Object | None) -> str:
    if stateful_set is None:
        return ""
    return str(stateful_set["spec"]["template"]["spec"]["containers"][0]["image"])
