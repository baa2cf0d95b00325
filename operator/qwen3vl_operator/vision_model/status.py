"""What a VisionModel's status says: a pure function of the model and of what was observed."""

import re
from typing import Any

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import Condition, serialize, summary
from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.failures import last_failure
from qwen3vl_operator.vision_model.navigation_ready import navigation_ready
from qwen3vl_operator.vision_model.observed import Observed, Outcome, Result
from qwen3vl_operator.vision_model.spec import VisionModel

Object = dict[str, Any]


def status(model: VisionModel, seen: Observed, *, gateway_url: str, previous: Object, now: str) -> Object:
    """The whole status. Nothing in it derives from the present time but transition times.

    Args:
        previous: the present status; transition times and the last failure are carried over.
        now: RFC 3339 time, for transitions only.
    """
    wanted = model.spec.replicas
    set_status = (seen.stateful_set or {}).get("status") or {}
    current = _current(seen)
    ready = sum(pods.is_ready(pod) for pod in seen.pods)
    conditions = _conditions(model, seen, current)
    conditions.append(summary(conditions))
    children = {"statefulSet": names.child(model.name, "engine"), "service": names.child(model.name, "engine")}
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
            "updated": len(current),
            "summary": f"{ready}/{wanted}",
        },
        "engine": {
            "name": model.spec.engine.name,
            "image": _image(seen.stateful_set),
            "gpusPerReplica": model.spec.engine.tensor_parallel if model.spec.engine.kind.uses_gpus else 0,
        },
        "children": children,
        "conditions": serialize(conditions, previous.get("conditions") or [], generation=model.generation, now=now),
    }
    failure = last_failure(seen.pods, previous.get("lastFailure"))
    if failure:
        result["lastFailure"] = failure
    return result


def invalid(model_body: Object, error: str, *, now: str) -> Object:
    """The status of an object whose spec does not parse: it keeps what it had, and says why nothing is done."""
    previous = model_body.get("status") or {}
    generation = model_body["metadata"].get("generation", 0)
    conditions = [Condition("Accepted", False, "InvalidSpec", error[: pods.MAX_MESSAGE])]
    conditions.append(summary(conditions))
    serialized = serialize(conditions, previous.get("conditions") or [], generation=generation, now=now)
    return {**previous, "observedGeneration": generation, "conditions": serialized}


def _image(stateful_set: Object | None) -> str:
    if stateful_set is None:
        return ""
    return str(stateful_set["spec"]["template"]["spec"]["containers"][0]["image"])


def _current(seen: Observed) -> list[Object]:
    """Pods of the revision that the StatefulSet is moving to."""
    revision = ((seen.stateful_set or {}).get("status") or {}).get("updateRevision")
    return [pod for pod in seen.pods if pods.revision(pod) == revision and not pods.is_terminating(pod)]


def _settled(seen: Observed) -> bool:
    """Whether the StatefulSet's controller has seen the newest spec."""
    if seen.stateful_set is None:
        return False
    observed = (seen.stateful_set.get("status") or {}).get("observedGeneration", 0)
    return bool(observed >= seen.stateful_set["metadata"].get("generation", 0))


def _conditions(model: VisionModel, seen: Observed, current: list[Object]) -> list[Condition]:
    accepted = _accepted(seen)
    if model.spec.replicas == 0:
        none = "no replica is wanted"
        return [
            accepted,
            Condition("Scheduled", True, "ScaledToZero", none),
            Condition("EngineReady", True, "ScaledToZero", none),
            _exposed(model, seen),
            *navigation_ready(model, seen.vln, seen.vln_pods),
            Condition("UpToDate", True, "UpToDate"),
        ]
    return [
        accepted,
        _scheduled(model, seen),
        _engine_ready(model, seen),
        _exposed(model, seen),
        *navigation_ready(model, seen.vln, seen.vln_pods),
        _up_to_date(model, seen, current),
    ]


