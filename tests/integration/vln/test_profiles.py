"""The forms of answers, with the real worker, the real engine protocol and what the model writes as it writes it."""

import time
from typing import Any

import pytest

from .conftest import FORWARD, Chain, base

SLOW_TOKENS_PER_SECOND = 40


class TestWords:
    """Profile `actions`: one sentence, a row of words or of arrows."""

    @pytest.mark.parametrize(
        ("text", "linear", "angular"),
        [
            ("The next action is move forward 50 cm", 1, 0),
            ("turn left 30 degrees", 0, 1),
            ("右转 30 度", 0, -1),
            ("forward forward left forward", 1, 0),
            ("→→", 0, -1),
        ],
    )
    async def test_move(self, chain: Chain, text: str, linear: int, angular: int) -> None:
        await chain.says(text)
        task = await chain.create(prompt={"profile": "actions"})
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: bool(told.linear_mps or told.angular_rps))
            assert (robot.last.linear_mps > 0) == bool(linear)
            assert robot.last.angular_rps * angular > 0 or not angular

    @pytest.mark.parametrize("text", ["Do not move forward.", "wait", "move forward", "walk ahead", "turn 30"])
    async def test_stand(self, chain: Chain, text: str) -> None:
        await chain.says(text)
        task = await chain.create(prompt={"profile": "actions"})
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.until(lambda told: told.state == "hold")
        assert robot.last_motion() == float("-inf")

    async def test_words_move_nobody_who_asked_for_json(self, chain: Chain) -> None:
        await chain.says("The next action is move forward 50 cm")
        task = await chain.create()
        async with base(chain, f"/vln/ws/{task}") as robot:
            await robot.stands("invalid_result")
        assert robot.last_motion() == float("-inf")


class TestGuidedJson:
    """Profile `waypoints`: the robot starts when the array closes; the rest has the last word."""

    @pytest.fixture
    async def slow(self, chain: Chain) -> Chain:
        """An engine that writes so slowly that one can watch it."""
        await chain.engine.end()
        index = chain.engine.arguments.index("--tokens-per-second")
        arguments = list(chain.engine.arguments)
        arguments[index + 1] = str(SLOW_TOKENS_PER_SECOND)
        chain.engine.arguments = tuple(arguments)
        await chain.engine.start()
        return chain

    async def test_it_moves_while_the_answer_is_still_being_written(self, slow: Chain) -> None:
        note: dict[str, Any] = FORWARD | {"environment": "a long corridor with a red door at its very end, far away"}
        await slow.says(note)
        task = await slow.create()
        async with base(slow, f"/vln/ws/{task}") as robot:
            await robot.moves()
            moved = time.monotonic()
            assert (await slow.task(task))["environment"] == ""
            await robot.until(lambda _: (robot.robot.answer or {}).get("environment", "") != "", 20)
            assert time.monotonic() - moved > 3 / SLOW_TOKENS_PER_SECOND
        assert (await slow.task(task))["steps"]["done"] >= 1

    async def test_an_end_that_says_stop_drops_the_plan(self, slow: Chain) -> None:
        await slow.says(FORWARD | {"action": "stop"})
        task = await slow.create()
        async with base(slow, f"/vln/ws/{task}") as robot:
            await robot.moves()
            await robot.stands("stop_result")

    async def test_a_stream_that_breaks_off_drops_the_plan(self, slow: Chain) -> None:
        await slow.says(FORWARD | {"environment": "a long corridor with a red door at its very end, far away"})
        task = await slow.create()
        async with base(slow, f"/vln/ws/{task}") as robot:
            await robot.moves()
            await slow.engine.kill()
            await robot.stands(seconds=0.5)
            assert robot.last.reason in ("invalid_result", "model_failed")
