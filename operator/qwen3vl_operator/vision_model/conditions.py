"""The conditions of a VisionModel: pure functions of the model and of what was observed, one a type."""

from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import Condition, summary
from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.accepted import accepted, withheld
from qwen3vl_operator.vision_model.navigation_ready import navigation_ready
from qwen3vl_operator.vision_model.notes import rejection
from qwen3vl_operator.vision_model.observed import Object, Observed, Outcome
from qwen3vl_operator.vision_model.running import running
from qwen3vl_operator.vision_model.scheduling import scheduling
from qwen3vl_operator.vision_model.spec import VisionModel

_MILD = ("Loading", "Starting")
"""Of several pods' troubles these are told last."""
_NOT_AS_WANTED = (Outcome.TAKEN, Outcome.REFUSED, Outcome.FAILED, Outcome.PAUSED)


def conditions(model: VisionModel, seen: Observed) -> list[Condition]:
    """All that the model has, Ready last."""
    exposed = _exposed(model, seen)
    found = [
        accepted(seen.results, paused=model.spec.paused),
        _scheduled(model, seen),
        _engine_ready(model, seen),
        exposed,
        *navigation_ready(model, seen),
        _up_to_date(model, seen),
        _available(model, seen, exposed),
    ]
    return [*found, summary(found)]


def current(seen: Observed) -> list[Object]:
    """Pods of the revision that the StatefulSet is moving to."""
    revision = ((seen.stateful_set or {}).get("status") or {}).get("updateRevision")
    return [pod for pod in seen.pods if pods.revision(pod) == revision and not pods.is_terminating(pod)]


def _scheduled(model: VisionModel, seen: Observed) -> Condition:
    wanted = model.spec.replicas
    if wanted == 0:
        return Condition("Scheduled", True, "ScaledToZero", "no replica is wanted")
    present = pods.counted(seen.pods)
    gpu = model.spec.resources.gpu
    troubles = [trouble for pod in present if (trouble := scheduling(pod, gpu, seen.events))]
    if troubles:
        worst = next((trouble for trouble in troubles if trouble.reason != "Creating"), troubles[0])
        return Condition("Scheduled", False, worst.reason, worst.message)
    if len(present) < wanted:
        rejected = rejection(seen.events.get(f"StatefulSet {names.child(model.name, 'engine')}", ()))
        if rejected is not None:
            return Condition("Scheduled", False, "PodRejected", rejected)
        return Condition("Scheduled", False, "Creating", f"{len(present)} of {wanted} pods are made")
    return Condition("Scheduled", True, "Scheduled", f"all {wanted} pods have a node")


def _engine_ready(model: VisionModel, seen: Observed) -> Condition:
    wanted = model.spec.replicas
    if wanted == 0:
        return Condition("EngineReady", True, "ScaledToZero", "no replica is wanted")
    present = pods.counted(seen.pods)
    ready = sum(pods.is_ready(pod) for pod in present)
    if ready >= wanted:
        return Condition("EngineReady", True, "Ready", f"{ready} of {wanted} replicas are ready")
    scheduled = [pod for pod in present if pods.is_scheduled(pod)]
    troubles = [found for pod in scheduled if (found := running(pod, events=seen.events, secrets=seen.secrets))]
    if not troubles:
        return Condition("EngineReady", False, "NotScheduled", f"{ready} of {wanted} replicas are ready")
    worst = min(troubles, key=lambda trouble: trouble.reason in _MILD)
    return Condition("EngineReady", False, worst.reason, worst.message)


def _endpoints(seen: Observed) -> int:
    """How many endpoints are ready to be routed to."""
    return sum(
        len(endpoint.get("addresses") or [])
        for piece in seen.slices
        for endpoint in piece.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
    )


def _holds_name(model: VisionModel, seen: Observed) -> bool:
    """Whether the gateway already routes the served name to this model: the labels of its slices are the route."""
    labels = [piece.get("metadata", {}).get("labels") or {} for piece in seen.slices]
    return any(found.get(names.SERVED_NAME) == model.served_name for found in labels)


def _exposed(model: VisionModel, seen: Observed) -> Condition:
    if seen.name_owner is not None:
        return Condition(
            "Exposed",
            False,
            "NameCollision",
            f"the served name {model.served_name!r} belongs to the older VisionModel {seen.name_owner}; "
            "set another spec.servedName",
        )
    if seen.unlisted and not _holds_name(model, seen):
        unread = ", ".join(sorted(seen.unlisted))
        return Condition(
            "Exposed",
            None,
            "NamespaceUnread",
            f"not read yet: {unread}; an older VisionModel there may have the served name {model.served_name!r}",
        )
    service = f"Service {names.child(model.name, 'engine')}"
    is_wanting = any(one.title == service and one.outcome in _NOT_AS_WANTED for one in seen.results)
    if is_wanting and not _holds_name(model, seen):
        words = f"the gateway does not know the name {model.served_name!r}: {service} is not as the spec wants it"
        return Condition("Exposed", False, "NoEndpoints", words)
    if model.spec.replicas == 0:
        return Condition("Exposed", True, "ScaledToZero", "the gateway knows the model; it has no replica")
    ready = _endpoints(seen)
    if ready == 0:
        return Condition("Exposed", False, "NoEndpoints", "no replica is ready to be routed to")
    return Condition("Exposed", True, "Routed", f"{ready} endpoints serve {model.served_name!r}")


def _available(model: VisionModel, seen: Observed, exposed: Condition) -> Condition:
    if not exposed.status:
        return Condition("Available", False, exposed.reason, exposed.message)
    if model.spec.replicas == 0:
        return Condition("Available", False, "ScaledToZero", "no replica is wanted")
    return Condition("Available", True, "Routed", exposed.message)


def _is_settled(seen: Observed) -> bool:
    """Whether the StatefulSet's controller has seen the newest spec."""
    if seen.stateful_set is None:
        return False
    observed = (seen.stateful_set.get("status") or {}).get("observedGeneration", 0)
    return bool(observed >= seen.stateful_set["metadata"].get("generation", 0))


def _up_to_date(model: VisionModel, seen: Observed) -> Condition:
    if (reason := withheld(seen.results)) is not None:
        return reason
    wanted = model.spec.replicas
    if wanted == 0:
        return Condition("UpToDate", True, "UpToDate")
    newest = current(seen)
    others = len([pod for pod in seen.pods if pod not in newest])
    is_new = _is_settled(seen) and len(newest) >= wanted and others == 0
    words = f"{len(newest)} of {wanted} pods are of the newest revision"
    return Condition("UpToDate", is_new, "UpToDate" if is_new else "RollingOut", words)
