"""While 200 streams run, everything behind and around the gateway fails once: clients are told only what is documented,
and what the gateway counts is what they saw."""

import base64
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.cluster import Namespace, Object, is_ready
from tests.support.figures import Figures
from tests.support.gateway_pod import KEYS, GatewayPod, kill_container
from tests.support.polling import eventually
from tests.support.release import STREAMS_IN_POD, Client, Release, Simulator, simulator_model

MODEL = "pair"
AT_ONCE = 200
SECONDS = 14
STATUS = {"engine_error": 502, "engine_timeout": 504, "model_unavailable": 503, "overloaded": 503}
"""Documented codes of errors for which the client cannot do anything, and what the gateway counts them as."""


@dataclass(frozen=True)
class Pair:
    """A model with two replicas whose answers take some seconds."""

    release: Release
    client: Client
    gateway: GatewayPod

    @property
    def namespace(self) -> Namespace:
        return self.release.namespace

    def replicas(self) -> list[Object]:
        """The pods of both replicas, when both are Ready."""
        pods = eventually(self._both, 90, "both replicas are Ready")
        return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))

    def replica(self) -> Object:
        """One of them."""
        return self.replicas()[0]

    def _both(self) -> list[Object]:
        found = self.namespace.list("pods", component="engine", model=MODEL)
        alive = [pod for pod in found if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
        return alive if len(alive) == 2 else []

    def simulators(self) -> list[Simulator]:
        """The engines of both replicas."""
        return [Simulator(self.client, MODEL, pod["status"]["podIP"]) for pod in self.replicas()]

    def simulator(self) -> Simulator:
        """The engine of one replica."""
        return self.simulators()[0]

    def ask(self, key: str) -> tuple[int, str | None]:
        """Status and code of the answer to one question."""
        body = {"model": MODEL, "max_tokens": 2, "messages": [{"role": "user", "content": "What is it?"}]}
        url = "http://qwen3vl-gateway/v1/chat/completions"
        answer = self.client("http", method="POST", url=url, key=key, body=body)
        return answer["status"], json.loads(answer["body"]).get("error", {}).get("code")

    def streams(self, fault: Callable[[], Any], keys: list[str], **settings: Any) -> list[dict[str, Any]]:
        """How each stream ended, of those that ran when the fault came and those that began later."""
        arguments = {"count": AT_ONCE, "seconds": SECONDS, "model": MODEL, "keys": keys, **settings}
        running = self.client.running(STREAMS_IN_POD).begin("streams", **arguments)
        eventually(lambda: self.in_flight() >= AT_ONCE * 0.9, 20, f"{AT_ONCE} streams run")
        fault()
        return list(running.result(SECONDS + 70))

    def in_flight(self) -> float:
        return self.release.metrics().get(f'qwen3vl_gateway_in_flight{{model="{MODEL}"}}', 0)

    def ejections(self) -> tuple[float, float]:
        """How many replicas were left out so far, and are now."""
        metrics = self.release.metrics()
        names = (f'qwen3vl_gateway_{name}{{model="{MODEL}"}}' for name in ("ejections_total", "ejected_endpoints"))
        before, now = (metrics.get(name, 0) for name in names)
        return before, now

    def counted(self) -> Counter[int]:
        """Requests that the gateway has answered, by code; 499: the client left."""
        counts: Counter[int] = Counter()
        for name, value in self.release.metrics().items():
            if name.startswith("qwen3vl_gateway_requests_total{") and f'model="{MODEL}"' in name:
                counts[int(name.partition('code="')[2][:3])] += int(value)
        return counts


@pytest.fixture(scope="module")
def pair(release: Release, client: Client) -> Iterator[Pair]:
    manifest = simulator_model(MODEL, replicas=2)
    manifest["spec"]["engine"]["simulator"] = {"firstTokenMillis": 20, "tokensPerSecond": 8}
    release.namespace.apply(manifest)
    release.namespace.wait_ready(MODEL)
    pair = Pair(release, client, GatewayPod(release.namespace))
    pair.replica()
    yield pair
    release.namespace.kubectl("delete", "visionmodel", MODEL, "--wait=false")


@pytest.fixture(scope="module")
def key(pair: Pair) -> str:
    """The key that every installation has."""
    return base64.b64decode(pair.namespace.get("secrets", KEYS)["data"]["default"]).decode().split()[-1]


def check(
    what: str, results: list[dict[str, Any]], figure: Figures, *, told: set[str], at_most: float, counted: Counter[int]
) -> None:
    """Every stream finished, was left by us, or ended with one of these documented codes, at most this share of them;
    and the gateway counted the same."""
    ends = Counter(one["end"] for one in results)
    failed = [one for one in results if one["end"] not in ("finished", "left")]
    figure(f"{what}: failed of {len(results)} streams", len(failed), "streams")
    assert ends["finished"] > AT_ONCE, ends
    assert [one for one in failed if one["end"] != "failed" or one["code"] not in told] == []
    assert all(one["status"] in (200, STATUS[one["code"]]) for one in failed), failed
    assert [one for one in failed if one["status"] == 503 and not int(one["retry_after"] or 0)] == []
    assert len(failed) <= at_most * len(results), Counter(one["code"] for one in failed)
    by_code = Counter(STATUS[one["code"]] for one in failed)
    assert +Counter({code: count for code, count in counted.items() if code not in (200, 499)}) == by_code
    # One that we leave at its last moment may be finished for the gateway.
    assert counted[200] + counted[499] == ends["finished"] + ends["left"]
    assert ends["finished"] <= counted[200] <= ends["finished"] + ends["left"]


@dataclass(frozen=True)
class Fault:
    """What happens to one replica.

    Attributes:
        told: documented codes that clients may be told.
        at_most: share of the streams for which it may be so.
    """

    happens: Callable[[Pair], None]
    told: frozenset[str]
    at_most: float


def _fails_fast(pair: Pair) -> None:
    pair.simulator().fault("500")


def _hangs(pair: Pair) -> None:
    pair.simulator().fault("hang")


def _is_killed(pair: Pair) -> None:
    kill_container(pair.namespace, pair.replica())


def _is_drained(pair: Pair) -> None:
    pair.namespace.delete("pods", pair.replica()["metadata"]["name"])


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        # The other replica answers what this one refuses, so that nobody is told.
        ("fails fast", Fault(_fails_fast, frozenset({"engine_error"}), 0.05)),
        ("hangs", Fault(_hangs, frozenset({"engine_timeout"}), 0.7)),
        ("is killed", Fault(_is_killed, frozenset({"engine_error", "model_unavailable"}), 0.5)),
        ("is drained", Fault(_is_drained, frozenset({"engine_error", "model_unavailable"}), 0.5)),
    ],
    ids=["fails-fast", "hangs", "is-killed", "is-drained"],
)
def test_a_replica_that_fails_takes_only_what_it_had(
    pair: Pair, key: str, figure: Figures, what: str, fault: Fault
) -> None:
    pair.replica()
    before, simulator = pair.counted(), pair.simulator()
    try:
        results = pair.streams(lambda: fault.happens(pair), [key])
    finally:
        if what in ("fails fast", "hangs"):
            simulator.fault("none")
    eventually(lambda: pair.in_flight() == 0, 20, "nothing is in flight")
    counted = pair.counted() - before
    check(f"a replica {what}", results, figure, told=set(fault.told), at_most=fault.at_most, counted=counted)


