"""The order of a run: who takes part, turns of blocks, streams, memory."""

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

from hack.bench.gatewaybench import contenders
from hack.bench.gatewaybench.asking import RATE_PER_SECOND, paced, saturated, warm_up
from hack.bench.gatewaybench.contenders import Contender
from hack.bench.gatewaybench.figures import Block, difference, request_figures
from hack.bench.gatewaybench.options import Options
from hack.bench.gatewaybench.report import Unavailable, say
from hack.bench.gatewaybench.search import highest_rate
from hack.bench.gatewaybench.streaming import watch
from hack.bench.gatewaybench.usage import allow_open_files, cpu_seconds, rss_mib

ROUNDS = 7
WARM_UP_REQUESTS = 200
SATURATED_PER_PACED = 5
LITELLM_SHARE = 10
"""It answers about a tenth as fast, so it is asked a tenth as often."""
TOKENS_PER_SECOND = 2.0
PROBES = 2
MOST_TOKENS_PER_SECOND = 256.0

Figures = dict[str, float | int | None]


async def measure(options: Options) -> Figures:
    """All figures of one run.

    Raises:
        Unavailable: the stub or this checkout's gateway does not run.
    """
    too_few = allow_open_files(options.streams)
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name:
        async with AsyncExitStack() as stack:
            taking_part = await _start(stack, options, Path(name))
            mine = taking_part["gateway"]
            figures: Figures = {"rss_idle_mib": rss_mib(mine.pid)}
            figures |= await _requests(taking_part, options.seconds)
            figures["rss_mib"] = rss_mib(mine.pid)
            if too_few and options.streams:
                say(f"no streams: {too_few}")
            streams = 0 if too_few else options.streams
            figures |= await _streams(taking_part, streams, options)
    return figures


async def _start(stack: AsyncExitStack, options: Options, folder: Path) -> dict[str, Contender]:
    engine = await stack.enter_async_context(contenders.stub(folder))
    mine = await stack.enter_async_context(contenders.gateway(folder, "gateway", engine.port))
    found = {"gateway": mine}
    others: list[AbstractAsyncContextManager[Contender]] = [
        contenders.previous(folder, engine.port, options.previous),
        contenders.nginx(folder, engine.port),
    ]
    if options.litellm:
        others.append(contenders.litellm(folder, engine.port))
    for other in others:
        try:
            contender = await stack.enter_async_context(other)
            found[contender.name] = contender
        except Unavailable as why:
            say(f"not measured: {why}")
    return found | {"stub": engine}


async def _requests(taking_part: dict[str, Contender], seconds: float) -> Figures:
    at_rate: dict[str, list[Block]] = {name: [] for name in ("previous", "nginx", *taking_part)}
    at_most: dict[str, list[Block]] = {name: [] for name in at_rate}
    requests = max(20, round(seconds * RATE_PER_SECOND / ROUNDS))
    say(f"{', '.join(taking_part)}: {ROUNDS} blocks of {requests} requests at {RATE_PER_SECOND}/s")
    for contender in taking_part.values():
        await warm_up(contender.port, WARM_UP_REQUESTS // _rarer(contender))
    for _ in range(ROUNDS):
        for name, contender in taking_part.items():
            cpu = partial(cpu_seconds, contender.pid)
            at_rate[name].append(await paced(contender.port, max(5, requests // _rarer(contender)), cpu))
    requests *= SATURATED_PER_PACED
    say(f"{ROUNDS} blocks of {requests} requests as fast as they are answered")
    for _ in range(ROUNDS):
        for name, contender in taking_part.items():
            cpu = partial(cpu_seconds, contender.pid)
            at_most[name].append(await saturated(contender.port, max(32, requests // _rarer(contender)), cpu))
    return dict(request_figures(at_rate, at_most))


def _rarer(contender: Contender) -> int:
    return LITELLM_SHARE if contender.name == "litellm" else 1


async def _streams(taking_part: dict[str, Contender], count: int, options: Options) -> Figures:
    names = {"gateway": "", "nginx": "nginx_", "stub": "stub_"}
    figures: Figures = {"streams": count, "chunk_gap_p99_ms": None, "stream_errors": None}
    figures |= {f"{prefix}stream_events_per_second": None for prefix in names.values()}
    if not count:
        return figures
    mine = taking_part["gateway"]
    for name, prefix in names.items():
        if (contender := taking_part.get(name)) is None:
            continue
        say(f"{name}: {count} streams at {TOKENS_PER_SECOND:g} tokens/s")
        cpu = cpu_seconds(contender.pid)
        seen = await watch(contender.stream_port, count, TOKENS_PER_SECOND, options.stream_seconds)
        cpu = cpu_seconds(contender.pid) - cpu
        gap = None if seen.gap_p99_seconds is None else 1000 * seen.gap_p99_seconds
        figures |= {f"{prefix}chunk_gap_p99_ms": gap, f"{prefix}stream_errors": seen.errors}
        # Beyond the pause that the engine makes.
        figures[f"{prefix}chunk_delay_p99_ms"] = difference(gap, 1000 / TOKENS_PER_SECOND)
        figures[f"{prefix}cpu_us_per_event"] = 1e6 * cpu / (count * TOKENS_PER_SECOND * options.stream_seconds)
        if contender is mine:
            figures["rss_after_streams_mib"] = rss_mib(mine.pid)
        if seen.example:
            say(f"{name}: {seen.errors} streams failed, one of them: {seen.example}")
        probe, best = _probe(contender, count, options), 0.0
        if seen.kept_up or await probe(TOKENS_PER_SECOND):
            best = await highest_rate(probe, TOKENS_PER_SECOND, MOST_TOKENS_PER_SECOND)
        figures[f"{prefix}stream_events_per_second"] = best * count
    return figures


def _probe(contender: Contender, count: int, options: Options) -> Callable[[float], Awaitable[bool]]:
    async def keeps_up(rate: float) -> bool:
        # Twice, as one stall of the machine within a few seconds makes too many events late.
        for _ in range(PROBES):
            seen = await watch(contender.stream_port, count, rate, options.probe_seconds)
            say(f"{contender.name}: {rate:.3g} tokens/s, {100 * seen.in_time:.1f} % in time, {seen.errors} failed")
            if seen.kept_up:
                return True
        return False

    return keeps_up
