"""What else the bench can ask: many things at once, the older REST protocol, and memory over time."""

import base64
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .load import KEY
from .running import quantile, request, usage
from .steps import Bench, measure

VIEWERS, SCRAPE_SECONDS, SLOW_MODEL_SECONDS = 5, 5.0, 5.0
HEADERS = {"Authorization": f"Bearer {KEY}"}
REST_WARM = 60


@contextlib.contextmanager
def viewers(bench: Bench, task: str, count: int) -> Iterator[list[int]]:
    """That many people who watch a task; gives the bytes that each has had."""
    received = [0] * count
    connections = [http.client.HTTPConnection("127.0.0.1", bench.port, timeout=600) for _ in range(count)]

    def watch(number: int) -> None:
        connection = connections[number]
        connection.request("GET", f"/vln/task/{task}/view", headers=HEADERS)
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"nobody may watch: {answer.status} {answer.read()[:200]!r}")
        # It ends when the connection is shut down below.
        with contextlib.suppress(http.client.IncompleteRead, OSError):
            while data := answer.read1(1 << 16):
                received[number] += len(data)

    threads = [threading.Thread(target=watch, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield received
    finally:
        for connection, thread in zip(connections, threads, strict=True):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)
            thread.join(6)
            connection.close()


@contextlib.contextmanager
def scrapes(bench: Bench) -> Iterator[None]:
    """Somebody who reads the metrics every few seconds."""
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(SCRAPE_SECONDS):
            connection = http.client.HTTPConnection("127.0.0.1", bench.port, timeout=5)
            connection.request("GET", "/metrics", headers=HEADERS)
            connection.getresponse().read()
            connection.close()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(6)


def watched(bench: Bench, count: int) -> dict[str, Any]:
    """A step alone and the same with viewers, scrapes and a slow model, one after the other."""
    plain = measure(bench, count, "random")
    ids = bench.create(count)
    bench.slow_model(SLOW_MODEL_SECONDS)
    try:
        with viewers(bench, ids[0], VIEWERS) as received, scrapes(bench):
            busy = measure(bench, count, "random", ids)
    finally:
        bench.slow_model(bench.options.model_seconds)
    bench.stop(ids)
    return {
        "robots": count,
        "viewers": VIEWERS,
        "viewed_mib": round(min(received) / 2**20, 2),
        "model_seconds": SLOW_MODEL_SECONDS,
        "plain_p50_ms": plain["p50_ms"],
        "plain_p99_ms": plain["p99_ms"],
        "p50_ms": busy["p50_ms"],
        "p99_ms": busy["p99_ms"],
        "echo_p99_ms": busy["echo_p99_ms"],
        "added_p99_ms": round(busy["p99_ms"] - plain["p99_ms"], 3),
        "errors": busy["errors"],
        "void": busy["void"] or plain["void"],
    }


def rest(bench: Bench, seconds: float) -> dict[str, Any]:
    """The older protocol: base64 in JSON by POST, 30 a second on one connection; beside an echo of the same bodies."""
    task = bench.create(1)[0]
    pictures = [base64.b64encode(path.read_bytes()).decode() for path in sorted(Path(bench.pictures).iterdir())]
    bodies = [json.dumps({"task_id": task, "frame": picture}).encode() for picture in pictures]
    figures: dict[str, Any] = {"requests": 0}
    for name, port in (("echo_", bench.echo_port), ("", bench.port)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        headers = HEADERS | {"Content-Type": "application/json"}
        latencies = []
        begin = time.monotonic()
        for number in range(int(seconds * bench.options.hz) + REST_WARM):
            due = begin + number / bench.options.hz
            time.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            connection.request("POST", "/vln/frame", bodies[number % len(bodies)], headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"POST /vln/frame: {answer.status} {content[:200]!r}")
            latencies.append(time.monotonic() - sent)
        kept = latencies[REST_WARM:]
        figures |= {f"{name}p50_ms": quantile(kept, 0.5), f"{name}p99_ms": quantile(kept, 0.99)}
        figures["requests"] = len(kept)
        connection.close()
    bench.stop([task])
    return figures


def memory(bench: Bench, minutes: float, count: int) -> dict[str, Any]:
    """Resident memory under load over time, sampled; flat when the last third is no higher than the one before."""
    ids = bench.create(count)
    samples: list[tuple[float, float, float]] = []
    over, begin = threading.Event(), time.monotonic()

    def sample() -> None:
        while not over.wait(5.0):
            samples.append((time.monotonic() - begin, usage(bench.server)[1], usage(bench.worker)[1]))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    seconds = bench.options.seconds
    bench.options.seconds = 60 * minutes
    raw = bench.load(bench.port, [f"/vln/ws/{each}" for each in ids], "random")
    bench.options.seconds = seconds
    over.set()
    thread.join(6)
    bench.stop(ids)
    answered = sum(map(len, raw["latencies"]))
    third = len(samples) // 3
    means = [
        [sum(row[part] for row in rows) / len(rows) for part in (1, 2)]
        for rows in (samples[third : 2 * third], samples[2 * third :])
    ]
    return {
        "minutes": minutes,
        "robots": count,
        "answered": answered,
        "errors": raw["errors"],
        "moving_share": round(raw["moving"] / answered, 3),
        "edge_rss_mib": round(samples[-1][1], 1),
        "worker_rss_mib": round(samples[-1][2], 1),
        "edge_growth_mib": round(means[1][0] - means[0][0], 2),
        "worker_growth_mib": round(means[1][1] - means[0][1], 2),
        "samples": [[round(value, 1) for value in row] for row in samples[:: max(1, len(samples) // 20)]],
    }


def churn(bench: Bench, count: int) -> dict[str, Any]:
    """Tasks made, driven for a frame and stopped: what they leave in memory, per process and task."""
    picture = base64.b64encode(next(iter(sorted(Path(bench.pictures).iterdir()))).read_bytes()).decode()

    def some(number: int) -> None:
        for _ in range(number):
            (task,) = bench.create(1)
            request(bench.port, "/vln/frame", {"task_id": task, "frame": picture})
            bench.stop([task])

    some(count // 10)
    before = usage(bench.server)[1], usage(bench.worker)[1]
    some(count)
    time.sleep(1)
    after = usage(bench.server)[1], usage(bench.worker)[1]
    left = len(request(bench.port, "/vln/tasks")["tasks"])
    return {
        "tasks": count,
        "readable": left,
        "edge_kib_per_task": round(1024 * (after[0] - before[0]) / count, 1),
        "worker_kib_per_task": round(1024 * (after[1] - before[1]) / count, 1),
    }
