"""Walks of the evaluation: they reach the door, touch nothing, and a seed repeats bit for bit, also elsewhere."""

import json
import subprocess
import sys

from tests.support.processes import PYTHONPATH

from qwen3vl_eval.episode import Setting, walk

SEED = 3


def told(seed: int) -> str:
    """All that is measured of the first seconds of a walk, with the true path; numbers in full."""
    episode = walk(seed, Setting(most_seconds=12.0))
    path = [(at, pose.x, pose.y, pose.yaw) for at, pose in episode.path]
    return json.dumps([episode.figures(), path])


def test_a_seed_repeats_bit_for_bit_here_and_in_another_process() -> None:
    here = told(SEED)
    program = f"from tests.integration.walks.test_episode import told, SEED; print(told({SEED}))"
    environment = {"PYTHONPATH": PYTHONPATH, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert there.stdout.strip() == here


def test_a_model_that_is_dead_for_a_while_makes_it_stand_and_not_fail() -> None:
    dead = walk(SEED, Setting(dead_seconds=10.0))
    assert dead.success and not dead.collisions
    assert dead.seconds_in_state["error"] > 3.0 and dead.pauses >= 1
