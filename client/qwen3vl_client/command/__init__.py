"""The command line `qwen3vl`: one module for each noun, each with `add(subparsers)`."""

import argparse
import sys

from qwen3vl_client.command import record, robot

NOUNS = (robot, record)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; ends the program with 0, with 1 where something failed, with 2 where the request is wrong."""
    parser = argparse.ArgumentParser(prog="qwen3vl", description="Tools for people who let robots walk by a model.")
    nouns = parser.add_subparsers(dest="noun", required=True, metavar="NOUN")
    for module in NOUNS:
        module.add(nouns)
    options = parser.parse_args(arguments)
    sys.exit(options.run(options))
