"""The table of faults: run the tests that measure it, show it, and with --write put it into the page about faults."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = "tests/integration/vln/test_fault_matrix.py"
TABLE = ROOT / "out" / "fault-matrix.md"
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- table: hack/faults --write -->\n", "<!-- end of table -->\n"


def with_table(page: str, table: str) -> str:
    """The page with another table between its markers.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN.strip()!r} and {END.strip()!r}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Measure; the exit status of the tests."""
    if unknown := set(arguments) - {"--write"}:
        print(f"hack/faults: {' '.join(unknown)} is not known; there is --write", file=sys.stderr)
        return 2
    TABLE.unlink(missing_ok=True)
    status = subprocess.run([sys.executable, "-m", "pytest", TESTS, "--quiet"], cwd=ROOT).returncode
    if not TABLE.exists():
        return status or 1
    print(TABLE.read_text())
    if "--write" in arguments:
        if status != 0:
            print("hack/faults: the page keeps its table, for a test failed", file=sys.stderr)
            return status
        PAGE.write_text(with_table(PAGE.read_text(), TABLE.read_text()))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
