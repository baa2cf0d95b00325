"""What all tests share: the `figure` fixture, whose measurements are printed at the end of the run."""

import pytest
from tests.support.figures import Figures

_FIGURES = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = Figures()


@pytest.fixture(scope="session")
def figure(pytestconfig: pytest.Config) -> Figures:
    """Record a measured figure: `figure("drift repaired", seconds, "s", goal=2)`."""
    return pytestconfig.stash[_FIGURES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[_FIGURES].table()
    if lines:
        terminalreporter.section("figures: measured against goals")
        for line in lines:
            terminalreporter.write_line(line)
