"""What is measured, in Prometheus' format. Labels have few values: models and codes, never clients' words."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
UNKNOWN = "unknown"
"""The model of a request that was refused before its model was known."""


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        prefix = "qwen3vl_gateway"
        self.requests = Counter(f"{prefix}_requests", "Requests answered", ["model", "code"], registry=self.registry)
        self.accepted = Counter(
            f"{prefix}_accepted", "Requests that were found right and handed on", ["model"], registry=self.registry
        )
        self.in_flight = Gauge(f"{prefix}_in_flight", "Requests being answered", ["model"], registry=self.registry)
        self.seconds = Histogram(
            f"{prefix}_request_seconds",
            "Time to the end of the answer",
            ["model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.first_byte_seconds = Histogram(
            f"{prefix}_first_byte_seconds",
            "Time to the answer's first byte",
            ["model"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.upstream_errors = Counter(
            f"{prefix}_upstream_errors", "Failures of engines", ["model", "reason"], registry=self.registry
        )
        self.upstream_retries = Counter(
            f"{prefix}_upstream_retries",
            "Requests sent to an engine once more",
            ["model", "reason"],
            registry=self.registry,
        )
        self.ejections = Counter(
            f"{prefix}_ejections",
            "Endpoints left out because they failed where others did not",
            ["model"],
            registry=self.registry,
        )
        self.ejected_endpoints = Gauge(
            f"{prefix}_ejected_endpoints", "Endpoints left out now", ["model"], registry=self.registry
        )
        self.upstream_connections = Gauge(
            f"{prefix}_open_upstream_connections", "Connections to engines in use", registry=self.registry
        )
        self.image_tokens = Counter(
            f"{prefix}_image_tokens",
            "Tokens of accepted pictures, computed from their sides",
            ["model"],
            registry=self.registry,
        )
        self.models = Gauge(f"{prefix}_models", "Models in the routing table", registry=self.registry)
        self.namespace_healthy = Gauge(
            f"{prefix}_namespace_healthy",
            "1 when the namespace's EndpointSlices can be read, else 0",
            ["namespace"],
            registry=self.registry,
        )
        self.watch_restarts = Counter(
            f"{prefix}_watch_restarts",
            "Watches of EndpointSlices that failed and were begun anew",
            ["namespace", "reason"],
            registry=self.registry,
        )
        self._of: dict[str, ModelMetrics] = {}
        self._refused: dict[int, Counter] = {}

    def of(self, model: str) -> "ModelMetrics":
        """The metrics of one model of the routing table; kept, for looking labels up costs more than counting."""
        found = self._of.get(model)
        if found is None:
            found = self._of[model] = ModelMetrics(self, model)
        return found

    def refused(self, code: int) -> None:
        """Count a request that was answered before its model was known."""
        counter = self._refused.get(code)
        if counter is None:
            counter = self._refused[code] = self.requests.labels(UNKNOWN, code)
        counter.inc()


class ModelMetrics:
    """The children of one model's labels."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._requests, self._model = metrics.requests, model
        self._by_code: dict[int, Counter] = {}
        self.accepted = metrics.accepted.labels(model)
        self.in_flight = metrics.in_flight.labels(model)
        self.seconds = metrics.seconds.labels(model)
        self.image_tokens = metrics.image_tokens.labels(model)

    def answered(self, code: int) -> None:
        """Count an answer by its status."""
        counter = self._by_code.get(code)
        if counter is None:
            counter = self._by_code[code] = self._requests.labels(self._model, code)
        counter.inc()
