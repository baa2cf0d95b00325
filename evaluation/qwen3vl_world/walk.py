"""A robot in the building that walks by the VLN API, in real time, with the client that a real robot would use:
`python -m qwen3vl_world.walk`. With --frames it pushes recorded frames instead and prints the plans."""

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qwen3vl_client import Command, Odometry, Robot, boot_time
from qwen3vl_client.states import ENDED
from qwen3vl_world import buildings, picture
from qwen3vl_world.judge import Judge
from qwen3vl_world.world import World

TICK_HZ = 30.0
TICKS_PER_IMAGE = 3
REPORT_SECONDS = 1.0
SHOWN_FRAMES = 8
STANDING_SECONDS = 1.5
RECORDED_HZ = 10.0
COMPLETE = "complete"
"""A file that says that all frames are there."""
KEY_ENV = "QWEN3VL_ROBOT_KEY"


@dataclass
class Journey:
    """What is kept of a walk for its report.

    Attributes:
        frames: seconds since the start, JPEG and what was commanded then; few, evenly spread.
        states: seconds spent in each state.
    """

    frames: list[tuple[float, bytes, Command]] = field(default_factory=list)
    states: dict[str, float] = field(default_factory=dict)
    _every: float = 1.0

    def note(self, seconds: float, jpeg: bytes, command: Command) -> None:
        """Keep a frame now and then; the longer the walk, the rarer."""
        if not self.frames or seconds - self.frames[-1][0] >= self._every:
            self.frames.append((seconds, jpeg, command))
        if len(self.frames) > 2 * SHOWN_FRAMES:
            self.frames, self._every = self.frames[::2], self._every * 2


