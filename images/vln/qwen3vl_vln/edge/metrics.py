"""Counters of this process for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0)


class Metrics:
    """What is counted. Label sets are few and fixed, so a robot cannot make new ones."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter("qwen3vl_vln_answers", "Answers by state.", ["state"], registry=self._registry)
        self._images = Counter("qwen3vl_vln_images", "Pictures received.", registry=self._registry)
        self._decoded = Counter("qwen3vl_vln_images_analysed", "Pictures decoded.", ["key"], registry=self._registry)
        results = "Model answers by outcome."
        self._results = Counter("qwen3vl_vln_results", results, ["outcome"], registry=self._registry)
        self._failed = Counter(
            "qwen3vl_vln_model_failures", "Model calls unanswered.", ["kind"], registry=self._registry
        )
        self._seconds = Histogram(
            "qwen3vl_vln_model_seconds", "Model calls.", buckets=_SECONDS, registry=self._registry
        )
        self._sockets = Gauge("qwen3vl_vln_connected_robots", "Open WebSockets.", registry=self._registry)
        self._restarts = Gauge("qwen3vl_vln_worker_restarts", "Worker starts after the first.", registry=self._registry)
        self._unknown = Counter(
            "qwen3vl_vln_unknown_messages", "Binary messages of unknown type.", registry=self._registry
        )
        self._age = Histogram(
            "qwen3vl_vln_plan_age_seconds",
            "Age of the plan that an answer moves by.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._pauses = Counter(
            "qwen3vl_vln_pauses", "Times that a moving robot came to stand.", ["reason"], registry=self._registry
        )
        self._discarded = Counter(
            "qwen3vl_vln_discarded",
            "Frames and results that came too late to count.",
            ["what"],
            registry=self._registry,
        )
        self._viewers = Gauge("qwen3vl_vln_viewers", "Who watches, snapshots included.", registry=self._registry)
        drawn = "Pictures drawn for viewers; drawn=false: given up."
        self._rendered = Counter("qwen3vl_vln_pictures_rendered", drawn, ["drawn"], registry=self._registry)
        self._recorded = Counter("qwen3vl_vln_recorded_bytes", "Bytes of finished recordings.", registry=self._registry)
        self._recordings_failed = Counter(
            "qwen3vl_vln_recordings_failed", "Recordings given up.", registry=self._registry
        )
        self._by_state: dict[str, Counter] = {}

    def answered(self, state: str, image: bool) -> None:
        """An answer went out."""
        counter = self._by_state.get(state)
        if counter is None:
            counter = self._by_state[state] = self._answers.labels(state)
        counter.inc()
        if image:
            self._images.inc()

    def moved(self, plan_age_seconds: float) -> None:
        """An answer with a velocity went out."""
        self._age.observe(plan_age_seconds)

    def paused(self, reason: str) -> None:
        """A robot that moved was told to stand."""
        self._pauses.labels(reason).inc()

    def discarded(self, what: str) -> None:
        """An `old_sequence`, a `late_result`, or a message of a `flood` was not used."""
        self._discarded.labels(what).inc()

    def on_decoded(self, *, key: bool) -> None:
        """The worker decoded an image."""
        self._decoded.labels(str(key).lower()).inc()

    def result(self, outcome: str, seconds: float) -> None:
        """The model answered."""
        self._results.labels(outcome).inc()
        self._seconds.observe(seconds)

    def failed(self, *, deadline: bool) -> None:
        """A call had no answer."""
        self._failed.labels("deadline" if deadline else "error").inc()

    def recorded(self, size_bytes: int, *, failed: bool) -> None:
        """A file of a recording was finished, or a recording was given up."""
        self._recorded.inc(size_bytes)
        if failed:
            self._recordings_failed.inc()

    def connected(self, change: int) -> None:
        """A WebSocket opened (+1) or closed (-1)."""
        self._sockets.inc(change)

    def viewers(self, number: int) -> None:
        """So many watch now."""
        self._viewers.set(number)

    def rendered(self, *, drawn: bool) -> None:
        """The worker drew an image, or could not."""
        self._rendered.labels(str(drawn).lower()).inc()

    def unknown_message(self) -> None:
        """A binary message of an unknown type was ignored."""
        self._unknown.inc()

    def text(self, *, worker_restarts: int) -> bytes:
        """All of it in Prometheus' text format."""
        self._restarts.set(worker_restarts)
        return generate_latest(self._registry)
