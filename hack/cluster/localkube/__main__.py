"""Command line: `python -m localkube up|down|status|kubectl|helm|load-image|build`, as the scripts beside it say."""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from localkube import binaries, current, local, node
from localkube.report import Failure, say, step

BACKENDS = ("local", "current")


def backend() -> str:
    """Which cluster is meant: `$QWEN3VL_CLUSTER`, else `local` on Linux as root, else `current`."""
    default = "local" if platform.system() == "Linux" and os.geteuid() == 0 else "current"
    chosen = os.environ.get("QWEN3VL_CLUSTER") or default
    if chosen not in BACKENDS:
        raise Failure(f"QWEN3VL_CLUSTER={chosen} is no backend", f"say one of: {', '.join(BACKENDS)}")
    return chosen


def _become(program: str, arguments: list[str]) -> NoReturn:
    """Replace this process by kubectl or helm, pointed at the chosen cluster."""
    if backend() == "current":
        os.execv(current.program(program), [program, *arguments])  # noqa: S606 - becoming the program is the point
    binaries.ensure([program])
    environment = os.environ | {"KUBECONFIG": str(local.kubeconfig())}
    os.execve(binaries.path_of(program), [program, *arguments], environment)  # noqa: S606


def _load(archives: list[Path]) -> None:
    if backend() == "current":
        current.load_image()
        return
    for path in archives:
        if not path.is_file():
            raise Failure(f"{path} is no file", "give docker or OCI archives, as hack/images writes them")
        with step(f"loading {path.name}"):
            node.load_image(path)


def main(arguments: list[str]) -> int:
    """Run one command; the exit status is 0 when it did what it says."""
    if arguments[:1] and arguments[0] in ("kubectl", "helm"):
        _become(arguments[0], arguments[1:])
    parser = argparse.ArgumentParser(prog="hack/cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="bring the cluster up; does nothing when it is")
    down = commands.add_parser("down", help="take it away: processes, mounts, links, namespaces, cgroups")
    down.add_argument("--purge", action="store_true", help="remove the state folder with the loaded images too")
    commands.add_parser("status", help="what runs; exit status 1 when something does not")
    commands.add_parser("build", help="only build the programs that are missing").add_argument("programs", nargs="*")
    commands.add_parser("load-image", help="import docker or OCI archives").add_argument(
        "archives", nargs="+", type=Path
    )
    options = parser.parse_args(arguments)
    if options.command == "load-image":
        _load(options.archives)
    elif options.command == "build":
        binaries.ensure(options.programs or None)
    elif backend() == "current":
        if options.command != "down":
            current.up()
        else:
            say("nothing to take down: this cluster is not ours")
    elif options.command == "up":
        local.up()
    elif options.command == "down":
        with step("taking the cluster down"):
            local.down(purge=options.purge)
    elif not local.status():
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        print(f"\n{failure}", file=sys.stderr)
        sys.exit(1)
    except subprocess.TimeoutExpired as late:
        print(f"\n{late}; run the command again", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
