"""What is counted of one model's engines. Labels' children are kept: looking them up costs more than counting."""

from prometheus_client import Counter

from qwen3vl_server.gateway.metrics import Metrics


class Counts:
    """Of one model, by its served name.

    Attributes:
        first_byte_seconds, ejections, ejected: as in `Metrics`.
    """

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._metrics, self._model = metrics, model
        self._children: dict[tuple[Counter, str], Counter] = {}
        self.first_byte_seconds = metrics.first_byte_seconds.labels(model)
        self.ejections = metrics.ejections.labels(model)
        self.ejected = metrics.ejected_endpoints.labels(model)

    def error(self, reason: str) -> None:
        """An engine failed."""
        self._child(self._metrics.upstream_errors, reason).inc()

    def retry(self, reason: str) -> None:
        """A request is sent once more."""
        self._child(self._metrics.upstream_retries, reason).inc()

    def _child(self, counter: Counter, reason: str) -> Counter:
        found = self._children.get((counter, reason))
        if found is None:
            found = self._children[counter, reason] = counter.labels(self._model, reason)
        return found
