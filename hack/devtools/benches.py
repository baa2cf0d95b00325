"""All benches once, as small as they say anything: whether they run, and a first look at their figures.

The figures of a small run on a busy machine are no measurement; each bench by itself is (`docs/development.md`).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    ("hack/bench/gateway", "--json", "--seconds", "2", "--streams", "0"),
    ("hack/bench/overlay", "--rounds", "2", "--seconds", "2"),
    ("hack/bench/vln", "--json", "--robots", "2", "--seconds", "5"),
    ("hack/bench/operator", "--json", "--models", "20"),
    ("hack/eval", "--json", "--episodes", "2"),
)


def main() -> int:
    """Run each, whatever the others did, and print its command and its line; 1 when one failed."""
    failed = []
    for command in COMMANDS:
        print("$", *command, flush=True)
        if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
            failed.append(command[0])
    if failed:
        print(f"no valid run: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
