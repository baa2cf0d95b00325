"""Episodes side by side in processes: each one follows from its seed alone, so that their order does not matter."""

import multiprocessing
import sys
import time
from collections.abc import Sequence

import cv2

from qwen3vl_eval.episode import Episode, Setting, walk


def episodes(seeds: Sequence[int], setting: Setting, *, jobs: int, title: str = "") -> list[Episode]:
    """Walk through the buildings of all seeds; progress goes to standard error."""
    began, done = time.monotonic(), []
    # A fresh process each, not a copy of this one: nothing of an earlier walk is left in it.
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=_alone) as pool:
        for episode in pool.imap(_Walk(setting), seeds):
            done.append(episode)
            _tell(title, done, len(seeds), time.monotonic() - began)
    return done


class _Walk:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def __call__(self, seed: int) -> Episode:
        return walk(seed, self._setting)


def _alone() -> None:
    cv2.setNumThreads(1)


def _tell(title: str, done: list[Episode], count: int, seconds: float) -> None:
    last = done[-1]
    well = sum(episode.success for episode in done)
    verdict = (
        "success" if last.success else f"{last.verdict or 'no verdict'}, {last.metres_from_goal:.2f} m from the goal"
    )
    touched = f", {last.collisions} collisions" if last.collisions else ""
    line = f"{title}{len(done)}/{count} in {seconds:.0f} s: seed {last.seed} {verdict}{touched}; {well} successes"
    print(line, file=sys.stderr, flush=True)
