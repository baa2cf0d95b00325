"""Nobody brings the gateway down: with the memory that the chart gives it, under load that no honest client sends, it
is not ended, says that it is healthy, and an honest client beside keeps its answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.cluster import Namespace
from tests.support.figures import Figures
from tests.support.gateway_pod import GatewayPod
from tests.support.polling import eventually
from tests.support.release import HOSTILE_IN_POD, Client, Release, Simulator

MODEL = "simulator"
HONEST_KEY = "sk-honest-client-of-the-memory-tests"
ATTACKER_KEY = "sk-reckless-client-of-the-memory-tests"
HEALTH_SECONDS = 0.5
PEAK_MIB = 350
BUSY = {(429, "overloaded"), (503, "overloaded")}
"""What a client that asks for too much at once is told, with `Retry-After`."""


@dataclass(frozen=True)
class Beside:
    """An honest client in a pod of its own, with a key of its own, that asks another model than the hostile ones."""

    gateway: GatewayPod
    client: Client
    model: str
    figure: Figures

    def __call__(self, what: str, seconds: float, attack: Callable[[], Any]) -> Any:
        """What the attack returns. Nobody else may notice it; others are asked for so many seconds from its begin."""
        lives = self.gateway.lives()
        self.gateway.forget_peak()
        watching = self.client.begin("beside", seconds=seconds, model=self.model, key=HONEST_KEY)
        try:
            result = attack()
        finally:
            seen = watching.result(seconds + 70)
        assert self.gateway.lives() == lives, "the gateway was ended"
        health, answers = seen["health"], seen["answers"]
        self.figure(f"{what}: slowest /health", max(one["seconds"] for one in health), "s", HEALTH_SECONDS)
        ordered = sorted(one["seconds"] for one in answers)
        self.figure(f"{what}: honest client's p99", ordered[int(len(ordered) * 0.99)], "s")
        refused = [one for one in answers if one["status"] != 200]
        self.figure(f"{what}: honest client's refusals of {len(answers)}", len(refused), "requests", 0)
        self.figure(f"{what}: gateway's peak RSS", self.gateway.peak_rss_mib(), "MiB", PEAK_MIB)
        assert [one for one in health if one["status"] != 200] == []
        assert [one for one in refused if not _is_retryable(one)] == []
        return result


def _is_retryable(answer: dict[str, Any]) -> bool:
    return (answer["status"], answer["code"]) in BUSY and int(answer["retry_after"] or 0) > 0


@pytest.fixture(scope="module")
def gateway(release: Release, client: Client) -> Iterator[GatewayPod]:
    """The gateway with a key for the honest and one for the hostile; both go afterwards."""
    gateway, keys = GatewayPod(release.namespace), {"honest": HONEST_KEY, "reckless": ATTACKER_KEY}
    for name, key in keys.items():
        gateway.set_keys(name, key)
    for key in keys.values():
        gateway.wait_for_key(client, key)
    yield gateway
    for name in keys:
        gateway.set_keys(name)


@pytest.fixture(scope="module")
def beside(gateway: GatewayPod, bystander: Namespace, figure: Figures) -> Beside:
    honest = Client(bystander, "honest", HOSTILE_IN_POD)
    honest.start()
    return Beside(gateway, honest, "bystander", figure)


@pytest.fixture
def hostile(client: Client) -> Client:
    return client.running(HOSTILE_IN_POD)


def test_header_fields_without_end(beside: Beside, hostile: Client) -> None:
    answer = beside("300 MB of header fields", 8, lambda: hostile("header_flood", megabytes=300))
    assert answer["status"] == 431, answer


def test_fifty_large_bodies_at_once(beside: Beside, hostile: Client, simulator: Simulator) -> None:
    attack = lambda: hostile("large_bodies", count=50, model=MODEL, key=ATTACKER_KEY)  # noqa: E731 - it reads as one
    answers = beside("50 bodies of 20 MB", 20, attack)
    assert [one for one in answers if one["status"] != 200 and not _is_retryable(one)] == []
    assert [one for one in answers if one["status"] == 200], "none was answered"
    assert simulator.stats()["in_flight"] == 0


def test_lists_of_millions_of_objects(beside: Beside, hostile: Client) -> None:
    answers = beside("33 MB of objects", 15, lambda: hostile("many_objects", model=MODEL, key=ATTACKER_KEY))
    assert {place: one["status"] for place, one in answers.items()} == dict.fromkeys(answers, 400)
    assert all(one["code"] for one in answers.values()), answers


def test_connections_whose_head_never_ends(beside: Beside, hostile: Client) -> None:
    found = beside("2,000 unfinished heads", 18, lambda: hostile("loris", count=2000, seconds=16))
    assert found["made"] > 1900, "the kernel did not let them connect"
    assert found["open"] == 0


def test_clients_that_never_read(beside: Beside, hostile: Client, simulator: Simulator, release: Release) -> None:
    count, seconds = 200, 75

    def attack() -> Any:
        # Far more than sockets hold: each of them is stuck before its end.
        simulator.fault("reply", text=" 12345" * 5000, count=count)
        reading = hostile.begin("never_read", count=count, seconds=seconds, model=MODEL, key=ATTACKER_KEY)
        eventually(lambda: _in_flight(release) > count / 2, 20, "the streams run")
        eventually(lambda: _in_flight(release) == 0, seconds, "streams that nobody reads are dropped")
        return reading.result(seconds + 60)

    found = beside("200 clients that never read", 35, attack)
    assert found == {"begun": count, "ended": 0}


def _in_flight(release: Release) -> float:
    return release.metrics().get(f'qwen3vl_gateway_in_flight{{model="{MODEL}"}}', 0)
