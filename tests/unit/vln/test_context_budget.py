"""How many pictures fit the model's context: never too many, never fewer than needed, the newest ones."""

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qwen3vl_common.navigation.settings import Language, Profile
from qwen3vl_operator.vision_model.spec import LEAST_NAVIGATION_CONTEXT, Spec
from qwen3vl_server.simulator import tokens
from qwen3vl_vln.worker.context_budget import (
    MARGIN_TOKENS,
    Allowed,
    ContextTooSmallError,
    Shown,
    Size,
    fit,
    image_token_count,
    least_text_tokens,
    prompt_tokens,
    text_tokens,
    warning,
)
from qwen3vl_vln.worker.images import LARGE_PIXELS, SMALL_PIXELS, size_within
from qwen3vl_vln.worker.prompt import MAX_TOKENS, texts

ANSWER = MAX_TOKENS["waypoints"]
WORDS = texts("Walk to the red door and stop.", 8, language="en", profile="waypoints")

cameras = st.tuples(st.integers(32, 4000), st.integers(32, 4000)).filter(lambda size: max(size) <= 50 * min(size))
lengths = st.integers(256, 12_000)
instructions = st.text(max_size=300)
histories = st.lists(cameras.map(lambda size: size_within(size, SMALL_PIXELS)), max_size=15)


def shown(
    camera: Size,
    history: list[Size],
    length: int | None,
    words: tuple[str, ...] = WORDS,
    allowed: Allowed | None = None,
) -> Shown:
    """What a task with such a camera may show."""
    large, small = size_within(camera, LARGE_PIXELS), size_within(camera, SMALL_PIXELS)
    return fit(words, history, large, small, max_tokens=ANSWER, context_length=length, allowed=allowed)


def fits(*arguments: object) -> Shown:
    """As `shown`; what cannot fit is left out of the test."""
    try:
        return shown(*arguments)  # type: ignore[arg-type]
    except ContextTooSmallError:
        assume(False)
        raise


@given(cameras, histories, lengths, instructions)
def test_prompt_and_answer_and_margin_never_exceed_the_context_but_with_the_least_that_may_fit(
    camera: Size, history: list[Size], length: int, instruction: str
) -> None:
    words = texts(instruction, len(history), language="en", profile="waypoints")
    found = fits(camera, history, length, words)
    now = size_within(camera, SMALL_PIXELS if found.small else LARGE_PIXELS)
    pictures = [*history[len(history) - found.history :], now]
    assert found.tokens == prompt_tokens(words, pictures) + ANSWER + MARGIN_TOKENS
    if found.tokens > length:
        assert (found.history, found.small) == (0, True)
        assert sum(map(least_text_tokens, words)) + ANSWER + image_token_count(now) <= length


@given(cameras, histories, lengths)
def test_the_oldest_is_dropped_first_and_only_when_it_does_not_fit(
    camera: Size, history: list[Size], length: int
) -> None:
    found = fits(camera, history, length)
    if found.history < len(history) and not (found.small and found.history == 0):
        oldest_kept = len(history) - found.history
        assert found.tokens + image_token_count(history[oldest_kept - 1]) > length


@given(cameras, histories, lengths)
def test_now_becomes_small_only_when_no_earlier_picture_is_left(camera: Size, history: list[Size], length: int) -> None:
    found = fits(camera, history, length)
    if found.small and max(camera) > SMALL_PIXELS:
        assert found.history == 0
        large = prompt_tokens(WORDS, [size_within(camera, LARGE_PIXELS)]) + ANSWER + MARGIN_TOKENS
        assert large > length


@given(cameras, histories, lengths, st.integers(0, 4000))
def test_a_larger_context_never_shows_less(camera: Size, history: list[Size], length: int, more: int) -> None:
    found, larger = fits(camera, history, length), fits(camera, history, length + more)
    assert larger.history >= found.history and larger.small <= found.small
    assert shown(camera, history, None).history == len(history)


@given(cameras, histories, lengths, instructions, instructions)
def test_a_longer_instruction_never_shows_more(
    camera: Size, history: list[Size], length: int, instruction: str, more: str
) -> None:
    found = fits(camera, history, length, (instruction,))
    longer = fits(camera, history, length, (f"{instruction}\n{more}",))
    assert longer.history <= found.history and longer.small >= found.small


@given(cameras, histories, lengths, st.integers(0, 15))
def test_what_the_engine_refused_is_not_shown_again(camera: Size, history: list[Size], length: int, most: int) -> None:
    found = fits(camera, history, length, WORDS, Allowed(most, False, 5000))
    assert found.history <= most


