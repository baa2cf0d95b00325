"""Random tests of a running gateway for a time that is set from outside, and what must hold after each example."""

import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from tests.support.engine_oracle import violations
from tests.support.gateway_process import KEY, GatewayProcess
from tests.support.http_answers import Answer, error_of
from tests.support.stub_engine import StubEngine

SECONDS_VARIABLE, SEED_VARIABLE = "QWEN3VL_GATEWAY_FUZZ_SECONDS", "QWEN3VL_GATEWAY_FUZZ_SEED"
USUAL_SECONDS = 60.0
"""Of all random tests of the gateway together, where the variable says nothing else."""
EXAMPLES = 25
"""Of one seed: between two seeds the time is looked at."""
MOST_RSS_MIB = 350
HEALTH_SECONDS = 5
STATUSES = {200, 400, 401, 404, 405, 408, 413, 414, 415, 429, 431, 503}
"""What docs/api.md has for clients of an engine that does as it should."""


def fuzz(check: Callable[[Any], None], strategy: SearchStrategy[Any], share: float) -> int:
    """Check examples, seed after seed, for this share of the time; how many there were.

    A failing example is made smaller and shown; with its seed as the first one it comes again.
    """
    count = 0

    def counted(example: Any) -> None:
        nonlocal count
        count += 1
        check(example)

    first = int(os.environ.get(SEED_VARIABLE, "1"))
    end = time.monotonic() + share * float(os.environ.get(SECONDS_VARIABLE, USUAL_SECONDS))
    usual = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    for number in itertools.count(first):
        print(f"{SEED_VARIABLE}={number}")
        seed(number)(usual(given(strategy)(counted)))()
        if time.monotonic() > end:
            return count
    raise AssertionError("the seeds do not end")


@dataclass(frozen=True)
class Target:
    """A gateway under test and the engine behind it."""

    gateway: GatewayProcess
    engine: StubEngine

    def holds(self) -> None:
        """What must hold after whatever was sent."""
        assert self.gateway.process.poll() is None, f"the process ended: {self.gateway.log.read_text()[-2000:]}"
        assert self.gateway.rss_mib <= MOST_RSS_MIB, f"it takes {self.gateway.rss_mib:.0f} MiB"
        assert self.gateway.answers("/health", HEALTH_SECONDS), "/health does not answer"
        seen = self.engine.requests[:]
        del self.engine.requests[: len(seen)]
        for headers, body in seen:
            wrong = violations(headers, body, secret=KEY)
            assert not wrong, f"the engine got {wrong} in {headers} {body[:500]!r}"

    @staticmethod
    def documented(answer: Answer) -> None:
        """What every answer must be."""
        assert answer.status in STATUSES, f"{answer.status} {answer.body[:300]!r}"
        if answer.status >= 400:
            error_of(answer)
        if answer.status in (429, 503):
            assert int(answer.headers["retry-after"]) > 0