def test_what_every_replica_fails_at_is_the_requests_fault(pair: Pair, key: str) -> None:
    simulators = pair.simulators()
    eventually(lambda: pair.ejections()[1] == 0, 90, "none is left out")
    before = pair.ejections()
    try:
        for simulator in simulators:
            simulator.fault("500")
        answers = [pair.ask(key) for _ in range(12)]
    finally:
        for simulator in simulators:
            simulator.fault("none")
    assert answers == [(502, "engine_error")] * 12
    assert pair.ejections() == before
    assert pair.ask(key) == (200, None)


def test_a_gateway_that_is_rolled_loses_nothing(pair: Pair, key: str) -> None:
    pair.replica()
    old = pair.gateway.now()["metadata"]["name"]
    deployment = "deployment/qwen3vl-gateway"
    results = pair.streams(lambda: pair.namespace.kubectl("rollout", "restart", deployment), [key])
    pair.namespace.kubectl("rollout", "status", deployment, "--timeout=60s")
    eventually(lambda: pair.namespace.find("pods", old) is None, 90, "the old gateway's pod is gone")
    assert [one for one in results if one["end"] not in ("finished", "left")] == []
    assert len(results) > AT_ONCE


def test_keys_that_are_rotated_lose_nothing(pair: Pair, figure: Figures) -> None:
    pair.replica()
    old, new = (f"sk-{name}-{secrets.token_hex(16)}" for name in ("old", "new"))
    pair.gateway.set_keys("streams", old)
    pair.gateway.wait_for_key(pair.client, old)
    before = pair.counted()

    def rotate() -> None:
        pair.gateway.set_keys("streams", new, old)
        pair.gateway.wait_for_key(pair.client, new)

    try:
        results = pair.streams(rotate, [old, new], switch_seconds=SECONDS - 2)
        used = Counter(one["key"] for one in results)
        assert used[old] >= AT_ONCE and used[new] > 0
        eventually(lambda: pair.in_flight() == 0, 20, "nothing is in flight")
        check("keys rotated", results, figure, told=set(), at_most=0, counted=pair.counted() - before)
        pair.gateway.set_keys("streams", new)
        pair.gateway.wait_for_key(pair.client, old, valid=False)
        pair.gateway.wait_for_key(pair.client, new)
    finally:
        pair.gateway.set_keys("streams")
