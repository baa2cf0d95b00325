"""What is measured, in Prometheus' format: one table, and what fills it.

What is counted while the operator works stands in a registry of its own. What follows from objects (conditions, tasks,
namespaces) is read when it is scraped, and written here: a thousand models have 8,000 lines, which the library's own
writer takes ten times as long for, in the loop that serves everybody."""

from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import prometheus_client as prometheus
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from qwen3vl_operator.kube.calls import WRITES, Call
from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.kube.resources import KINDS

Object = dict[str, Any]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


@dataclass(frozen=True)
class Metric:
    """One metric: its name as it is scraped, and what it says. Labels have few values, or one object each."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    help: str


QUEUE_DEPTH = Metric("qwen3vl_operator_queue_depth", "gauge", (), "Keys that are due and wait for a worker")
QUEUE_OLDEST = Metric(
    "qwen3vl_operator_queue_oldest_seconds",
    "gauge",
    (),
    "How long the most overdue key has waited, or the slowest pass has lasted",
)
QUEUE_STALLED = Metric(
    "qwen3vl_operator_queue_stalled_seconds", "gauge", (), "How long no pass has ended although keys are due"
)
QUEUE_FAILING = Metric("qwen3vl_operator_queue_failing", "gauge", (), "Keys whose last pass failed")
PASS_SECONDS = Metric(
    "qwen3vl_operator_pass_seconds", "histogram", ("kind", "result"), "Time of a pass over one object, by ok or failed"
)
WRITES_TOTAL = Metric(
    "qwen3vl_operator_writes_total", "counter", ("kind", "verb", "result"), "Requests to the apiserver that write"
)
API_SECONDS = Metric(
    "qwen3vl_operator_api_seconds", "histogram", ("verb", "result"), "Time of a request to the apiserver"
)
WATCH_RESTARTS = Metric(
    "qwen3vl_operator_watch_restarts_total",
    "counter",
    ("namespace",),
    "Watches that failed, went stale or fell silent and were begun again; namespace is empty for a cluster-wide one",
)
NAMESPACE_HEALTHY = Metric(
    "qwen3vl_operator_namespace_healthy", "gauge", ("namespace",), "1 when the namespace can be read, else 0"
)
CONDITION = Metric(
    "qwen3vl_visionmodel_condition",
    "gauge",
    ("namespace", "name", "type", "status", "reason"),
    "1 for each condition of each VisionModel, with its present status and reason",
)
NAV_TASKS = Metric("qwen3vl_navtasks", "gauge", ("namespace", "phase"), "NavTasks, by phase")
BUILD_INFO = Metric("qwen3vl_operator_build_info", "gauge", ("version",), "1, with the version of the operator")
METRICS = (
    QUEUE_DEPTH,
    QUEUE_OLDEST,
    QUEUE_STALLED,
    QUEUE_FAILING,
    PASS_SECONDS,
    WRITES_TOTAL,
    API_SECONDS,
    WATCH_RESTARTS,
    NAMESPACE_HEALTHY,
    CONDITION,
    NAV_TASKS,
    BUILD_INFO,
)
"""All, as docs/metrics.md has them."""


class QueueFigures(Protocol):
    """What is asked of the queue."""

    @property
    def depth(self) -> int: ...
    @property
    def oldest_seconds(self) -> float: ...
    @property
    def stalled_seconds(self) -> float: ...
    @property
    def failing(self) -> int: ...


class Metrics:
    """The operator's metrics.

    Args:
        queue: asked when it is scraped, as are the next three.
        namespaces: each watched namespace, and whether it can be read.
        models: VisionModels as the API has them.
        tasks: NavTasks, likewise.
    """

    def __init__(
        self,
        *,
        version: str,
        queue: QueueFigures,
        namespaces: Callable[[], Mapping[str, bool]],
        models: Callable[[], Iterable[Object]],
        tasks: Callable[[], Iterable[Object]],
    ) -> None:
        self._namespaces, self._models, self._tasks = namespaces, models, tasks
        self.registry = prometheus.CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._gauge(QUEUE_DEPTH).set_function(lambda: queue.depth)
        self._gauge(QUEUE_OLDEST).set_function(lambda: queue.oldest_seconds)
        self._gauge(QUEUE_STALLED).set_function(lambda: queue.stalled_seconds)
        self._gauge(QUEUE_FAILING).set_function(lambda: queue.failing)
        self._gauge(BUILD_INFO).labels(version).set(1)
        self._pass_seconds = self._histogram(PASS_SECONDS)
        self._api_seconds = self._histogram(API_SECONDS)
        self._writes = self._counter(WRITES_TOTAL)
        self._watch_restarts = self._counter(WATCH_RESTARTS)

    def _gauge(self, metric: Metric) -> prometheus.Gauge:
        return prometheus.Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _counter(self, metric: Metric) -> prometheus.Counter:
        return prometheus.Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> prometheus.Histogram:
        return prometheus.Histogram(metric.name, metric.help, metric.labels, buckets=SECONDS, registry=self.registry)

    def pass_ended(self, key: Key, seconds: float, result: Literal["ok", "failed"]) -> None:
        """For `Queue.on_pass`."""
        self._pass_seconds.labels(key.kind, result).observe(seconds)

    def call_ended(self, call: Call) -> None:
        """For `HttpKube`'s `on_call`."""
        self._api_seconds.labels(call.verb, call.result).observe(call.seconds)
        if call.verb in WRITES:
            self._writes.labels(KINDS.get(call.plural, call.plural), call.verb, call.result).inc()

    def watch_restarted(self, namespace: str) -> None:
        """For `WatchLog`'s `on_restart`."""
        self._watch_restarts.labels(namespace).inc()

    def scrape(self) -> bytes:
        """All of it in Prometheus' text format."""
        namespaces = sorted(self._namespaces().items())
        for namespace, _ in namespaces:
            self._watch_restarts.labels(namespace)  # so that the first restart is seen as one
        read = (
            (NAMESPACE_HEALTHY, (((namespace,), int(healthy)) for namespace, healthy in namespaces)),
            (CONDITION, ((labels, 1) for labels in conditions(self._models()))),
            (NAV_TASKS, sorted(Count(map(place_and_phase, self._tasks())).items())),
        )
        lines = [line for metric, values in read for line in exposition(metric, values)]
        return prometheus.generate_latest(self.registry) + "\n".join([*lines, ""]).encode()


def conditions(models: Iterable[Object]) -> Iterator[tuple[str, ...]]:
    """The labels of CONDITION for each condition of each model."""
    for model in models:
        metadata = model["metadata"]
        for one in (model.get("status") or {}).get("conditions") or []:
            yield metadata["namespace"], metadata["name"], one["type"], one["status"], one.get("reason") or ""


def place_and_phase(task: Object) -> tuple[str, ...]:
    """The labels of NAV_TASKS for one task."""
    return task["metadata"]["namespace"], (task.get("status") or {}).get("phase") or "Pending"


def exposition(metric: Metric, values: Iterable[tuple[tuple[str, ...], float]]) -> Iterator[str]:
    """The lines of a gauge in the text format (https://prometheus.io/docs/instrumenting/exposition_formats/).

    Args:
        values: label values in the metric's order, and the value.
    """
    yield f"# HELP {metric.name} {metric.help}"
    yield f"# TYPE {metric.name} {metric.kind}"
    labelled = ",".join(f'{label}="%s"' for label in metric.labels)
    line = f"{metric.name}{{{labelled}}} %s"
    for labels, value in values:
        yield line % (*map(_escaped, labels), value)


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value
