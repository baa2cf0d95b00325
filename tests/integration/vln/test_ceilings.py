"""The ceilings of a model, as the file that its VLN API reads again, on the real processes."""

import json
from pathlib import Path

from tests.integration.vln.conftest import Chain, base, running
from tests.support.polling import until

WALK = {"reached_goal": False, "waypoints": [{"dx": 1.0, "dy": 0.0, "dtheta": 0.0}] * 3, "action": "forward"}
FAST = {"linearMetersPerSecond": 3.0, "linearAcceleration": 10.0, "blindMeters": 10.0}


def write(folder: Path, **ceilings: float) -> Path:
    """Put the file there as Kubernetes does, at once."""
    path, new = folder / "ceilings.json", folder / "new"
    new.write_text(json.dumps(ceilings))
    new.replace(path)
    return path


async def test_lowered_ceilings_hold_for_a_robot_that_drives_and_no_process_restarts(tmp_path: Path) -> None:
    file = write(tmp_path, linearMetersPerSecond=0.8)
    async with running(tmp_path, "--ceilings-file", str(file)) as chain:
        await chain.says(WALK)
        task = await chain.create(robot="go2", limits=FAST)
        before = await boot(chain)
        async with base(chain, f"/vln/ws/{task}") as driven:
            await driven.until(lambda told: told.linear_mps > 0.5)
            assert max(told.linear_mps for _, told in driven.log) <= 0.8
            write(tmp_path, linearMetersPerSecond=0.1)
            await driven.until(lambda told: 0.0 < told.linear_mps <= 0.1)
            since = len(driven.log)
            await until(lambda: len(driven.log) > since + 30, 10, "a second more")
            assert max(told.linear_mps for _, told in driven.log[since:]) <= 0.1
        held = (await chain.task(task))["clamped_limits"]
        assert held == {"linearMetersPerSecond": {"wanted": 3.0, "held": 0.1}}
        assert await boot(chain) == before


async def boot(chain: Chain) -> str:
    return str((await chain.ask("GET", "/vln/tasks"))[1]["boot_id"])
