"""`hack/eval` as people call it: a few walks, a replay of pictures, and what it says to a wrong option."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.figures import Figures
from tests.support.processes import PYTHONPATH

from qwen3vl_world.walkthrough import pictures

ROOT = Path(__file__).resolve().parents[3]
FIELDS = {"success_rate", "oracle_success_rate", "false_goals", "spl", "collisions", "collisions_per_metre"}
FIELDS |= {"max_blind_metres", "mean_seconds", "pauses", "seconds_in_state", "failed_seeds"}


def evaluate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "qwen3vl_eval", *arguments]
    return subprocess.run(command, env={"PYTHONPATH": PYTHONPATH}, capture_output=True, text=True, timeout=120)


def test_a_few_walks_reach_their_doors_and_touch_nothing(figure: Figures) -> None:
    done = evaluate("--episodes", "6", "--seed", "1", "--json")
    assert done.returncode == 0, done.stderr
    line = json.loads(done.stdout)
    assert set(line) >= FIELDS and done.stdout.count("\n") == 1
    assert line["success_rate"] == 1.0 and line["collisions"] == line["false_goals"] == 0
    assert "6/6" in done.stderr
    figure("evaluation: largest blind distance in 6 walks", line["max_blind_metres"], "m", 0.7)
    assert line["max_blind_metres"] <= 0.7


def test_pictures_that_are_replayed_give_the_same_answers_each_time(tmp_path: Path) -> None:
    for number, jpeg in enumerate(pictures(24)):
        (tmp_path / f"{number:03}.jpg").write_bytes(jpeg)
    first, second = (evaluate("--replay", str(tmp_path), "--fps", "10", "--json") for _ in range(2))
    assert first.stdout == second.stdout
    line = json.loads(first.stdout)
    assert line["frames"] == 24 and line["motion_without_plan"] == 0
    assert 2 <= line["key_frames"] <= 12 and line["plans"] >= 1 and len(line["digest"]) == 64


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--replay", "/nowhere"), "/nowhere: no .jpg in it"),
        (("--frame-loss", "2"), "2 is not a share between 0 and 1"),
        (("--episodes", "0"), "0 is not at least 1"),
        (("--clock", "real", "--one-shot", "2"), "faults are for the virtual clock"),
        (("--camera-height", "9"), "a camera is 0.1 to 2.0 m above the floor"),
        (("--pitch", "60"), "pitched by -30 to 30 degrees"),
        (("--model-url", "http://127.0.0.1:1/v1"), "--model-url and --model belong together"),
        (("--model-url", "localhost", "--model", "m"), "an address such as http://"),
    ],
)
def test_a_wrong_option_is_answered_with_what_would_be_right(arguments: tuple[str, ...], said: str) -> None:
    done = evaluate(*arguments)
    assert done.returncode == 2 and said in done.stderr
