"""The tables and the picture of docs/evaluation.md: the same seeds under each condition, against none at all."""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qwen3vl_eval.drawing import write_sheet
from qwen3vl_eval.episode import Episode, Setting
from qwen3vl_eval.network import Conditions
from qwen3vl_eval.run import episodes
from qwen3vl_eval.summary import paired, summary
from qwen3vl_world.lens import Lens

BEGIN, END = "<!-- hack/eval --tables writes from here -->", "<!-- to here -->"
ZERO = "model answers at once"
USUAL = "model takes 0.3 s"
SETTINGS = {
    ZERO: Setting(model_seconds=0.0),
    USUAL: Setting(),
    "model takes 1 s": Setting(model_seconds=1.0),
    "model takes 3 s": Setting(model_seconds=3.0),
    "10 % of its answers invalid": Setting(invalid_share=0.1),
    "20 % of the frames lost": Setting(network=Conditions(frame_loss=0.2)),
    "model dead for 10 s": Setting(dead_seconds=10.0),
    "silent for 3 calls after each plan": Setting(one_shot=3),
}
SLOW_COUNT = 40
SLOW = {
    "model takes 5 s": Setting(model_seconds=5.0, most_seconds=600.0),
    "model takes 8 s": Setting(model_seconds=8.0, most_seconds=600.0),
}
"""Deadline 600 s; their success is reported, and nothing is asked of it."""
WORLD_COUNT = 20
WORLDS = {
    "as the policy knows it": Setting(),
    "camera 0.30 m above the floor": Setting(lens=Lens(height_metres=0.30)),
    "camera 0.60 m above the floor": Setting(lens=Lens(height_metres=0.60)),
    "camera looks 5 degrees down": Setting(lens=Lens(pitch_degrees=5.0)),
    "camera sees 75 degrees": Setting(lens=Lens(fov_degrees=75.0)),
    "dim light": Setting(lens=Lens(light="dim")),
    "warm light": Setting(lens=Lens(light="warm")),
    "somebody walks there who does not look": Setting(yields=False),
    "all of it, drawn for each seed": Setting(vary=True),
}
_WALKING = ("success", "oracle success", "false goals", "SPL", "seconds", "pauses")
_TOUCHING = ("collisions", "per metre (95 %)", "collide, of those that did not at once", "largest blind distance")


def write(page: Path, count: int, seed: int, *, jobs: int) -> dict[str, Any]:
    """Run all conditions and put what came of them into the page; the figures of each. Slow models and other worlds get
    at most 40 and 20 walks.

    Raises:
        ValueError: the page has no place for them.
    """
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has not the lines {BEGIN!r} and {END!r}")
    seeds = range(seed, seed + count)
    runs = {name: episodes(seeds, setting, jobs=jobs, title=f"{name}: ") for name, setting in SETTINGS.items()}
    few = {
        **{name: _first(seeds, SLOW_COUNT, setting, name, jobs) for name, setting in SLOW.items()},
        **{name: _first(seeds, WORLD_COUNT, setting, name, jobs) for name, setting in WORLDS.items()},
    }
    picture = page.with_suffix(".png")
    write_sheet(picture, runs, USUAL)
    slow, worlds = ({name: few[name] for name in names} for names in (SLOW, WORLDS))
    parts = [tables(runs, count, seed), short_table(slow, "Slow models, deadline 600 s")]
    parts.append(short_table(worlds, "Another world than the policy knows"))
    between = "\n".join([BEGIN, "", *parts, END])
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: between, text, flags=re.DOTALL), encoding="utf-8")
    print(f"wrote {page} and {picture}", file=sys.stderr)
    paired_runs = {name: {"paired_collisions": paired(runs[ZERO], run)} for name, run in runs.items()}
    return {name: summary(run) | paired_runs.get(name, {}) for name, run in (runs | few).items()}


def _first(seeds: range, count: int, setting: Setting, name: str, jobs: int) -> list[Episode]:
    return episodes(seeds[:count], setting, jobs=jobs, title=f"{name}: ")


def short_table(runs: Mapping[str, Sequence[Episode]], title: str) -> str:
    """One table with what matters where no success is asked for: did it arrive, did it lie, did it hit anything."""
    columns = ("success", "false goals", "walks with a collision", "largest blind distance", "seconds")
    lines = [_row("condition", columns), _rule(len(columns) + 1)]
    for name, run in runs.items():
        one = summary(run)
        success, hit = round(one["success_rate"] * len(run)), len(one["collided_seeds"])
        blind = f"{one['max_blind_metres']:.2f} m"
        lines.append(_row(name, (f"{success} of {len(run)}", one["false_goals"], hit, blind, one["mean_seconds"])))
    return "\n".join([f"{title}:", "", *lines, ""])


def tables(runs: Mapping[str, Sequence[Episode]], count: int, seed: int) -> str:
    """Both tables as Markdown."""
    figures = {name: summary(run) for name, run in runs.items()}
    walking = [_row("condition", _WALKING), _rule(len(_WALKING) + 1)]
    touching = [_row("condition", _TOUCHING), _rule(len(_TOUCHING) + 1)]
    for name, one in figures.items():
        low, high = one["collisions_per_metre_interval"]
        shares = f"{one['success_rate']:.1%}", f"{one['oracle_success_rate']:.1%}"
        walking.append(
            _row(name, (*shares, one["false_goals"], f"{one['spl']:.3f}", one["mean_seconds"], one["pauses"]))
        )
        rate = f"{one['collisions_per_metre']:.4f} ({low:.4f} to {high:.4f})"
        pairs = "" if name == ZERO else f"{paired(runs[ZERO], runs[name]):.1%}"
        touching.append(_row(name, (one["collisions"], rate, pairs, f"{one['max_blind_metres']:.2f} m")))
    metres = sum(one["metres"] for one in figures.values())
    intro = f"{count} walks a condition, seeds {seed} to {seed + count - 1}; {metres:.0f} m in all."
    return "\n".join([intro, "", *walking, "", *touching, ""])


def _row(name: str, cells: Sequence[object]) -> str:
    return "| " + " | ".join([name, *(str(cell) for cell in cells)]) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns
