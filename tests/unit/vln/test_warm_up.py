"""The model is asked twice before any robot asks, so that one that is too slow is told of before the walk."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import virtual_time

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_server.simulator.protocol import ChatRequest
from qwen3vl_server.simulator.serving import Model as Engine
from qwen3vl_vln.ipc.to_edge import ModelWarm, ToEdge
from qwen3vl_vln.task.pace import Pace
from qwen3vl_vln.task.record import record
from qwen3vl_vln.worker.context_budget import Allowed
from qwen3vl_vln.worker.model_client import ModelDeadlineError, ModelError, Reply
from qwen3vl_vln.worker.warm_up import WarmModel, grey_question

from .samples import Walk, navigation_without_worker


class Slow:
    """Fails some times, then answers after some time, the first answer later by what it compiles."""

    def __init__(self, seconds: float, *failures: ModelError, compiles: float = 0.0) -> None:
        self.seconds, self.failures, self.compiles = seconds, list(failures), compiles
        self.asked, self.bodies = list[float](), list[dict[str, Any]]()

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        self.asked.append(asyncio.get_running_loop().time())
        self.bodies.append(body)
        await asyncio.sleep(self.seconds + self.compiles)
        self.compiles = 0.0
        if self.failures:
            raise self.failures.pop(0)
        return Reply("", "stop")


async def _told(model: Slow, seconds: float = 300.0, robot_at: float | None = None) -> list[ToEdge]:
    sent: list[ToEdge] = []
    warm = WarmModel(model, sent.append)
    asking = asyncio.create_task(warm.warm_up("m", 8192))
    if robot_at is not None:
        await asyncio.sleep(robot_at)
        await warm.ask({})
    await asyncio.sleep(seconds)
    assert asking.done()
    return sent


def test_what_the_second_question_took_is_told_once() -> None:
    model = Slow(6.5, compiles=40.0)
    [told] = virtual_time.run(_told(model))
    assert isinstance(told, ModelWarm) and told.seconds == pytest.approx(6.5) and len(model.asked) == 2


def test_the_second_question_shows_nothing_that_the_first_showed() -> None:
    model = Slow(6.5)
    virtual_time.run(_told(model))
    first, second = (
        {part["image_url"]["url"] for part in body["messages"][-1]["content"] if part["type"] == "image_url"}
        for body in model.bodies
    )
    assert first and second and not first & second


def test_it_asks_again_more_and_more_seldom_until_the_model_answers() -> None:
    model = Slow(2.0, ModelError("HTTP 503"), ModelDeadlineError("late"), ModelError("HTTP 503"))
    [told] = virtual_time.run(_told(model))
    assert isinstance(told, ModelWarm) and told.seconds == pytest.approx(2.0), "only the answer's own time"
    assert [round(later - earlier) for earlier, later in zip(model.asked, model.asked[1:], strict=False)] == [
        3,
        4,
        6,
        2,
    ]


def test_a_robot_that_asks_meanwhile_comes_first_and_makes_it_needless() -> None:
    model = Slow(5.0, ModelError("HTTP 503"))
    sent = virtual_time.run(_told(model, robot_at=5.5))
    assert len(model.asked) == 2 and sent == [], "the task tells of its own call"


def test_a_robot_that_asks_between_the_two_questions_makes_the_second_needless() -> None:
    model = Slow(5.0)
    sent = virtual_time.run(_told(model, robot_at=2.0))
    assert len(model.asked) == 2 and sent == [], "the task tells of its own call"


def test_it_shows_as_much_as_a_task_with_default_settings() -> None:
    question = grey_question("m", 8192)
    assert [picture.size for picture in question.history] == [(320, 240)] * 8
    assert question.now.large.size == (640, 480)
    reply = Engine("m", 8192).chat(ChatRequest.model_validate(question.body(question.fit(Allowed()))))
    assert reply.images == 9 and 64 * 9 < reply.prompt_tokens < 2000


@pytest.mark.parametrize(("seconds", "slow"), [(9.6, True), (12.0, True), (8.0, False)])
def test_a_model_that_is_too_slow_is_named_before_the_walk(seconds: float, slow: bool) -> None:
    navigation = navigation_without_worker()
    navigation.on_message(ModelWarm(seconds=seconds))
    task = navigation.create(Walk().task.settings).task
    task.worker_silent = False
    said = record(task, navigation.now())
    assert (said["state"], said["reason"]) == ("waiting", "plan_too_old" if slow else "waiting_for_frame")
    if slow:
        age = Limits().max_plan_age_seconds
        assert f"{seconds:.1f} s" in said["message"] and f"limits.maxPlanAgeSeconds is {age:g}" in said["message"]


def test_what_the_warm_up_took_counts_only_until_a_task_s_call_is_answered() -> None:
    pace = Pace()
    pace.warmed_up(40.0)
    assert pace.median_seconds == 40.0 and pace.too_slow(10.0)
    pace.warmed_up(12.0)
    assert pace.median_seconds == 12.0, "another worker has asked anew"
    pace.took(2.0)
    assert pace.median_seconds == 2.0 and "newest 1 calls" in pace.explained(10.0)
    pace.warmed_up(40.0)
    pace.took(3.0)
    assert pace.median_seconds == 2.5
