"""`hack/eval`: how well and how safely the whole loop walks. One JSON line; progress goes to standard error."""

import argparse
import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwen3vl_eval import realtime, tables
from qwen3vl_eval.episode import Setting
from qwen3vl_eval.network import Conditions
from qwen3vl_eval.remote import Remote
from qwen3vl_eval.replay import replay
from qwen3vl_eval.run import episodes
from qwen3vl_eval.summary import summary
from qwen3vl_world.lens import LIGHTS, USUAL, Lens

_NO_FAULTS: dict[str, Any] = {
    "invalid_share": 0.0,
    "dead_seconds": 0.0,
    "one_shot": 0,
    "network": Conditions(),
}
KEY_ENV = "QWEN3VL_API_KEY"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = _parser()
    options = parser.parse_args(arguments)
    seeds = range(options.seed, options.seed + options.episodes)
    try:
        setting = _setting(options)
    except ValueError as error:
        parser.error(str(error))
    if options.replay is not None:
        try:
            figures = replay(options.replay, options.fps, options.seed, options.model_seconds)
        except (FileNotFoundError, ValueError) as error:
            parser.error(str(error))
    elif options.tables is not None:
        try:
            figures = tables.write(
                options.tables, options.episodes, options.seed, jobs=options.jobs or os.cpu_count() or 1
            )
        except ValueError as error:
            parser.error(str(error))
    elif options.clock == "real":
        if setting != replace(setting, **_NO_FAULTS):
            parser.error("faults are for the virtual clock; leave them and --delay out")
        figures = summary(asyncio.run(realtime.episodes(seeds, setting)))
    else:
        # A real model's seconds are its own only while nobody else asks it.
        jobs = options.jobs or (1 if setting.remote else os.cpu_count() or 1)
        figures = summary(episodes(seeds, setting, jobs=jobs))
    print(json.dumps(figures) if options.json else json.dumps(figures, indent=2))


def _setting(options: argparse.Namespace) -> Setting:
    network = Conditions(options.delay, frame_loss=options.frame_loss, answer_loss=options.answer_loss)
    return Setting(
        options.model_seconds,
        options.invalid_share,
        options.model_dead_seconds,
        options.one_shot,
        network,
        options.deadline,
        Lens(options.camera_height, options.pitch, options.fov, options.light),
        options.walker == "yields",
        options.vary,
        _remote(options),
    )


def _remote(options: argparse.Namespace) -> Remote | None:
    if (options.model_url is None) != (options.model is None):
        raise ValueError("--model-url and --model belong together")
    if options.model_url is None:
        return None
    if not options.model_url.startswith(("http://", "https://")):
        raise ValueError(f"--model-url is an address such as http://localhost:8000/v1, not {options.model_url!r}")
    return Remote(options.model_url, options.model, options.key or os.environ.get(KEY_ENV))


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not a time between 0 and 3600 seconds")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 30:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.1 and 30 pictures a second")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hack/eval", description=__doc__)
    parser.add_argument("--episodes", type=_count, default=20, help="how many walks, each in a building of its own")
    parser.add_argument("--seed", type=int, default=1, help="of the first walk; each further one has the next number")
    parser.add_argument("--json", action="store_true", help="the figures in one line")
    parser.add_argument("--jobs", type=_count, help="processes side by side; default: one a core, or 1 for --model-url")
    parser.add_argument("--model-seconds", type=_seconds, default=0.3, help="what a model call takes")
    parser.add_argument("--invalid-share", type=_share, default=0.0, help="of the model's answers that are no plan")
    parser.add_argument("--model-dead-seconds", type=_seconds, default=0.0, help="the model refuses all calls so long")
    parser.add_argument("--one-shot", type=int, default=0, metavar="K", help="after a plan the model fails K calls")
    parser.add_argument("--delay", type=_seconds, default=0.01, help="seconds of the network, each way")
    parser.add_argument("--frame-loss", type=_share, default=0.0, help="of the robot's messages")
    parser.add_argument("--answer-loss", type=_share, default=0.0, help="of the answers")
    parser.add_argument("--deadline", type=_seconds, default=300.0, help="seconds until a walk is given up")
    parser.add_argument("--camera-height", type=float, default=USUAL.height_metres, help="metres above the floor")
    parser.add_argument("--pitch", type=float, default=USUAL.pitch_degrees, help="degrees that the camera looks down")
    parser.add_argument("--fov", type=float, default=USUAL.fov_degrees, help="degrees from left edge to right edge")
    parser.add_argument("--light", choices=tuple(LIGHTS), default=USUAL.light, help="brightness and colour")
    parser.add_argument("--walker", choices=("yields", "blind"), default="yields", help="who walks there, if anybody")
    parser.add_argument("--vary", action="store_true", help="draw camera, light and walker for each seed")
    parser.add_argument("--model-url", metavar="URL", help="let a real model answer, at an OpenAI-compatible address")
    parser.add_argument("--model", metavar="NAME", help="of the model at --model-url")
    parser.add_argument("--key", help=f"for --model-url; better in the variable {KEY_ENV}, where nobody else sees it")
    parser.add_argument("--clock", choices=("virtual", "real"), default="virtual", help="real: over the network")
    parser.add_argument(
        "--tables", type=Path, nargs="?", const=PAGE, help="run all conditions and write them into the page"
    )
    parser.add_argument("--replay", type=Path, metavar="DIR", help="send the .jpg files below DIR instead of walking")
    parser.add_argument("--fps", type=_rate, default=10.0, help="pictures a second of --replay")
    return parser


if __name__ == "__main__":
    main()
