"""The order in which the parts of the test suite run, and the summary at their end. A failing part does not hide what
the later ones have to say; the exit status is that of the whole. A part over its budget of minutes is told, not failed:
how long it takes depends on the machine too."""

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
BUDGET_MINUTES = {"lint": 4, "unit": 4, "integration": 24, "e2e": 22}
"""The parts that run when none is named, in their order, and how long each may take."""
GOAL_SECONDS = {"unit": 60}
"""What a part should take on a quiet machine of two cores: a figure beside the others, and no test that fails."""
ALL_CORES = ("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal")
UPGRADE_TESTS = "tests/upgrade"
CLUSTER_PARTS = ("e2e", "upgrade")


@dataclass(frozen=True)
class OptIn:
    """A part that runs only when it is named: what it does, how long it takes and what it leaves on the disk."""

    does: str
    minutes: int
    disk: str

    def sentence(self) -> str:
        return f"It {self.does}; about {self.minutes} minutes, {self.disk} of disk."


OPT_IN = {
    "bench": OptIn("runs each bench once, small, and prints its line of JSON", 3, "no more than a few MB"),
    "fuzz": OptIn(
        "sends random requests to the gateway for ten minutes (QWEN3VL_GATEWAY_FUZZ_SECONDS), then tries ten more"
        " random sequences of what happens to models against a new installation (or QWEN3VL_FUZZ_SEEDS)",
        30,
        "about 200 MB",
    ),
    "upgrade": OptIn(
        "installs the release before into a local cluster, upgrades it while a model serves and a robot walks, and"
        " compares what stayed",
        20,
        "about 10 GB (cluster and images of both versions)",
    ),
    "clients": OptIn(
        "lets litellm, langchain-openai and Java's HttpClient ask the gateway, and installs them first",
        5,
        "about 1 GB (an environment of their own, and a JDK where there is none)",
    ),
}
FUZZ_TESTS = "tests/integration/operator/test_convergence.py"
FUZZ_SEEDS = "2-11"
GATEWAY_FUZZ_TESTS = tuple(
    f"tests/integration/gateway/test_{name}.py" for name in ("raw_http_fuzz", "json_fuzz", "described_api")
)
GATEWAY_FUZZ_SECONDS = "600"
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
        budget = budget_minutes(self.part)
        over = self.seconds / 60 - budget
        late = f"OVER ITS BUDGET by {over:.1f} minutes; " if over > 0 else ""
        figures = f"{_goal(self.part, self.seconds)}{late}{self.figure}"
        return f"{self.part:<12} {verdict:<7} {_minutes(self.seconds, budget)}  {figures}".rstrip()


def budget_minutes(part: str) -> int:
    """How long a part may take."""
    return OPT_IN[part].minutes if part in OPT_IN else BUDGET_MINUTES[part]


def _goal(part: str, seconds: float) -> str:
    if part not in GOAL_SECONDS:
        return ""
    goal = GOAL_SECONDS[part]
    return f"{seconds:.0f} s, goal <= {goal} s: {'met' if seconds <= goal else 'missed'}; "


def _minutes(seconds: float, budget: int) -> str:
    return f"{seconds / 60:5.1f} of {budget:2} minutes"


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts in their fixed order, and what goes to pytest.

    Raises:
        ValueError: a part that does not exist, or has no tests yet.
    """
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    named, pytest = list(arguments[:cut]), list(arguments[cut + 1 :])
    known = [*BUDGET_MINUTES, *OPT_IN]
    if unknown := set(named) - set(known):
        there = f"{' '.join(BUDGET_MINUTES)}, and when named: {' '.join(OPT_IN)}"
        raise ValueError(f"no part {', '.join(sorted(unknown))}; there are: {there}")
    if "upgrade" in named and not (ROOT / UPGRADE_TESTS).is_dir():
        raise ValueError(f"the part upgrade needs the folder {UPGRADE_TESTS}, which this checkout does not have")
    return [part for part in known if part in (named or BUDGET_MINUTES)], pytest


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
    if part == "fuzz":
        seeds = f"QWEN3VL_FUZZ_SEEDS={os.environ.get('QWEN3VL_FUZZ_SEEDS', FUZZ_SEEDS)}"
        seconds = os.environ.get("QWEN3VL_GATEWAY_FUZZ_SECONDS", GATEWAY_FUZZ_SECONDS)
        gateway = [
            "env",
            f"QWEN3VL_GATEWAY_FUZZ_SECONDS={seconds}",
            sys.executable,
            "-m",
            "pytest",
            *GATEWAY_FUZZ_TESTS,
        ]
        programs = ["etcd", "kube-apiserver", "kube-controller-manager"]
        return [
            [*gateway, "--timeout=3600", "--durations=5", *arguments],
            ["hack/cluster/build", *programs],
            ["env", seeds, sys.executable, "-m", "pytest", FUZZ_TESTS, "--durations=5", *arguments],
        ]
    if part == "bench":
        return [[sys.executable, "-P", "-m", "hack.devtools.benches"]]
    if part == "clients":
        return [_pytest(part, arguments)]
    if part in CLUSTER_PARTS:
        return [["hack/cluster/up"], ["hack/images"], _pytest(part, arguments)]
    return [_pytest(part, [*ALL_CORES, *arguments])]


def run_part(part: str, arguments: Sequence[str]) -> Result:
    """Run one part up to its first failing step."""
    _say(f"\n=== {part} " + "=" * (70 - len(part)))
    if part in OPT_IN:
        _say(OPT_IN[part].sentence())
    started = time.monotonic()
    status, figure = 0, ""
    # What was up stays up, but on a machine of continuous integration nothing is left.
    take_down = part in CLUSTER_PARTS and (os.environ.get("CI") == "true" or not _cluster_is_up())
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
    return Result(part, status, time.monotonic() - started, figure)


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
    seconds, budget = sum(result.seconds for result in results), sum(map(budget_minutes, parts))
    _say(f"{'together':<20} {_minutes(seconds, budget)}")
    return int(any(result.status for result in results))


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