@given(instructions)
def test_text_is_never_counted_shorter_than_by_the_simulator_nor_longer_than_its_bytes(text: str) -> None:
    assert tokens.count(text, enough=10**6) <= text_tokens(text) <= len(text.encode())


@pytest.mark.parametrize(
    ("text", "by_qwens_vocabulary"),
    [
        (texts("", 0, language="en", profile="waypoints")[0], 134),
        (texts("", 0, language="zh", profile="waypoints")[0], 142),
        (texts("", 0, language="en", profile="actions")[0], 122),
        (texts("", 0, language="zh", profile="actions")[0], 99),
        ("Walk to the red door and stop.", 8),
        ("Fünf große Türen überqueren", 10),
        ("走到红色的门前停下。", 6),
        ("廊下を進んで赤いドアの前で止まって", 14),
    ],
)
def test_text_is_counted_at_least_as_long_as_the_model_counts_it(text: str, by_qwens_vocabulary: int) -> None:
    assert by_qwens_vocabulary <= text_tokens(text) <= 5 * by_qwens_vocabulary


def test_a_full_hd_camera_with_default_settings_fits_a_small_context() -> None:
    camera = (1920, 1080)
    history = [size_within(camera, SMALL_PIXELS)] * 8
    assert shown(camera, history, 8192) == shown(camera, history, None)
    assert shown(camera, history, 2048).history == 8


def test_what_a_vision_model_must_hold_for_robots_is_what_the_longest_default_prompt_needs() -> None:
    camera = (SMALL_PIXELS, SMALL_PIXELS)  # of no shape is the small size larger
    needed = max(
        fit(
            texts("Walk to the red door and stop.", 0, language=language, profile=profile),
            [],
            camera,
            camera,
            max_tokens=MAX_TOKENS[profile],
            context_length=None,
        ).tokens
        for language in get_args(Language)
        for profile in get_args(Profile)
    )
    assert 0.8 * LEAST_NAVIGATION_CONTEXT <= needed <= LEAST_NAVIGATION_CONTEXT


def test_a_vision_model_with_a_smaller_context_says_so_before_a_robot_comes() -> None:
    [rule] = [one for one in Spec.model_json_schema()["x-kubernetes-validations"] if "contextLength" in one["rule"]]
    assert rule["rule"] == f"!has(self.navigation) || self.engine.contextLength >= {LEAST_NAVIGATION_CONTEXT}"
    assert f"at least {LEAST_NAVIGATION_CONTEXT}:" in rule["message"]


def test_a_long_chinese_instruction_that_may_fit_is_asked() -> None:
    words = texts("走到红色的门前停下。" * 107, 8, language="zh", profile="waypoints")
    found = shown((1920, 1080), [(320, 180)] * 8, 3072, words)
    assert (found.history, found.small) == (0, True) and found.tokens > 3072
    with pytest.raises(ContextTooSmallError):
        shown((1920, 1080), [], 1024, words)


def test_each_refusal_leaves_less_until_nothing_is_left() -> None:
    camera, allowed = (1920, 1080), Allowed()
    history, seen = [size_within(camera, SMALL_PIXELS)] * 9, []
    while True:
        found = shown(camera, history, None, WORDS, allowed)
        seen.append((found.history, found.small))
        left = allowed.after_refusal(found)
        if left is None:
            break
        allowed = left
    assert seen == [(9, False), (4, False), (2, False), (1, False), (0, False), (0, True)]


def test_a_small_camera_is_not_asked_about_twice_in_the_same_size() -> None:
    found = shown((320, 240), [], None)
    assert found.small and Allowed().after_refusal(found) is None


def test_a_context_for_no_picture_is_named_with_both_numbers() -> None:
    with pytest.raises(ContextTooSmallError, match=r"take \d{3} tokens and the context holds 256: raise") as refused:
        shown((1920, 1080), [], 256)
    needed = int(str(refused.value).partition("take ")[2].split()[0])
    assert shown((1920, 1080), [], needed).small
    with pytest.raises(ContextTooSmallError):
        shown((1920, 1080), [], needed - 1)


def test_what_is_not_shown_is_said_with_its_numbers() -> None:
    all_of_it = Shown(8, False, 1400)
    assert warning(all_of_it, 8, 8192, Allowed()) == ""
    computed = warning(replace(all_of_it, history=3), 8, 1024, Allowed())
    assert computed == "the context of 1024 tokens does not hold 8 earlier pictures: the model is shown 3 earlier ones"
    refused = warning(replace(all_of_it, history=4), 8, 8192, Allowed(4, False, 1400))
    assert refused.startswith("1400 tokens were too many for the engine's context, though it was said to hold 8192: ")
    assert "small size" in warning(Shown(0, True, 600), 8, None, Allowed(0, True, 800))
