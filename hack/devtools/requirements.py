"""Print what the named extras of pyproject.toml ask for, one per line: the one list that venvs and images install.

Images are built with this file alone, so it imports nothing but the standard library.
"""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def requirements(extras: Sequence[str]) -> list[str]:
    """What these extras ask for, in their order.

    Raises:
        ValueError: pyproject.toml has no such extra.
    """
    known: dict[str, list[str]] = tomllib.loads(PROJECT.read_text())["project"]["optional-dependencies"]
    for extra in extras:
        if extra not in known:
            raise ValueError(f"pyproject.toml has no extra {extra!r}; it has: {', '.join(known)}")
    return [requirement for extra in extras for requirement in known[extra]]


if __name__ == "__main__":
    try:
        print("\n".join(requirements(sys.argv[1:])))
    except ValueError as unknown:
        sys.exit(str(unknown))
