"""What a picture for viewers costs: decoding, overlay and encoding of what the world's camera sees at 640x480, beside
encoding alone in the same run; then four viewers, each of another robot at ten pictures a second, on the worker's own
thread and memory. Prints one JSON line, times in milliseconds. Run it on a quiet machine: it gives way to all else.
"""

import argparse
import asyncio
import json
import math
import os
import time
from dataclasses import replace

from qwen3vl_vln.ipc.frame_slots import OUTPUT_SLOT_BYTES, Arena
from qwen3vl_vln.ipc.to_edge import ToEdge, ViewDrawn
from qwen3vl_vln.ipc.to_worker import DrawView
from qwen3vl_vln.overlay.render import decode, encode, render
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Writer, find_font
from qwen3vl_vln.waypoint import Waypoint
from qwen3vl_vln.worker.renderer import OverlayRenderer
from qwen3vl_world import buildings
from qwen3vl_world.camera import Camera
from qwen3vl_world.plan import Pose

PICTURES = 40
VIEWERS, HZ = 4, 10
SLOT_BYTES = 2 * 1024 * 1024


def material() -> list[tuple[bytes, Scene]]:
    """A turn of the robot in the demo's building, with plans to both sides; the model has news each second."""
    building = buildings.demo()
    camera, start = Camera(building, 0), building.start
    made = []
    for number in range(PICTURES):
        side = math.sin(number / 5)
        rest = tuple(Waypoint(0.4, 0.15 * side, 0.3 * side) for _ in range(5))
        scene = Scene(
            rest=rest if number % 4 else (Waypoint(0.0, 0.0, side),),
            v=0.4,
            w=side,
            state="moving" if number % 5 else "hold",
            reason="following_plan" if number % 5 else "plan_consumed",
            plan_age_seconds=number / 10,
            progress=number / PICTURES,
            instruction="Go through the corridor and stop in front of the red door. 穿过走廊，停在红色的门前。",
            environment=f"走廊尽头有一扇红色的门，左侧有 {number // HZ} 个箱子。",
            at="12:34:56.7Z",
        )
        made.append((camera.jpeg(Pose(start.x, start.y, start.yaw + number / 10)), scene))
    return made


def share(seconds: list[float], part: float) -> float:
    """A quantile, in milliseconds."""
    ordered = sorted(seconds)
    return round(1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3)


def alone(pictures: list[tuple[bytes, Scene]], rounds: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of encoding, of rendering, and of the processor in rendering; in turns, so that all see one machine."""
    writer = Writer(find_font())
    encoded, drawn, worked = [], [], []
    for turn in range(rounds * len(pictures)):
        jpeg, scene = pictures[turn % len(pictures)]
        # No text is found again from the round before.
        scene = replace(scene, environment=f"{scene.environment} {turn // HZ}")
        plain = decode(jpeg)
        began = time.perf_counter()
        encode(plain)
        between, work = time.perf_counter(), time.thread_time()
        render(jpeg, scene, writer)
        encoded.append(between - began)
        drawn.append(time.perf_counter() - between)
        worked.append(time.thread_time() - work)
    return encoded, drawn, worked


async def viewed(pictures: list[tuple[bytes, Scene]], seconds: float) -> list[float]:
    """Seconds from a picture's hand-over to its being drawn, for several viewers at once."""
    loop = asyncio.get_running_loop()
    arenas = Arena.make(VIEWERS, SLOT_BYTES), Arena.make(VIEWERS, OUTPUT_SLOT_BYTES)
    told: dict[int, asyncio.Future[ViewDrawn]] = {}

    def hear(message: ToEdge) -> None:
        if isinstance(message, ViewDrawn):
            told[message.slot].set_result(message)

    renderer = OverlayRenderer(hear, *arenas)
    took: list[float] = []

    async def watch(slot: int) -> None:
        began = loop.time() + slot * 0.013
        for turn in range(int(seconds * HZ)):
            await asyncio.sleep(max(0.0, began + turn / HZ - loop.time()))
            jpeg, scene = pictures[(turn + 7 * slot) % len(pictures)]
            scene = replace(scene, environment=f"{scene.environment} {turn // HZ}")
            told[slot] = loop.create_future()
            start = loop.time()
            arenas[0].write(slot, jpeg)
            renderer.take(DrawView(task_id=str(slot), slot=slot, size=len(jpeg), scene=scene))
            message = await told[slot]
            arenas[1].read(slot, message.size)
            took.append(loop.time() - start)

    await asyncio.gather(*map(watch, range(VIEWERS)))
    renderer.close()
    return took


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="hack/bench/overlay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help=f"of {PICTURES} pictures each")
    parser.add_argument("--seconds", type=float, default=10.0, help="that the viewers watch")
    options = parser.parse_args()
    pictures = material()
    os.nice(10)  # as the worker is
    encoded, drawn, worked = alone(pictures, options.rounds)
    watched = asyncio.run(viewed(pictures, options.seconds))
    figures: dict[str, object] = {"size": "640x480", "pictures": len(drawn), "cjk_font": find_font() is not None}
    for name, each in (("encode", encoded), ("overlay", drawn), ("overlay_cpu", worked), ("viewers", watched)):
        figures |= {f"{name}_p50_ms": share(each, 0.5), f"{name}_p99_ms": share(each, 0.99)}
    figures |= {"viewers": VIEWERS, "viewed_pictures": len(watched)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
