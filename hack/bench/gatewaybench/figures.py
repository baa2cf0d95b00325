"""Arithmetic of the bench: blocks of measurements in, figures out. No I/O."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """One turn of one contender.

    Attributes:
        latencies: seconds from sending a request to its whole answer, one a request.
        seconds: how long the block took.
        cpu_seconds: processor time of the contender meanwhile; 0 where it is not asked for.
    """

    latencies: Sequence[float]
    seconds: float
    cpu_seconds: float

    @property
    def cpu_us(self) -> float:
        """Processor time of one request, in microseconds."""
        return 1e6 * self.cpu_seconds / len(self.latencies)

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies) / self.seconds


def quantile(values: Sequence[float], share: float) -> float:
    """By nearest rank: at least this share of the values are not above it.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("a quantile of no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def quantile_ms(blocks: Sequence[Block], share: float) -> float | None:
    """Median over the blocks of a quantile of latency, in milliseconds; None without blocks."""
    return statistics.median(1000 * quantile(block.latencies, share) for block in blocks) if blocks else None


def cpu_us(blocks: Sequence[Block]) -> float | None:
    """Median over the blocks of the processor time of one request, in microseconds; None without blocks."""
    return statistics.median(block.cpu_us for block in blocks) if blocks else None


def per_second(blocks: Sequence[Block]) -> float | None:
    """Median over the blocks of requests a second; None without blocks."""
    return statistics.median(block.per_second for block in blocks) if blocks else None


def difference(value: float | None, base: float | None) -> float | None:
    """`value - base`, None where one is missing."""
    return None if value is None or base is None else value - base


def ratio(value: float | None, base: float | None) -> float | None:
    """`value / base`, None where one is missing or the base is 0."""
    return None if value is None or not base else value / base


def request_figures(paced: dict[str, list[Block]], saturated: dict[str, list[Block]]) -> dict[str, float | None]:
    """All figures of requests, of blocks by contender: `gateway`, `previous`, `nginx`, `stub`, perhaps `litellm`."""
    stub, prefixes = paced["stub"], {"gateway": "", "previous": "previous_", "nginx": "nginx_", "litellm": "litellm_"}
    found: dict[str, float | None] = {}
    for name, prefix in prefixes.items():
        if name not in paced:
            continue
        found[f"{prefix}cpu_us_per_request"] = cpu_us(saturated[name])
        found[f"{prefix}paced_cpu_us_per_request"] = cpu_us(paced[name])
        for share, word in ((0.5, "p50"), (0.99, "p99")):
            found[f"{prefix}added_{word}_ms"] = difference(quantile_ms(paced[name], share), quantile_ms(stub, share))
        found[f"{prefix}requests_per_second"] = per_second(saturated[name])
    found["stub_requests_per_second"] = per_second(saturated["stub"])
    found["cpu_of_previous"] = ratio(found["cpu_us_per_request"], found["previous_cpu_us_per_request"])
    if "litellm" in paced:
        found["times_litellm"] = ratio(found["requests_per_second"], found["litellm_requests_per_second"])
    return found


def rounded(figures: dict[str, float | int | None]) -> dict[str, float | int | None]:
    """Three digits behind the point are more than these measurements know."""
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
