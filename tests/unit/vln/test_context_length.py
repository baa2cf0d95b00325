"""An engine whose context is smaller than was said: asked again with less, told in the record, and named when nothing
fits."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import virtual_time
from tests.support.images import squares

from qwen3vl_common.navigation.settings import Limits
from qwen3vl_server.simulator.errors import BadRequestError
from qwen3vl_server.simulator.protocol import ChatRequest
from qwen3vl_server.simulator.serving import Model as Engine
from qwen3vl_vln.edge.navigation import tasks_of
from qwen3vl_vln.ipc.to_edge import CallBegan, CallFailed, CallResult, ContextWarning, EarlyPlan, WantFrame
from qwen3vl_vln.ipc.to_worker import ForgetTask
from qwen3vl_vln.task.record import record
from qwen3vl_vln.worker.context_budget import Allowed
from qwen3vl_vln.worker.images import scaled
from qwen3vl_vln.worker.model_client import ContextLengthError, ModelDeadlineError, ModelError, Reply
from qwen3vl_vln.worker.question import Question, ask

from .bench import PLAN, Bench, task_update
from .samples import FORWARD, Walk, navigation_without_worker


class SmallContext:
    """Answers at once what fits the simulator's own count of tokens, and refuses the rest as it does."""

    def __init__(self, context_length: int) -> None:
        self.engine = Engine("m", context_length)
        self.pictures: list[int] = []
        self.refused = 0

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        await asyncio.sleep(0)
        try:
            reply = self.engine.chat(ChatRequest.model_validate(body))
        except BadRequestError as error:
            assert error.code == "context_length_exceeded"
            self.refused += 1
            raise ContextLengthError(error.message) from None
        self.pictures.append(reply.images)
        return Reply(PLAN, "stop")


async def answers(bench: Bench, turns: int) -> None:
    """So many key frames, each answered."""
    bench.task("a", history_frames=8)
    for turn in range(1, turns + 1):
        bench.frame("a", image=squares(1920, 1080, turn % 3))
        await bench.until(CallResult, turn)
        await bench.until(WantFrame, turn + 1)


async def test_a_full_hd_camera_is_shown_with_all_its_history_in_8192_tokens() -> None:
    model = SmallContext(8192)
    bench = Bench(other=model, context_length=8192)
    await answers(bench, 10)
    assert model.pictures == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9] and not model.refused
    assert not bench.told(CallFailed) and not bench.told(ContextWarning)
    await bench.scheduler.close()


async def test_the_history_that_a_known_context_does_not_hold_is_left_out_before_the_engine_is_asked() -> None:
    model = SmallContext(1200)
    bench = Bench(other=model, context_length=1200)
    await answers(bench, 10)
    assert model.refused == 0 and 1 < model.pictures[-1] < 9
    assert "does not hold 8 earlier pictures" in (await bench.until(ContextWarning))[-1].text
    await bench.scheduler.close()


async def test_history_is_halved_for_the_rest_of_the_task_when_the_context_is_smaller_than_told() -> None:
    model = SmallContext(900)
    bench = Bench(other=model, context_length=8192)
    await answers(bench, 10)
    assert model.pictures == [1, 2, 3, 4, 5, 6, 7, 8, 5, 5] and model.refused == 1
    refused = model.refused
    told_so_far = len(bench.told(ContextWarning))
    told = bench.told(ContextWarning)[-1].text
    assert "too many for the engine's context, though it was said to hold 8192" in told
    assert not bench.told(CallFailed), "it can still be asked with less"
    # Another instruction is of the same task, and of the same engine.
    bench.task("a", epoch=2, history_frames=8)
    bench.frame("a", epoch=2, image=squares(1920, 1080))
    await bench.until(CallResult, 11)
    assert model.refused == refused and len(bench.told(ContextWarning)) == told_so_far
    await bench.scheduler.close()


@pytest.mark.parametrize("ended", [False, True])
async def test_what_the_context_holds_is_known_over_a_pause_until_the_end(ended: bool) -> None:
    model = SmallContext(300)
    bench = Bench(other=model)
    await answers(bench, 2)
    told = len(bench.told(ContextWarning))
    assert model.refused == 1 and told == 1
    verdict = "Cancelled" if ended else None
    bench.task("a", epoch=2, history_frames=8, active=False, verdict=verdict)
    bench.task("a", epoch=3, history_frames=8)
    bench.frame("a", epoch=3, image=squares(1920, 1080))
    await bench.until(CallResult, 3)
    assert (model.refused, len(bench.told(ContextWarning))) == ((2, 2) if ended else (1, 1))
    await bench.scheduler.close()


async def test_a_forgotten_task_leaves_nothing_of_its_context() -> None:
    model = SmallContext(300)
    bench = Bench(other=model)
    await answers(bench, 2)
    bench.scheduler.take(ForgetTask(task_id="a"))
    bench.task("a", history_frames=8)
    bench.frame("a", image=squares(1920, 1080))
    await bench.until(CallResult, 3)
    assert model.refused == 2
    await bench.scheduler.close()


async def test_a_new_worker_says_anew_what_the_context_does_not_hold() -> None:
    """The edge forgets what the lost one has said."""
    for _ in range(2):
        bench = Bench(other=SmallContext(1200), context_length=1200)
        await answers(bench, 9)
        assert "does not hold 8 earlier pictures" in (await bench.until(ContextWarning))[-1].text
        await bench.scheduler.close()


