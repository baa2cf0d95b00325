"""Pictures of a large camera and an engine's context, with the real processes and over the engine's protocol."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.images import squares
from tests.support.polling import until

from .conftest import FORWARD, Chain, running

TOLD = 8192


async def chain_of(tmp_path: Path, holds: int) -> AsyncIterator[Chain]:
    """An engine that holds so many tokens, whatever the VLN API was told."""
    async with running(tmp_path, "--context-length", str(TOLD)) as chain:
        await chain.engine.end()
        chain.engine.arguments += ("--context-length", str(holds))
        await chain.engine.start()
        yield chain


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Chain]:
    async for chain in chain_of(tmp_path, 700):
        yield chain


@pytest.fixture
async def tiny(tmp_path: Path) -> AsyncIterator[Chain]:
    async for chain in chain_of(tmp_path, 150):
        yield chain


async def shows(chain: Chain, task: str, pictures: int) -> list[dict[str, Any]]:
    """The answers to so many pictures of a 1920x1080 camera, each of which the model has seen."""
    answers = []
    for seed in range(pictures):
        frame = base64.b64encode(squares(1920, 1080, seed)).decode()
        status, body = await chain.ask("POST", "/vln/frame/sync", {"task_id": task, "frame": frame})
        assert status == 200, body
        answers.append(body)
    return answers


async def test_an_engine_that_holds_less_than_was_told_is_asked_with_less(small: Chain) -> None:
    await small.says(FORWARD)
    task = await small.create()
    answers = await shows(small, task, 9)
    assert {body["state"] for body in answers} == {"moving"}
    said = await small.task(task)
    [warning] = said["warnings"]
    assert f"though it was said to hold {TOLD}" in warning
    assert said["model_errors"]["count"] == 0


async def test_an_engine_that_holds_no_picture_is_named_with_both_numbers(tiny: Chain) -> None:
    task = await tiny.create()
    status, body = await tiny.ask(
        "POST", "/vln/frame", {"task_id": task, "frame": base64.b64encode(squares(1920, 1080)).decode()}
    )
    assert status == 200, body

    async def named() -> dict[str, Any] | None:
        said = await tiny.task(task)
        return said if said["reason"] == "context_too_small" else None

    said = await until(named, 10, "context_too_small")
    assert said["state"] == "error" and "the context holds 150" in said["message"] and "take" in said["message"]


async def test_a_model_that_is_too_slow_is_named_before_the_walk(tmp_path: Path) -> None:
    async with running(tmp_path, "--context-length", str(TOLD), "--warm-up") as chain:
        task = await chain.create(limits={"maxPlanAgeSeconds": 0.5})

        async def named() -> dict[str, Any] | None:
            said = await chain.task(task)
            return said if said["reason"] == "plan_too_old" else None

        said = await until(named, 10, "plan_too_old")
        assert said["state"] == "waiting" and said["frames"]["received"] == 0
        assert "limits.maxPlanAgeSeconds is 0.5" in said["message"] and "newest 1 calls" in said["message"]
