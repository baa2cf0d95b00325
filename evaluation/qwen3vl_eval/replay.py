"""Recorded pictures through the whole VLN API on a virtual clock: nobody moves, but everything is decided as if.

The same pictures give the same answers, bit for bit: their digest says whether a change of code changed any of them."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import orjson

from qwen3vl_client.protocol import message
from qwen3vl_eval import virtual_time
from qwen3vl_eval.models import Behaviour, PolicyModel
from qwen3vl_eval.server import Server
from qwen3vl_vln.task.settings import Settings

TICK_HZ = 30.0
INSTRUCTION_FILE = "instruction.txt"
LONGEST_INSTRUCTION = 2000
WAIT_SECONDS = 1.0
"""After the last picture, so that what is asked about it is answered."""
INSTRUCTION = "Walk to the red door and stop."


def replay(folder: Path, fps: float, seed: int, model_seconds: float) -> dict[str, Any]:
    """Send the pictures below a folder, in the order of their names, with its own instruction where it has one; what
    came of it.

    Raises:
        FileNotFoundError: there are none.
        ValueError: its instruction is empty or too long.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        raise FileNotFoundError(f"{folder}: no .jpg in it")
    return virtual_time.run(_replay(instruction(folder), files, fps, seed, model_seconds))


def instruction(folder: Path) -> str:
    """What the robot of these pictures was told, from `instruction.txt` beside them, else a usual sentence.

    Raises:
        ValueError: the file holds no text, or too much.
    """
    file = folder / INSTRUCTION_FILE
    if not file.is_file():
        return INSTRUCTION
    text = " ".join(file.read_text(encoding="utf-8").split())
    if not 0 < len(text) <= LONGEST_INSTRUCTION:
        raise ValueError(f"{file} holds {len(text)} characters; an instruction has 1 to {LONGEST_INSTRUCTION}")
    return text


async def _replay(text: str, files: list[Path], fps: float, seed: int, model_seconds: float) -> dict[str, Any]:
    loop, model = asyncio.get_running_loop(), PolicyModel(Behaviour(model_seconds), seed)
    server = Server(Settings("robot", text), model)
    connection, digest = server.connect(), hashlib.sha256()
    moved_without_plan, sent, turn = 0, 0, 0
    plans: set[str] = set()
    states: dict[str, int] = {}
    while loop.time() < len(files) / fps + WAIT_SECONDS:
        turn += 1
        now, picture = loop.time(), None
        if sent < len(files) and now >= sent / fps - 1e-6:
            picture = files[sent].read_bytes()
            sent += 1
        body = connection.take(message(turn, now, jpeg=picture))
        digest.update(orjson.dumps(body))
        states[body["state"]] = states.get(body["state"], 0) + 1
        moved_without_plan += bool((body["linear_vel"] or body["angular_vel"]) and body["plan_id"] is None)
        plans |= {body["plan_id"]} - {None}
        await asyncio.sleep(turn / TICK_HZ - now)
    await server.close()
    return {
        "instruction": text,
        "frames": len(files),
        "key_frames": server.key_frames,
        "model_calls": len(model.seconds),
        "plans": len(plans),
        "motion_without_plan": moved_without_plan,
        "answers": turn,
        "answers_in_state": states,
        "digest": digest.hexdigest(),
    }