async def walk(options: argparse.Namespace) -> dict[str, Any]:
    """Walk until the task ends; what happened."""
    building = buildings.demo() if options.seed is None else buildings.building(options.seed)
    world = World(building, options.seed or 0)
    journey, judge = Journey(), Judge(building)
    began = time.monotonic()
    ended_at: float | None = None
    reported = -REPORT_SECONDS
    async with Robot(options.url, key=os.environ.get(KEY_ENV), writer=options.robot) as robot:
        tick = 0
        while True:
            tick += 1
            await asyncio.sleep(max(0.0, began + tick / TICK_HZ - time.monotonic()))
            now = time.monotonic() - began
            world.step(now)
            command = robot.command()
            world.command(now, command.linear_mps, command.angular_rps)
            judge.look(now, world.pose, command.state)
            journey.states[command.state] = journey.states.get(command.state, 0.0) + 1 / TICK_HZ
            odometry = None if options.no_odometry else _odometry(world, now)
            if tick % TICKS_PER_IMAGE == 0:
                jpeg, shown = world.frame(now)
                # The world's time begins at 0; a robot has one clock for all that it sends.
                robot.send(jpeg, captured_seconds=boot_time() - (now - shown), odometry=odometry)
                journey.note(now, jpeg, command)
            else:
                robot.tick(odometry=odometry)
            if now - reported >= REPORT_SECONDS:
                reported = now
                _say(_progress(now, world, judge, command, robot))
            if command.state in ENDED:
                ended_at = now if ended_at is None else ended_at
                if now - ended_at >= STANDING_SECONDS:
                    break
            if now > options.seconds:
                break
        latencies = sorted(robot.latencies)
    report = judge.report() | {
        "ended": command.state,
        "reason": command.reason,
        "seconds": round(now, 2),
        "answers": len(latencies),
        "latency_p50_ms": _quantile(latencies, 0.5),
        "latency_p99_ms": _quantile(latencies, 0.99),
        "connections": robot.connections,
        "path_length_m": round(world.path_length, 3),
        "collisions": world.collisions,
        "seconds_in_state": {state: round(spent, 1) for state, spent in journey.states.items()},
    }
    options.out.mkdir(parents=True, exist_ok=True)
    picture.write_map(options.out / "map.png", building, world.path)
    picture.write_frames(options.out / "frames.png", journey.frames[:: max(1, len(journey.frames) // SHOWN_FRAMES)])
    (options.out / "report.json").write_text(json.dumps(report, indent=2))
    return report


def _odometry(world: World, now: float) -> Odometry:
    seen = world.odometry(now)
    return Odometry(seen.x, seen.y, seen.yaw, linear_mps=seen.v, angular_rps=seen.w)


def _progress(now: float, world: World, judge: Judge, command: Command, robot: Robot) -> dict[str, Any]:
    door, metres = judge.nearest(world.pose)
    return {
        "seconds": round(now, 1),
        "x": round(world.pose.x, 2),
        "y": round(world.pose.y, 2),
        "driven_m": round(world.path_length, 2),
        "nearest_door": door,
        "metres_to_it": round(metres, 2),
        "state": command.state,
        "reason": command.reason if robot.refusal is None else robot.refusal,
    }


async def replay(options: argparse.Namespace) -> dict[str, Any]:
    """Push recorded frames and print each plan that comes of them."""
    while options.wait_for_frames and not (options.frames / COMPLETE).exists():  # noqa: ASYNC110 - a folder
        await asyncio.sleep(0.1)
    frames = sorted(path for path in options.frames.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not frames:
        sys.exit(f"{options.frames}: no .jpg in it")
    states: dict[str, int] = {}
    plans: list[str] = []
    moved_without_plan = 0

    def heard(body: dict[str, Any]) -> None:
        nonlocal moved_without_plan
        states[body["state"]] = states.get(body["state"], 0) + 1
        moved_without_plan += bool((body["linear_vel"] or body["angular_vel"]) and not body["plan_id"])
        if body["plan_id"] is not None and body["plan_id"] not in plans:
            plans.append(body["plan_id"])
            shown = {key: body[key] for key in ("plan_id", "age_ms", "action", "waypoints")}
            _say({"frame": frames[min(turn, len(frames) - 1)].name} | shown)

    turn = 0
    async with Robot(options.url, key=os.environ.get(KEY_ENV), writer=options.robot, on_answer=heard) as robot:
        while not robot.connections:  # noqa: ASYNC110 - the NavTask may come later
            await asyncio.sleep(0.05)
        began = time.monotonic()
        for turn, path in enumerate(frames):
            await asyncio.sleep(max(0.0, began + turn / RECORDED_HZ - time.monotonic()))
            robot.send(path.read_bytes())
        await asyncio.sleep(1.0)
    latencies = sorted(robot.latencies)
    return {
        "frames": len(frames),
        "plans": len(plans),
        "answers_in_state": states,
        "moved_without_plan": moved_without_plan,
        "latency_p50_ms": _quantile(latencies, 0.5),
        "latency_p99_ms": _quantile(latencies, 0.99),
    }


def _quantile(ordered: list[float], share: float) -> float | None:
    return round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def main() -> None:
    """Entry point. The last line printed is the report."""
    parser = argparse.ArgumentParser(prog="qwen3vl_world.walk", description=__doc__)
    parser.add_argument(
        "--url", required=True, help="ws://<service>/vln/robot/<robot>; its key is in QWEN3VL_ROBOT_KEY"
    )
    parser.add_argument("--robot", default="go2-01", help="name of this robot as a writer")
    parser.add_argument("--seed", type=int, help="a building made from this number; default: the demo's")
    parser.add_argument("--seconds", type=float, default=300.0, help="give up after this time")
    parser.add_argument("--no-odometry", action="store_true", help="send none")
    parser.add_argument("--frames", type=Path, help="push the .jpg files below this folder instead")
    parser.add_argument("--wait-for-frames", action="store_true", help="until a file `complete` lies beside them")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for map.png, frames.png, report.json")
    parser.add_argument("--linger-seconds", type=float, default=0.0, help="stay, so that the pictures can be fetched")
    options = parser.parse_args()
    report = asyncio.run(replay(options) if options.frames else walk(options))
    _say({"report": report})
    deadline = time.monotonic() + options.linger_seconds
    while time.monotonic() < deadline and not (options.out / "collected").exists():
        time.sleep(0.1)


if __name__ == "__main__":
    main()
