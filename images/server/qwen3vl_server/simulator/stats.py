"""What happened since the start: counters for tests (`/simulator/stats`) and for Prometheus (`/metrics`)."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

PREFIX = "qwen3vl_simulator_"


# Compared by identity: prometheus_client keeps its collectors in a dict.
@dataclass(eq=False)
class Stats:
    """Counts of generation requests. Every request ends as completed, cancelled, rejected, failed or cut."""

    requests: int = 0
    in_flight: int = 0
    completed: int = 0
    cancelled: int = 0
    rejected: int = 0
    failed: int = 0
    cut: int = 0
    images_decoded: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def json(self) -> dict[str, int]:
        return asdict(self)

    def collect(self) -> Iterable[Metric]:
        """For prometheus_client: each field as a metric of its own."""
        for field in fields(self):
            text = f"Generation requests: {field.name}".replace("_", " ")
            family = GaugeMetricFamily if field.name == "in_flight" else CounterMetricFamily
            yield family(PREFIX + field.name, text, value=getattr(self, field.name))

    def exposition(self) -> bytes:
        """Prometheus text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)
