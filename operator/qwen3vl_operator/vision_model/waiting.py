"""Which objects of a model wait, so that their Events are worth a look: Events are not watched. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from qwen3vl_operator.vision_model import pods
from qwen3vl_operator.vision_model.containers import is_created
from qwen3vl_operator.vision_model.observed import Object, Observed
from qwen3vl_operator.vision_model.pods import Pod
from qwen3vl_operator.vision_model.scheduling import claims, waits_for_claim


class Waiting(NamedTuple):
    """An object by its title, such as "Pod m-engine-0", and the RFC 3339 time since when it waits; "" where unknown."""

    title: str
    since: str


def waiting_titles(seen: Observed) -> list[Waiting]:
    """Each object once, the longest waiting time first known."""
    found: dict[str, Waiting] = {}
    for waiting in (*_stateful_set(seen), *(one for pod in (*seen.pods, *seen.vln_pods) for one in _pod(pod))):
        found.setdefault(waiting.title, waiting)
    return list(found.values())


def _stateful_set(seen: Observed) -> Iterator[Waiting]:
    """The StatefulSet that has fewer pods than it should: why one could not be made stands only in its events."""
    thing: Object | None = seen.stateful_set
    if thing is not None and len(seen.pods) < thing["spec"].get("replicas", 1):
        yield Waiting(f"StatefulSet {thing['metadata']['name']}", thing["metadata"].get("creationTimestamp", ""))


def _pod(pod: Pod) -> Iterator[Waiting]:
    if pods.is_terminating(pod) or pods.is_ready(pod):
        return
    created = pod["metadata"].get("creationTimestamp", "")
    scheduled = pods.condition(pod, "PodScheduled").get("lastTransitionTime", "")
    if not pods.is_scheduled(pod):
        since = scheduled or created
        yield Waiting(pods.event_title(pod), since)
        if waits_for_claim(pod):
            yield from (Waiting(f"PersistentVolumeClaim {claim}", since) for claim in claims(pod))
        return
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    if pods.are_containers_ready(pod):
        yield Waiting(pods.event_title(pod), pods.condition(pod, "Ready").get("lastTransitionTime", "") or created)
    elif not any(is_created(one) for one in (*containers, *(status.get("initContainerStatuses") or []))):
        yield Waiting(pods.event_title(pod), scheduled or status.get("startTime") or created)
