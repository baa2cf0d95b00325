"""`examples/robot_sync.py` as a person starts it."""

import asyncio
import sys
from pathlib import Path

from tests.integration.vln.conftest import FORWARD, ROBOT_KEY, Chain
from tests.support.processes import ENVIRONMENT

EXAMPLE = Path(__file__).parents[3] / "examples/robot_sync.py"
BASE = """
from qwen3vl_client.check.base import SimulatedBase
from tests.support.images import jpeg


class Base(SimulatedBase):
    turns = 0
    said = False

    def picture(self):
        self.turns += 1
        return jpeg(320, 240, seed=self.turns % 40) if self.turns % 3 == 0 else None

    def drive(self, linear_mps, angular_rps):
        if linear_mps > 0.05 and not self.said:
            print("drives", flush=True)
            self.said = True
        super().drive(linear_mps, angular_rps)


class Unsafe(Base):
    def __init__(self):
        super().__init__(timeout_seconds=None)
"""


async def start(folder: Path, url: str, base: str) -> asyncio.subprocess.Process:
    (folder / "my_robot.py").write_text(BASE)
    (folder / "key").write_text(ROBOT_KEY)
    arguments = (str(EXAMPLE), url, "--key-file", "key", "--base", f"my_robot:{base}")
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=folder, env=ENVIRONMENT, stdout=pipe, stderr=pipe
    )


async def test_it_drives_until_the_task_ends(chain: Chain, tmp_path: Path) -> None:
    await chain.says(FORWARD)
    task = await chain.create()
    process = await start(tmp_path, chain.socket_url(f"/vln/ws/{task}"), "Base")
    assert process.stdout is not None
    async with asyncio.timeout(20):
        assert await process.stdout.readline() == b"drives\n"
        await chain.ask("POST", f"/vln/task/{task}/stop")
        out, err = await process.communicate()
    assert process.returncode == 0 and out.startswith(b"stopped: stop_requested"), (out, err)


async def test_it_does_not_start_without_a_time_out_of_the_base(tmp_path: Path) -> None:
    process = await start(tmp_path, "ws://127.0.0.1:9/vln/robot/a", "Unsafe")
    _, err = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1 and b"the base driver needs its own time-out" in err