async def test_now_is_shown_small_when_history_is_no_more() -> None:
    model = SmallContext(300)
    bench = Bench(other=model)
    await answers(bench, 3)
    assert model.pictures == [1, 1, 1] and model.refused == 1
    assert (await bench.until(ContextWarning))[-1].text.endswith(
        "0 earlier ones, and the present one in its small size"
    )
    await bench.scheduler.close()


@pytest.mark.parametrize("told", [150, None])
async def test_a_context_for_no_picture_at_all_is_a_failure_with_both_numbers(told: int | None) -> None:
    model = SmallContext(150)
    bench = Bench(other=model, context_length=told)
    bench.task("a")
    bench.frame("a", image=squares(1920, 1080))
    failed = (await bench.until(CallFailed))[0]
    assert failed.context_too_small and not failed.deadline and not model.pictures
    assert "150" in failed.message and "tokens" in failed.message and "engine.contextLength" in failed.message
    assert model.refused == (0 if told else 2), "what is known beforehand is not asked"
    await bench.scheduler.close()


class SlowToRefuse:
    """Refuses everything as too long, each time after some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.asked = seconds, 0

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        raise ContextLengthError("the maximum context length is 9 tokens")


def test_all_tries_of_one_question_have_one_deadline() -> None:
    model = SlowToRefuse(4.0)
    job = task_update("a", history_frames=8)
    picture = scaled(squares(640, 480))
    question = Question("m", job.instruction, "en", "waypoints", False, (picture.small,) * 8, picture, None)

    async def took() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(ModelDeadlineError, match=r"no answer in 10 s"):
            await ask(model, question, Allowed(), told=lambda shown, allowed: None, timeout_seconds=10.0)
        return loop.time() - began

    assert virtual_time.run(took()) == pytest.approx(10.0) and model.asked == 3


async def test_the_deadline_of_a_question_is_told_as_one() -> None:
    bench = Bench(other=SlowToRefuse(0.2), timeout_seconds=0.3)
    bench.task("a")
    bench.frame("a", image=squares(1920, 1080))
    failed = (await bench.until(CallFailed))[0]
    assert failed.deadline and not failed.context_too_small and "0.3 s" in failed.message
    await bench.scheduler.close()


async def test_an_answer_that_breaks_off_as_too_long_is_void_at_once_and_not_asked_for_again() -> None:
    """The robot may drive by what was heard of it: it must be told before anything else is asked."""
    bench = Bench()
    bench.task("a")
    number = bench.frame("a", image=squares(1920, 1080))
    await bench.until(CallBegan)
    assert bench.model.heard is not None
    bench.model.heard(PLAN)
    assert bench.told(EarlyPlan)
    bench.model.asked[0][1].set_exception(ContextLengthError("the maximum context length is 900 tokens"))
    failed = (await bench.until(CallFailed))[0]
    assert failed.frame == number and not failed.context_too_small and "900 tokens" in failed.message
    assert len(bench.model.asked) == 1
    await bench.scheduler.close()


async def test_another_failure_is_no_matter_of_length() -> None:
    bench = Bench()
    bench.task("a")
    bench.frame("a")
    await bench.until(CallBegan)
    bench.model.asked[0][1].set_exception(ModelError("HTTP 400 engine_refused"))
    assert not (await bench.until(CallFailed))[0].context_too_small
    await bench.scheduler.close()


def test_the_state_is_an_error_until_something_fits() -> None:
    walk = Walk()
    walk.frame()
    walk.result("plan", FORWARD)
    assert walk.run(0.5)[-1]["linear_vel"] > 0
    told = "a small picture, the instruction and the answer take 610 tokens and the context holds 512: raise it"
    walk.task.failed(walk.task.epoch, walk.key, told, walk.now, deadline=False, context_too_small=True)
    body = walk.frame()
    assert (body["state"], body["reason"], body["linear_vel"]) == ("error", "context_too_small", 0.0)
    assert record(walk.task, walk.now)["message"] == told
    walk.result("plan", FORWARD)
    assert walk.run(0.5)[-1]["state"] == "moving"


def test_a_context_that_stays_too_small_ends_the_task_with_both_numbers() -> None:
    walk = Walk(limits=Limits(model_lost_seconds=5.0))
    for _ in range(8):
        walk.frame()
        walk.task.failed(walk.task.epoch, walk.key, "610 and 512", walk.now, deadline=False, context_too_small=True)
        walk.run(1.0)
    assert walk.task.verdict == "ModelLost" and "610 and 512" in walk.task.message


def test_what_is_left_out_stands_among_the_warnings_while_it_is() -> None:
    navigation = navigation_without_worker()
    task = navigation.create(Walk().task.settings).task
    for warning in ("too much", ""):
        navigation.on_message(ContextWarning(task_id=task.task_id, text=warning))
        assert record(task, navigation.now())["warnings"] == ([warning] if warning else [])


def test_what_a_lost_worker_left_out_is_no_warning_of_the_next_one() -> None:
    navigation = navigation_without_worker()
    entry = navigation.create(Walk().task.settings)
    entry.task.warn("writers", "two of them")
    navigation.on_message(ContextWarning(task_id=entry.task.task_id, text="too much"))
    assert tasks_of(navigation) == [entry.task], "a new worker is told of it"
    assert record(entry.task, navigation.now())["warnings"] == ["two of them"]
