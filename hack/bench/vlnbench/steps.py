"""One step of the bench: the echo, then the VLN API, under the same load."""

import argparse
import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from .running import COMMAND, child_of, process, quantile, request, usage

MOST_LAG_MS = 0.5
KEY_FRAME_SECONDS = 0.9


@dataclass(frozen=True)
class Bench:
    """What all steps share.

    Attributes:
        options: of the command line.
        port, echo_port, model_port: of the servers.
        pictures: folder of JPEGs to send.
        server: process id of the VLN API's edge.
    """

    options: argparse.Namespace
    port: int
    echo_port: int
    model_port: int
    pictures: str
    server: int

    @property
    def worker(self) -> int:
        """Process id of its worker."""
        return child_of(self.server)

    def slow_model(self, seconds: float) -> None:
        """Let the model take so long."""
        request(self.model_port, f"/slow/{seconds}")

    def load(self, port: int, paths: list[str], phase: str, flooded: str | None = None) -> dict[str, Any]:
        """The raw figures of the load generator.

        Args:
            flooded: path that a neighbour floods meanwhile.
        """
        options = self.options
        seconds = max(options.seconds, options.min_answers / (len(paths) * options.hz))
        what = "echo" if port == self.echo_port else "VLN API"
        print(f"{what}, {len(paths)} robots, {phase}: {seconds:.0f} s", file=sys.stderr, flush=True)
        arguments = ["--load", "--port", str(port), "--paths", ",".join(paths), "--hz", str(options.hz)]
        arguments += ["--seconds", str(seconds), "--phase", phase, "--pictures", self.pictures]
        arguments += ["--keys", str(options.keys)]
        with contextlib.ExitStack() as beside:
            if flooded is not None:
                flooding = ("--flooding", "--port", str(port), "--paths", flooded, "--flood", str(options.flood))
                beside.enter_context(process(*COMMAND, *flooding))
            done = subprocess.run([sys.executable, "-P", *COMMAND, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def create(self, count: int) -> list[str]:
        """New tasks, which drive a valid plan as long as the model gives one."""
        config: dict[str, Any] = {
            "keyframes": {"maxIntervalSeconds": KEY_FRAME_SECONDS},
            "limits": {"blindMeters": 10, "maxSteps": 100000, "timeoutSeconds": 86400},
        }
        if self.options.recording:
            config["recording"] = {"enabled": True}
        body = {"instruction": "Walk on.", "config": config}
        keys = self.options.keys
        return [request(self.port, "/vln/task/create", body, number % keys)["task_id"] for number in range(count)]

    def stop(self, ids: list[str]) -> None:
        """End them."""
        for each in ids:
            request(self.port, f"/vln/task/{each}/stop", {})


def measure(
    bench: Bench, count: int, phase: str, ids: list[str] | None = None, flooded: str | None = None
) -> dict[str, Any]:
    """The figures of one step.

    Args:
        ids: tasks to drive; None makes new ones and stops them.
        flooded: a task that a neighbour floods meanwhile; the echo is flooded likewise.
    """
    echo = bench.load(bench.echo_port, ["/"] * count, phase, None if flooded is None else "/")
    driven = ids or bench.create(count)
    before = usage(bench.server), usage(bench.worker), request(bench.port, "/vln/pipeline/stats"), time.monotonic()
    raw = bench.load(bench.port, [f"/vln/ws/{each}" for each in driven], phase, flooded and f"/vln/ws/{flooded}")
    after = usage(bench.server), usage(bench.worker), request(bench.port, "/vln/pipeline/stats"), time.monotonic()
    records = [request(bench.port, f"/vln/task/{each}") for each in driven]
    if ids is None:
        bench.stop(driven)
    every = [latency for robot in raw["latencies"] for latency in robot]
    echoes = [latency for robot in echo["latencies"] for latency in robot]
    wall = after[3] - before[3]
    lag = max(quantile(raw["lags"], 0.99), quantile(echo["lags"], 0.99))
    least_calls = min(task["latency"] is not None and task["steps"]["done"] / wall for task in records)
    return {
        "robots": count,
        "phase": phase,
        "p50_ms": quantile(every, 0.5),
        "p90_ms": quantile(every, 0.9),
        "p99_ms": quantile(every, 0.99),
        "p999_ms": quantile(every, 0.999),
        "max_ms": round(1000 * max(every), 3),
        "worst_robot_p99_ms": max(quantile(robot, 0.99) for robot in raw["latencies"]),
        "echo_p50_ms": quantile(echoes, 0.5),
        "echo_p99_ms": quantile(echoes, 0.99),
        "answered": len(every),
        "errors": raw["errors"],
        "analysed_fps": round((after[2]["processed"] - before[2]["processed"]) / wall, 1),
        "dropped": after[2]["dropped"] - before[2]["dropped"],
        "edge_cpu_seconds": round(after[0][0] - before[0][0], 2),
        "worker_cpu_seconds": round(after[1][0] - before[1][0], 2),
        "edge_rss_mib": round(after[0][1], 1),
        "worker_rss_mib": round(after[1][1], 1),
        "moving_share": round(raw["moving"] / len(every), 3),
        "plans_per_second_per_robot": round(float(least_calls), 2),
        "send_lag_p99_ms": lag,
        # What is due at the same moment leaves one after the other.
        "void": phase == "random" and lag > MOST_LAG_MS,
    }


def is_valid(step: dict[str, Any]) -> bool:
    """Whether a step says anything: on time, without errors, by plans that were driven."""
    return not (step["errors"] or step["void"] or step["moving_share"] < 0.5 or step["plans_per_second_per_robot"] < 1)
