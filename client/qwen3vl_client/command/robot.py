"""`qwen3vl robot check`: whether a robot and its network are fit to be driven."""

import argparse
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from qwen3vl_client.check.base import BadBase, Base, SimulatedBase, find_base
from qwen3vl_client.check.person import AtTerminal, Nobody, say
from qwen3vl_client.check.report import all_passed, as_json, table
from qwen3vl_client.check.run import check
from qwen3vl_client.command.key import NoKeyError, add_key_file, key_of
from qwen3vl_client.rest import RefusedError, Tasks
from qwen3vl_client.sync import SyncRobot

DESCRIPTION = """Moves the robot slowly and little, each time after a person has agreed: whether a positive angular
velocity turns left, whether a commanded metre is one, how quick and how steady the way to the server is, and how soon
the robot stands when the link is cut or its program dies. Exit status 1 where a check failed. Nothing here makes a
robot safe: have a hand at its emergency stop."""
INTERRUPTED = 130


def add(subparsers: Any) -> None:
    """The noun and its verbs."""
    verbs = subparsers.add_parser("robot", help="check a robot").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    parser = verbs.add_parser("check", help="signs, scale, delays, and how soon it stands", description=DESCRIPTION)
    parser.add_argument(
        "url",
        metavar="URL",
        help="http://SERVICE makes a task for the check and removes it; ws://SERVICE/vln/robot/ROBOT takes the robot's",
    )
    add_key_file(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--base", metavar="MODULE:CLASS", help="adapter of the base driver: drive() and odometry()")
    which.add_argument("--simulated", action="store_true", help="a simulated base, to try the check itself")
    parser.add_argument("--yes", action="store_true", help="ask nobody; for a simulated base only")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """Check; the exit status."""
    try:
        key = key_of(options)
        with _made(options) as base, _connected(options.url, key) as robot:
            findings = check(robot, base, Nobody() if options.yes else AtTerminal())
    except (BadBase, NoKeyError, RefusedError, ValueError) as error:
        say(f"qwen3vl robot check: {error}")
        return 2
    except KeyboardInterrupt:
        say("\ninterrupted; the base was told to stand")
        return INTERRUPTED
    print(json.dumps(as_json(findings), indent=2) if options.json else table(findings))
    return 0 if all_passed(findings) else 1


@contextlib.contextmanager
def _made(options: argparse.Namespace) -> Iterator[Base]:
    base: Base = SimulatedBase() if options.simulated else find_base(options.base)
    try:
        if options.yes and not isinstance(base, SimulatedBase):
            raise BadBase("--yes is for a simulated base: beside a real robot somebody must agree to each movement")
        yield base
    finally:
        close = getattr(base, "close", None)
        if callable(close):
            close()


@contextlib.contextmanager
def _connected(url: str, key: str | None) -> Iterator[SyncRobot]:
    if url.startswith(("ws://", "wss://")):
        with SyncRobot(url, key=key) as robot:
            yield robot
        return
    tasks = Tasks(url, key)
    task_id = tasks.create("Stand still: this is a check of the robot.")
    try:
        with SyncRobot(tasks.socket_url(task_id), key=key) as robot:
            yield robot
    finally:
        with contextlib.suppress(RefusedError):
            tasks.delete(task_id)
