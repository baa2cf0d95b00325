"""Several namespaces under one operator, with the chart's rights in each, and somebody who watches whether it lives."""

import contextlib
import http.client
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.integration.operator.api import Api, Namespace, Refused, eventually
from tests.integration.operator.conftest import Operator, model
from tests.support.figures import Figures

CHANGE_GOAL_SECONDS = 2.0
CHANGE_LIMIT_SECONDS = 10.0
SERVED_AGAIN_SECONDS = 35.0


def make(api: Api, name: str) -> Namespace:
    """A namespace of that name with the accounts that it needs."""
    api.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
    namespace = Namespace(api, name)
    with contextlib.suppress(Refused):  # the controller-manager, where there is one, may be first
        namespace.create("serviceaccounts", {"metadata": {"name": "default"}})
    namespace.create("serviceaccounts", {"metadata": {"name": "qwen3vl-operator"}})
    return namespace


def metrics(operator: Operator) -> str:
    """A scrape of the operator's metrics."""
    connection = http.client.HTTPConnection("127.0.0.1", operator.metrics_port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def metric(operator: Operator, name: str, **labels: str) -> float | None:
    """The value of one metric with at least these labels; None where there is none."""
    for line in metrics(operator).splitlines():
        if found := re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line):
            told = dict(re.findall(r'(\w+)="([^"]*)"', found[1] or ""))
            if labels.items() <= told.items():
                return float(found[2])
    return None


@dataclass
class Neighbour:
    """A model that is changed again and again, and how long each change takes until its Service says so."""

    namespace: Namespace
    name: str = "good"
    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        self.namespace.create("visionmodels", model(self.name))
        eventually(lambda: self.namespace.find("services", f"{self.name}-engine"), 30)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._ended.wait(0.2):
            number += 1
            try:
                self.took.append(self.change(f"served-{number}"))
            except Exception as error:  # noqa: BLE001 - told by the test that looks
                self.failed.append(f"change {number}: {error}")

    def recover(self) -> None:
        """Wait until changes go through again after a test has disturbed the whole apiserver."""
        seen = len(self.took)
        eventually(lambda: len(self.took) >= seen + 3, 3 * CHANGE_LIMIT_SECONDS)
        self.failed.clear()

    def change(self, served_name: str) -> float:
        """Seconds until the Service has the name."""
        self.namespace.merge("visionmodels", self.name, {"spec": {"servedName": served_name}})
        began = time.monotonic()

        def is_told() -> bool:
            labels = self.namespace.get("services", f"{self.name}-engine")["metadata"]["labels"]
            return bool(labels.get("qwen3vl.io/served-name") == served_name)

        eventually(is_told, CHANGE_LIMIT_SECONDS)
        return time.monotonic() - began

    @contextlib.contextmanager
    def unaffected(self, figure: Figures, by: str) -> Iterator[None]:
        """Shows that changes during the block take no longer than they may; the worst is recorded."""
        before, failed = len(self.took), len(self.failed)
        yield
        seen = len(self.took)
        eventually(lambda: len(self.took) >= max(seen, before + 2) + 1, 3 * CHANGE_LIMIT_SECONDS)
        assert not self.failed[failed:], self.failed[failed:]
        figure(f"another model changed, {by}: the worst", max(self.took[before:]), "s", goal=CHANGE_GOAL_SECONDS)

    def end(self) -> None:
        self._ended.set()
        self._thread.join(CHANGE_LIMIT_SECONDS + 5)


@dataclass
class Pulse:
    """Asks whether the operator lives, as a kubelet would but more often."""

    operator: Operator
    bad: list[Any] = field(default_factory=list)
    asked: int = 0
    _ended: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            answer = self.operator.get("/healthz")
            self.asked += 1
            if answer[0] != 200:
                self.bad.append(answer)
            if self._ended.wait(0.5):
                return

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)


@contextlib.contextmanager
def alive(operator: Operator) -> Iterator[Pulse]:
    """Shows that the operator lives all the time until the block ends, and is still the same process."""
    pulse = Pulse(operator)
    pulse.begin()
    try:
        yield pulse
    finally:
        pulse.end()
    assert pulse.bad == []
    assert pulse.asked > 0
    assert operator.process.poll() is None