def _accepted(seen: Observed) -> Condition:
    taken = [result.title for result in seen.results if result.outcome is Outcome.TAKEN]
    refused = [result for result in seen.results if result.outcome in (Outcome.REFUSED, Outcome.FAILED)]
    if taken:
        things = ", ".join(sorted(taken))
        advice = "it does not belong to this VisionModel and is left alone: rename the model or remove the object"
        return Condition("Accepted", False, "NameTaken", f"{things}: {advice}")
    if refused:
        worst = sorted(refused, key=lambda refusal: (refusal.title, refusal.message))[0]
        return Condition(
            "Accepted", False, _refusal_reason(worst), f"{worst.title}: {worst.message}"[: pods.MAX_MESSAGE]
        )
    return Condition("Accepted", True, "Valid")


def _refusal_reason(refusal: Result) -> str:
    if refusal.status == 403:
        return "Forbidden"
    # Kubernetes has no code for it; these are the words of its validation.
    return "Immutable" if re.search(r"immutable|updates to|can not be less than", refusal.message) else "InvalidSpec"


def _waiting(seen: Observed) -> list[Object]:
    """Pods that are wanted. One on a lost node counts although it is marked for deletion: nothing replaces it."""
    return [pod for pod in seen.pods if not pods.is_terminating(pod) or pods.is_lost(pod)]


def _scheduled(model: VisionModel, seen: Observed) -> Condition:
    present = _waiting(seen)
    gpu = model.spec.resources.gpu
    troubles = [trouble for pod in sorted(present, key=pods.name) if (trouble := pods.scheduling(pod, gpu))]
    if troubles:
        worst = next((trouble for trouble in troubles if trouble.reason != "Creating"), troubles[0])
        return Condition("Scheduled", False, worst.reason, worst.message)
    if len(present) < model.spec.replicas:
        return Condition("Scheduled", False, "Creating", f"{len(present)} of {model.spec.replicas} pods are made")
    return Condition("Scheduled", True, "Scheduled", f"all {model.spec.replicas} pods have a node")


def _engine_ready(model: VisionModel, seen: Observed) -> Condition:
    present = sorted(_waiting(seen), key=pods.name)
    ready = sum(pods.is_ready(pod) for pod in present)
    wanted = model.spec.replicas
    if ready >= wanted:
        return Condition("EngineReady", True, "Ready", f"{ready} of {wanted} replicas are ready")
    troubles = [found for pod in present if pods.is_scheduled(pod) and (found := pods.running(pod))]
    if not troubles:
        return Condition("EngineReady", False, "NotScheduled", f"{ready} of {wanted} replicas are ready")
    ranks = ("Loading", "Starting")
    worst = min(troubles, key=lambda trouble: trouble.reason in ranks)
    return Condition("EngineReady", False, worst.reason, worst.message)


def _exposed(model: VisionModel, seen: Observed) -> Condition:
    if seen.name_owner is not None:
        return Condition(
            "Exposed",
            False,
            "NameCollision",
            f"the served name {model.served_name!r} belongs to the older VisionModel {seen.name_owner}; "
            "set another spec.servedName",
        )
    if model.spec.replicas == 0:
        return Condition("Exposed", True, "ScaledToZero", "the gateway knows the model; it has no replica")
    ready = sum(
        len(endpoint.get("addresses") or [])
        for piece in seen.slices
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    )
    if ready == 0:
        return Condition("Exposed", False, "NoEndpoints", "no replica is ready to be routed to")
    return Condition("Exposed", True, "Routed", f"{ready} endpoints serve {model.served_name!r}")


def _up_to_date(model: VisionModel, seen: Observed, current: list[Object]) -> Condition:
    wanted = model.spec.replicas
    others = len([pod for pod in seen.pods if pod not in current])
    if _settled(seen) and len(current) >= wanted and others == 0:
        return Condition("UpToDate", True, "UpToDate", f"{wanted} of {wanted} pods are of the newest revision")
    return Condition("UpToDate", False, "RollingOut", f"{len(current)} of {wanted} pods are of the newest revision")


def failed_pass(body: Object, words: str, *, now: str) -> Object:
    """temporary"""
    return body.get("status") or {}
