"""What Prometheus reads after a robot drove, stood and drove again."""

import re

from .conftest import FORWARD, Chain, base


def value(text: str, name: str, **labels: str) -> float:
    """A sample, 0 where it is not there."""
    wanted = ",".join(f'{key}="{content}"' for key, content in labels.items())
    found = re.search(rf"^{name}{re.escape('{' + wanted + '}') if wanted else ''} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_motion_pauses_and_the_age_of_plans(chain: Chain) -> None:
    await chain.says(FORWARD)
    task = await chain.create()
    async with base(chain, f"/vln/ws/{task}") as robot:
        await robot.moves()
        await chain.says("I cannot help with that.")
        await robot.stands("invalid_result")
    _, text = await chain.ask("GET", "/metrics")
    assert value(text, "qwen3vl_vln_pauses_total", reason="invalid_result") == 1
    ages = value(text, "qwen3vl_vln_plan_age_seconds_count")
    assert ages == value(text, "qwen3vl_vln_answers_total", state="moving") > 0
    assert 0 < value(text, "qwen3vl_vln_plan_age_seconds_sum") / ages < 2
    assert value(text, "qwen3vl_vln_results_total", outcome="invalid") >= 1
    assert value(text, "qwen3vl_vln_discarded_total", what="old_sequence") == 0
