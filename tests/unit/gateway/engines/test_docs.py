"""The docs name what is counted, and the numbers they give are those in force."""

import re
from pathlib import Path

import pytest

from qwen3vl_server.gateway.engines import answer, engines, health, relay, retries, stream_errors, waiting

TEXT = (Path(__file__).parents[4] / "docs" / "api.md").read_text()
PACKAGE = Path(engines.__file__).parent


def reasons() -> set[str]:
    """Every reason that the package's text gives to a counter."""
    text = "".join(path.read_text() for path in PACKAGE.glob("*.py"))
    found = set(re.findall(r"\.error\(\"(\w+)\"\)", text)) | set(re.findall(r"NotAnswered\(\"(\w+)\"", text))
    return found | {broken.value for broken in answer.Broken} | {"broken", "cut", "unavailable"}


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_each_reason_is_documented(reason: str) -> None:
    assert f"`{reason}`" in TEXT


def test_the_engines_that_send_done_are_documented() -> None:
    assert all(f"`{name}`" in TEXT for name in stream_errors.DONE_ENGINES)


@pytest.mark.parametrize(
    "words",
    [
        f"every {waiting.COMMENT_SECONDS:g} s",
        f"`{relay.COMMENT.decode().strip()}`",
        f"for {waiting.GONE_SECONDS:g} s and has sent nothing",
        f"in {health.WINDOW_SECONDS:g} s with 5xx",
        f"… {health.LONGEST_SECONDS:g} s",
        f"more than {answer.WHOLE_BYTES >> 20} MiB",
    ],
)
def test_the_numbers_are_those_in_force(words: str) -> None:
    assert words in TEXT.replace("\n", " ")


def test_the_numbers_in_words_too() -> None:
    assert (health.FAILURES, health.CONNECTS, retries.MOST_TRIES) == (5, 3, 3)
    assert "answers five requests" in TEXT
    assert "three times in a row" in TEXT.replace("\n", " ")
    assert "At most three tries" in TEXT
