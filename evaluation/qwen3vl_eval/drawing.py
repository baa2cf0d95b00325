"""What people would rather see than read: some walks on maps, and where the time went, on one sheet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from qwen3vl_eval.episode import Episode
from qwen3vl_world import buildings
from qwen3vl_world.picture import map_of

MAPS, COLUMNS = 6, 3
_MAP = (420, 360)
_BAR, _LABEL, _ROW = 880, 330, 34
_INK = (60, 60, 60)
_STATES = {
    "moving": (110, 170, 90),
    "hold": (90, 170, 235),
    "stale": (170, 140, 200),
    "error": (60, 60, 200),
    "waiting": (190, 190, 190),
    "goal": (190, 130, 60),
    "stopped": (90, 90, 90),
}


def write_sheet(file: Path, runs: Mapping[str, Sequence[Episode]], shown: str) -> None:
    """Write maps of the first walks of one run, and under them the seconds in each state of every run."""
    maps = [_map(episode) for episode in runs[shown][:MAPS]]
    maps += [np.full((_MAP[1], _MAP[0], 3), 255, np.uint8)] * (-len(maps) % COLUMNS)
    rows = [cv2.hconcat(maps[first : first + COLUMNS]) for first in range(0, len(maps), COLUMNS)]
    sheet = np.asarray(cv2.vconcat([*rows, _bars(runs, rows[0].shape[1])]), np.uint8)
    # Few colours are enough, and make a small file.
    cv2.imwrite(str(file), sheet // 16 * 17, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def _map(episode: Episode) -> np.ndarray:
    picture = map_of(buildings.building(episode.seed), episode.path)
    scale = min(_MAP[0] / picture.shape[1], _MAP[1] / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    space = [_MAP[1] - small.shape[0], _MAP[0] - small.shape[1]]
    return np.asarray(cv2.copyMakeBorder(small, 0, space[0], 0, space[1], cv2.BORDER_CONSTANT, value=(255,) * 3))


def _bars(runs: Mapping[str, Sequence[Episode]], width: int) -> np.ndarray:
    seconds = {
        name: {state: sum(one.seconds_in_state.get(state, 0.0) for one in run) / len(run) for state in _STATES}
        for name, run in runs.items()
    }
    longest = max(sum(states.values()) for states in seconds.values())
    picture = np.full((_ROW * (len(runs) + 2), width, 3), 255, np.uint8)
    for number, (name, states) in enumerate(seconds.items()):
        top = _ROW * number + 8
        _write(picture, name, 12, top + 18)
        left = float(_LABEL)
        for state, spent in states.items():
            right = left + spent / longest * _BAR
            cv2.rectangle(picture, (round(left), top), (round(right) - 1, top + 22), _STATES[state], -1)
            left = right
        _write(picture, f"{sum(states.values()):.0f} s", round(left) - 48, top + 17, (255, 255, 255))
    left, top = _LABEL, _ROW * len(runs) + 20
    for state, colour in _STATES.items():
        cv2.rectangle(picture, (left, top), (left + 16, top + 16), colour, -1)
        _write(picture, state, left + 22, top + 14)
        left += 122
    return picture


def _write(picture: np.ndarray, text: str, x: int, y: int, colour: tuple[int, int, int] = _INK) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
