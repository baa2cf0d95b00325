"""What is measured, in Prometheus' format. Labels have few values: models and codes, never clients' words."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        prefix = "qwen3vl_gateway"
        self.requests = Counter(f"{prefix}_requests", "Requests answered", ["model", "code"], registry=self.registry)
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
