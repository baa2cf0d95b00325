"""`qwen3vl record`: recordings of tasks, listed, fetched, summed up, taken apart and understood again."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwen3vl_client.command.key import NoKeyError, add_key_file, key_of
from qwen3vl_client.recorded.export import export
from qwen3vl_client.recorded.read import Message, Recording, UnreadableError
from qwen3vl_client.recorded.replay import installed_parser, replay, shown
from qwen3vl_client.recorded.summary import Summary, table
from qwen3vl_client.rest import RefusedError, Tasks

REPLAY = """Understands the recorded words of the model again, with the parser that is installed now, and prints what
comes out otherwise. Exit status 1 when anything does. It speaks to no robot and to no server."""


def add(subparsers: Any) -> None:
    """The noun and its verbs."""
    verbs = subparsers.add_parser("record", help="recordings of tasks").add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    info = verbs.add_parser("info", help="what is in a recording")
    _add_files(info, run_info)
    info.add_argument("--json", action="store_true", help="print JSON instead of a table")
    out = verbs.add_parser("export", help="pictures as JPEG, everything else as lines of JSON")
    _add_files(out, run_export)
    out.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    again = verbs.add_parser("replay", help="understand the model's words again", description=REPLAY)
    _add_files(again, run_replay)
    again.add_argument("--profile", help="form of answers instead of the recorded one: waypoints or actions")
    again.add_argument(
        "--reverse", action=argparse.BooleanOptionalAction, help="whether plans may drive backwards; default: as then"
    )
    listing = verbs.add_parser("list", help="the recordings of a task on a server")
    _add_server(listing, run_list)
    fetching = verbs.add_parser("fetch", help="download the recordings of a task")
    _add_server(fetching, run_fetch)
    fetching.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="default: here")


def _add_files(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files of one task, in their order")
    parser.set_defaults(run=_guarded(run))


def _add_server(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument("url", metavar="URL", help="http://SERVICE of the VLN API")
    parser.add_argument("task", metavar="TASK", help="id of the task")
    add_key_file(parser)
    parser.set_defaults(run=_guarded(run))


def _guarded(run: Any) -> Any:
    def guarded(options: argparse.Namespace) -> int:
        try:
            return int(run(options))
        except (UnreadableError, NoKeyError, RefusedError, OSError, ValueError) as error:
            print(f"qwen3vl record {options.verb}: {error}", file=sys.stderr)
            return 2
        except KeyError as error:
            print(f"qwen3vl record {options.verb}: a message has no {error}: another program's file?", file=sys.stderr)
            return 2

    return guarded


def _messages(files: list[Path], *topics: str) -> Iterator[Message]:
    for path in files:
        recording = Recording(path)
        yield from recording.messages(*topics)
        if recording.cut:
            print(f"{path}: its end was cut off; what is there was read", file=sys.stderr)


def run_info(options: argparse.Namespace) -> int:
    """Sum up."""
    summary = Summary()
    summary.take(_messages(options.files))
    print(json.dumps(summary.as_json(), indent=2) if options.json else table(summary))
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Take apart."""
    folder: Path = options.to
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--to {folder} is there already; name a new or an empty folder")
    counts = export(_messages(options.files), folder)
    print(", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing is in it")
    return 0


def run_replay(options: argparse.Namespace) -> int:
    """Understand again; 1 when something differs."""
    understand = installed_parser(profile=options.profile, reverse=options.reverse)
    texts = differing = 0
    for difference in replay(_messages(options.files, "/model"), understand):
        texts += 1
        if difference is not None:
            differing += 1
            print(shown(difference))
    print(f"{texts} texts of the model, {differing} are understood otherwise now")
    return 1 if differing else 0


def run_list(options: argparse.Namespace) -> int:
    """Print names, sizes and beginnings."""
    for one in Tasks(options.url, key_of(options)).recordings(options.task):
        unfinished = "" if one["finished"] else "  unfinished"
        print(f"{one['name']}  {one['bytes']:>11} bytes  {one['begin']}{unfinished}")
    return 0


def run_fetch(options: argparse.Namespace) -> int:
    """Download all files of a task; print their paths."""
    tasks = Tasks(options.url, key_of(options))
    options.to.mkdir(parents=True, exist_ok=True)
    for one in tasks.recordings(options.task):
        path = options.to / f"{options.task}-{Path(one['name']).name}"
        tasks.download(options.task, one["name"], path)
        print(path)
    return 0
