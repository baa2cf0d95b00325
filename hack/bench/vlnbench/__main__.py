"""How soon a robot has its answer: the real VLN API on loopback, with keys, odometry, recording, valid plans and model
calls, beside an echo on the same stack in the same run.

The load generator is a process of its own with an absolute schedule: latency counts from the time a frame was *due*, an
unanswered one as 250 ms. A step is void when the generator itself was late (p99 over 0.5 ms).
"""

import argparse
import contextlib
import json
import os
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hack.bench.vlnbench import extra, flood, servers
from hack.bench.vlnbench.load import key_of, load
from hack.bench.vlnbench.running import COMMAND, free_port, process, wait_for
from hack.bench.vlnbench.steps import Bench, is_valid, measure

PICTURES = 60


def draw(folder: Path, frames: str | None) -> None:
    """Pictures to send: recorded ones, or a walk through the world."""
    if frames:
        recorded = sorted(path for path in Path(frames).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
        if not recorded:
            raise SystemExit(f"--frames {frames}: no .jpg in it")
        for number, path in enumerate(recorded[:PICTURES]):
            (folder / f"{number:04}.jpg").write_bytes(path.read_bytes())
        return
    # Only here: the load generator is the same program and must stay light.
    from qwen3vl_world.walkthrough import pictures

    for number, jpeg in enumerate(pictures(PICTURES)):
        (folder / f"{number:04}.jpg").write_bytes(jpeg)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="hack/bench/vln", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--robots", default="1,4,16", help="numbers of robots, one step each")
    parser.add_argument("--hz", type=float, default=30.0, help="frames a second and robot")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each step, after a warm-up")
    parser.add_argument("--min-answers", type=int, default=0, help="make a step longer until it has this many answers")
    parser.add_argument("--phases", default="random", help="random, aligned or both with a comma")
    parser.add_argument("--frames", help="folder of recorded .jpg files to send instead of the world's")
    parser.add_argument("--model-seconds", type=float, default=0.3, help="how long the model takes")
    parser.add_argument("--no-recording", dest="recording", action="store_false", help="do not record the tasks")
    parser.add_argument("--watched", type=int, metavar="ROBOTS", help="also with viewers, scrapes and a slow model")
    parser.add_argument(
        "--keys", type=int, default=1, help="keys of the robots; more than one: tasks per key as by default"
    )
    parser.add_argument("--flooded", type=int, metavar="ROBOTS", help="also beside a neighbour that floods the server")
    parser.add_argument("--flood", type=int, default=5000, help="ticks a second of that neighbour")
    parser.add_argument("--rest", action="store_true", help="also the older protocol: base64 in JSON by POST")
    parser.add_argument("--memory-minutes", type=float, help="also resident memory under load for so long")
    parser.add_argument("--tasks", type=int, help="also what so many finished tasks leave in memory")
    parser.add_argument("--json", action="store_true", help="one line: the largest random step, all steps, the rest")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--flooding", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", choices=["model", "echo"], help=argparse.SUPPRESS)
    for name in ("--port", "--paths", "--phase", "--pictures"):
        parser.add_argument(name, type=int if name == "--port" else str, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        load(options)
    elif options.flooding:
        flood.flood(options)
    elif options.serve == "model":
        servers.serve_model(options.port, options.model_seconds)
    elif options.serve == "echo":
        servers.serve_echo(options.port)
    else:
        run(options)


@contextlib.contextmanager
def awake() -> Iterator[bool]:
    """Cores that do not halt meanwhile, where the kernel lets us: waking a halted core of a virtual machine costs the
    echo as much as the VLN API, up to 2 ms at the 99th percentile here, and is not what is measured."""
    try:
        latency = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
        os.write(latency, struct.pack("i", 0))
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(latency)


@contextlib.contextmanager
def started(options: argparse.Namespace) -> Iterator[Bench]:
    """The VLN API with its model and the echo, as processes."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:
        keys, pictures, recordings = (Path(folder, name) for name in ("keys", "pictures", "recordings"))
        for made in (keys, pictures, recordings):
            made.mkdir()
        for number in range(options.keys):
            (keys / f"bench-{number}").write_text(key_of(number))
        draw(pictures, options.frames)
        port, echo_port, model_port = free_port(), free_port(), free_port()
        model = ("--serve", "model", "--port", str(model_port), "--model-seconds", str(options.model_seconds))
        running.enter_context(process(*COMMAND, *model))
        running.enter_context(process(*COMMAND, "--serve", "echo", "--port", str(echo_port)))
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--keys-dir", str(keys), "--model-name", "bench"]
        arguments += ["--gateway-url", f"http://127.0.0.1:{model_port}/v1", "--max-model-calls", "32"]
        if options.keys == 1:
            arguments += ["--tasks-per-key", "192"]  # one key makes the tasks of all robots here
        if options.recording:
            arguments += ["--recordings-dir", str(recordings)]
        server = running.enter_context(process("-m", "qwen3vl_vln", *arguments, "--log-level", "warning"))
        wait_for(echo_port)
        wait_for(port, "/ready")
        yield Bench(options, port, echo_port, model_port, str(pictures), server.pid)


def run(options: argparse.Namespace) -> None:
    """All steps, and what they say."""
    steps: list[dict[str, Any]] = []
    more: dict[str, dict[str, Any]] = {}

    def say(done: dict[str, Any]) -> dict[str, Any]:
        if not options.json:
            print(json.dumps(done, indent=2), flush=True)
        return done

    with awake() as cores_awake, started(options) as bench:
        for count in map(int, options.robots.split(",")):
            # One robot alone has no phase.
            for phase in options.phases.split(",")[: 1 if count == 1 else None]:
                steps.append(say(measure(bench, count, phase)))
        if options.watched:
            more["watched"] = say(extra.watched(bench, options.watched))
        if options.flooded:
            more["flooded"] = say(flood.flooded(bench, options.flooded))
        if options.rest:
            more["rest"] = say(extra.rest(bench, options.seconds))
        if options.tasks:
            more["churn"] = say(extra.churn(bench, options.tasks))
        if options.memory_minutes:
            more["memory"] = say(extra.memory(bench, options.memory_minutes, 4))
    shown = max((s for s in steps if s["phase"] == "random"), key=lambda s: s["robots"], default=steps[-1])
    if options.json:
        print(json.dumps(shown | {"recording": options.recording, "cores_awake": cores_awake, "steps": steps} | more))
    wrong = [step for step in steps if not is_valid(step)]
    wrong += [part for part in more.values() if part.get("errors") or part.get("void")]
    if wrong:
        sys.exit(f"not a valid run: {json.dumps(wrong)}")


if __name__ == "__main__":
    main()
