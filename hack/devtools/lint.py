"""Style, types, import layers, stale generated files. Runs all checks; fails when one of them did."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHEBANG = re.compile(r"#!\s*/(?:usr/)?bin/(?:env )?(?P<program>.*)")
CHART = "charts/qwen3vl"


def interpreter(file: Path) -> str:
    """The line after `#!` without the path of a folder for programs; empty for a file that is no script."""
    with file.open("rb") as opened:
        first = opened.readline(200).decode(errors="replace")
    found = SHEBANG.match(first)
    return found["program"].strip() if found else ""


def files() -> list[Path]:
    """Every tracked or new file of the repository, relative to its root."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in names.split("\0") if name and (ROOT / name).is_file()]


def shell_scripts() -> list[str]:
    """What bash has to read, relative to the root."""
    return [str(file) for file in files() if re.match(r"(ba)?sh\b", interpreter(ROOT / file))]


def checks() -> Iterator[tuple[str, list[str]]]:
    """Each check's name and command; one that cannot be made here is left out."""
    yield "ruff: lint", ["ruff", "check", "--quiet", "."]
    yield "ruff: format", ["ruff", "format", "--quiet", "--check", "."]
    yield "mypy --strict", ["mypy"]
    yield "import layers", ["lint-imports"]
    # One at a time: of several names bash takes the first alone for a script.
    yield (
        "shell syntax",
        ["bash", "-c", 'for each; do bash -n "$each" || bad=1; done; exit ${bad:-0}', "", *shell_scripts()],
    )
    yield "generated files are fresh", ["hack/generate", "--check"]
    if os.geteuid() == 0 or shutil.which("helm"):
        yield "helm lint", ["hack/cluster/helm", "lint", "--set", "global.imageRegistry=registry.example", CHART]


def main() -> int:
    """Run them; 0 when nothing is to complain about."""
    failed = []
    for name, command in checks():
        print(f"-- {name}", flush=True)
        if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
            failed.append(name)
    if failed:
        print(*(f"failed: {name}" for name in failed), sep="\n", file=sys.stderr)
        return 1
    print("lint: nothing to complain about")
    return 0


if __name__ == "__main__":
    sys.exit(main())
