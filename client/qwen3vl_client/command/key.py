"""Where the key of a command comes from. Never from an argument: those are seen by everybody on the machine."""

import argparse
import os
from pathlib import Path

KEY_ENV = "QWEN3VL_ROBOT_KEY"


class NoKeyError(Exception):
    """The file of the key cannot be read, or is empty."""


def add_key_file(parser: argparse.ArgumentParser) -> None:
    """The option."""
    parser.add_argument(
        "--key-file", type=Path, metavar="FILE", help=f"file with the robot's key; default: ${KEY_ENV}, else no key"
    )


def key_of(options: argparse.Namespace) -> str | None:
    """The key, or None where there is none.

    Raises:
        NoKeyError: see there.
    """
    if options.key_file is None:
        return os.environ.get(KEY_ENV) or None
    try:
        key = options.key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NoKeyError(f"--key-file: {error}") from None
    if not key:
        raise NoKeyError(f"--key-file: {options.key_file} is empty")
    return str(key)
