"""What all tests share: the `figure` fixture, whose measurements are printed at the end of the run,
in whichever process they were taken."""

from dataclasses import asdict
from typing import Any

import hypothesis
import pytest
from tests.support.figures import Figure, Figures

# How long an example takes says something about the machine, and about what else it does.
hypothesis.settings.register_profile("repository", deadline=None)
hypothesis.settings.load_profile("repository")

_FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = Figures()


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Figures:
    """Record a measured figure: `figure("drift repaired", seconds, "s", goal=2)`."""
    return pytestconfig.stash[_FIGURES]


def pytest_sessionfinish(session: pytest.Session) -> None:
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["figures"] = [asdict(one) for one in session.config.stash[_FIGURES].recorded]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    found = getattr(node, "workeroutput", {}).get("figures", [])
    node.config.stash[_FIGURES].recorded += [Figure(**one) for one in found]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[_FIGURES].table()
    if lines:
        terminalreporter.section("figures: measured against goals")
        for line in lines:
            terminalreporter.write_line(line)
