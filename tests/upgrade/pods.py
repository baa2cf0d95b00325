"""What became of the models' pods, from beginning to end: looked at again and again, each time all at one moment."""

import json
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType

from tests.support.cluster import Api, Object, is_ready

PAUSE_SECONDS = 0.1
PATH = "/api/v1/pods?labelSelector=app.kubernetes.io%2Fcomponent+in+%28engine%2Cvln%29"
"""One list is one moment of the cluster, whatever namespaces it covers."""


@dataclass(frozen=True)
class Pod:
    """A pod at one moment.

    Attributes:
        model: `namespace/name` of its VisionModel.
        serves: it is Ready and not on its way out.
    """

    component: str
    model: str
    uid: str
    restarts: int
    serves: bool

    @property
    def run(self) -> tuple[str, int]:
        """What is another one after each restart."""
        return self.uid, self.restarts


def _pod(body: Object) -> Pod:
    metadata, labels = body["metadata"], body["metadata"]["labels"]
    containers = body["status"].get("containerStatuses") or []
    return Pod(
        component=labels["app.kubernetes.io/component"],
        model=f"{metadata['namespace']}/{labels['qwen3vl.io/model']}",
        uid=metadata["uid"],
        restarts=sum(status["restartCount"] for status in containers),
        serves=is_ready(body) and "deletionTimestamp" not in metadata,
    )


def look(api: Api, namespaces: Iterable[str]) -> frozenset[Pod]:
    """The models' pods of these namespaces now."""
    within = tuple(f"{name}/" for name in namespaces)
    return frozenset(
        pod for pod in map(_pod, json.loads(api.call("GET", PATH))["items"]) if pod.model.startswith(within)
    )


def runs(pods: Iterable[Pod]) -> set[tuple[str, int]]:
    """What no restart may change."""
    return {pod.run for pod in pods}


@dataclass
class History:
    """Pods over time, taken in the background while the block runs.

    Attributes:
        moments: (seconds since the beginning, pods), one for each change that was seen.
    """

    api: Api
    namespaces: tuple[str, ...]
    moments: list[tuple[float, frozenset[Pod]]] = field(default_factory=list)

    def __enter__(self) -> "History":
        self._end, self._executor = threading.Event(), ThreadPoolExecutor(1)
        self._follow: Future[None] = self._executor.submit(self._run)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._end.set()
        self._executor.shutdown()
        if error is None:
            self._follow.result()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._end.wait(PAUSE_SECONDS):
            pods = look(self.api, self.namespaces)
            if not self.moments or self.moments[-1][1] != pods:
                self.moments.append((time.monotonic() - begun, pods))

    def runs_of(self, component: str, model: str) -> list[tuple[str, int]]:
        """A model's pods, and their containers' restarts, in the order in which they came."""
        ordered: dict[tuple[str, int], None] = {}
        for _, pods in self.moments:
            ordered |= {pod.run: None for pod in pods if (pod.component, pod.model) == (component, model)}
        return list(ordered)

    def away(self, component: str) -> list[tuple[float, frozenset[str]]]:
        """At each moment, the models of which no such pod serves."""
        models = {pod.model for _, pods in self.moments for pod in pods if pod.component == component}
        return [
            (when, frozenset(models - {pod.model for pod in pods if pod.component == component and pod.serves}))
            for when, pods in self.moments
        ]

    def order_of_going(self) -> list[str]:
        """The models in the order in which their engine went away for the first time."""
        return list(dict.fromkeys(model for _, gone in self.away("engine") for model in sorted(gone)))

    def seconds_away(self, component: str, model: str) -> float:
        """How long no such pod of the model served, in all."""
        away = self.away(component)
        ends = [when for when, _ in away[1:]] + [away[-1][0]]
        return sum(end - when for (when, gone), end in zip(away, ends, strict=True) if model in gone)
