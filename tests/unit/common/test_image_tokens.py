import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3vl_common.image_tokens import MAX_PIXELS, MIN_PIXELS, image_tokens, resized


@pytest.mark.parametrize(
    ("size", "expected_size", "tokens"),
    [  # as the model's own processor answered
        ((224, 224), (256, 256), 64),
        ((640, 480), (640, 480), 300),
        ((1280, 720), (1280, 704), 880),
        ((1920, 1080), (1920, 1088), 2040),
        ((4000, 3000), (4000, 3008), 11750),
        ((8000, 6000), (4704, 3520), 16170),
    ],
)
def test_tokens_are_those_of_the_real_processor(
    size: tuple[int, int], expected_size: tuple[int, int], tokens: int
) -> None:
    assert resized(*size) == expected_size
    assert image_tokens(*size) == tokens


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_any_picture_costs_between_64_and_16384_tokens(width: int, height: int) -> None:
    if max(width, height) > 200 * min(width, height):
        with pytest.raises(ValueError, match="200 times"):
            image_tokens(width, height)
        return
    new_width, new_height = resized(width, height)
    assert MIN_PIXELS <= new_width * new_height <= MAX_PIXELS
    assert 64 <= image_tokens(width, height) <= 16_384
