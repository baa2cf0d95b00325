"""The order in which the parts of the test suite run, and the summary at their end. A failing part does not hide what
the later ones have to say; the exit status is that of the whole."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("lint", "unit", "integration", "e2e")
UNIT_GOAL_SECONDS = 60
CLOSING_LINE = re.compile(r"=+ (.*\b(?:passed|failed|error|errors|no tests ran|skipped|deselected)\b.*) =+")


@dataclass(frozen=True)
class Result:
    """How one part ended. `figure` is pytest's closing line or the step that failed."""

    part: str
    status: int
    seconds: float
    figure: str

    def line(self) -> str:
        verdict = "ok" if self.status == 0 else "FAILED"
        return f"{self.part:<12} {verdict:<7} {self.seconds:7.1f} s  {self.figure}"


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts in their fixed order, and what goes to pytest.

    Raises:
        ValueError: a part that does not exist.
    """
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    named, pytest = list(arguments[:cut]), list(arguments[cut + 1 :])
    if unknown := set(named) - set(PARTS):
        raise ValueError(f"no part {', '.join(sorted(unknown))}; there are: {' '.join(PARTS)}")
    return [part for part in PARTS if part in named or not named], pytest


def closing_line(text: str) -> str | None:
    """The figures of pytest's last line, where this line is it."""
    found = CLOSING_LINE.fullmatch(text.strip())
    return found.group(1) if found else None


def _say(text: str) -> None:
    print(text, flush=True)


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Run a command, showing its output as it comes; return its status and pytest's closing line, if any."""
    figure = ""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    ) as process:
        try:
            for line in process.stdout or ():
                sys.stdout.write(line)
                sys.stdout.flush()
                figure = closing_line(line) or figure
        except BaseException:
            # Fixtures have something to take down: the child hears of the end first.
            process.send_signal(signal.SIGINT)
            process.wait(120)
            raise
        return process.wait(), figure


def _pytest(part: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", f"tests/{part}", "--durations=5", *arguments]


def _steps(part: str, arguments: Sequence[str]) -> list[list[str]]:
    """The commands of one part, in order."""
    if part == "lint":
        return [["hack/lint"]]
    if part == "integration":
        return [["hack/cluster/build", "etcd", "kube-apiserver"], _pytest(part, arguments)]
    if part == "e2e":
        return [["hack/cluster/up"], ["hack/images"], _pytest(part, arguments)]
    return [_pytest(part, arguments)]


def run_part(part: str, arguments: Sequence[str]) -> Result:
    """Run one part up to its first failing step."""
    _say(f"\n=== {part} " + "=" * (70 - len(part)))
    started = time.monotonic()
    status, figure = 0, ""
    # What was up stays up, but on a machine of continuous integration nothing is left.
    take_down = part == "e2e" and (os.environ.get("CI") == "true" or not _cluster_is_up())
    try:
        for command in _steps(part, arguments):
            status, figure = _run(command)
            if status != 0:
                figure = figure or f"{' '.join(command)} ended with {status}"
                break
    finally:
        if take_down:
            down, _ = _run(["hack/cluster/down"])
            if down != 0:
                status, figure = status or down, f"{figure}; hack/cluster/down ended with {down}"
    seconds = time.monotonic() - started
    if part == "unit" and seconds > UNIT_GOAL_SECONDS:
        figure += f" (goal: under {UNIT_GOAL_SECONDS} s)"
    return Result(part, status, seconds, figure)


def _cluster_is_up() -> bool:
    return subprocess.run([ROOT / "hack/cluster/status"], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Run the parts and print the summary; 0 when all passed."""
    try:
        parts, pytest = split(arguments)
    except ValueError as wrong:
        _say(f"hack/test: {wrong}")
        return 2
    results = [run_part(part, pytest) for part in parts]
    _say("\n=== summary " + "=" * 63)
    for result in results:
        _say(result.line())
    _say(f"{'all parts':<20} {sum(result.seconds for result in results):7.1f} s")
    return int(any(result.status for result in results))


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
