"""What kopf logs of its watches: counted by namespace, and one line a minute of it."""

import inspect
import logging

import pytest
from kopf._cogs.clients import api, watching

from qwen3vl_operator.kopf_watch_log import LOGGER, WatchLog

HOST = "https://10.96.0.1:443"
CUSTOM = f"{HOST}/apis/qwen3vl.io/v1alpha1"


class Told:
    """A WatchLog, its clock, and what it let through."""

    def __init__(self, *, verbose: bool = False) -> None:
        self.restarts: list[str] = []
        self.now = 1000.0
        self.filter = WatchLog(self.restarts.append, verbose=verbose, now=lambda: self.now)

    def log(self, level: int, message: str) -> tuple[str, str] | None:
        """Level and text of the line that is written, None when none is."""
        record = logging.LogRecord(LOGGER, level, "", 0, message, (), None)
        return (record.levelname, record.getMessage()) if self.filter.filter(record) else None

    def failed(self, url: str, why: str = "TimeoutError()", attempt: str = "#4") -> tuple[str, str] | None:
        return self.log(logging.ERROR, f"Request attempt {attempt} failed; will retry: GET {url} -> {why}")


def test_this_kopf_logs_where_and_what_is_read_here() -> None:
    assert watching.logger.name == LOGGER
    assert 'f"Restarting the watch-stream for {resource} {where}."' in inspect.getsource(watching)
    assert 'f"Watch-stream for {resource} {where} is inactive, reconnecting."' in inspect.getsource(watching)
    assert 'f"Request attempt {idx} failed; will retry: {what} -> {e!r}"' in inspect.getsource(api)


@pytest.mark.parametrize(
    ("url", "namespace", "said"),
    [
        (f"{CUSTOM}/namespaces/robots/visionmodels?limit=500", "robots", "visionmodels in namespace robots"),
        (f"{HOST}/api/v1/namespaces/robots/pods?watch=true&labelSelector=a%2Fb", "robots", "pods in namespace robots"),
        (f"{CUSTOM}/visionmodels?watch=true", "", "visionmodels in the cluster"),
    ],
)
def test_a_failure_is_counted_and_told_as_a_warning(url: str, namespace: str, said: str) -> None:
    told = Told()
    line = told.failed(url)
    assert line == ("WARNING", f"watching {said} fails, and is tried again: TimeoutError()")
    assert told.restarts == [namespace]


def test_a_namespace_that_is_gone_is_one_line_a_minute_and_says_how_many_failures_there_were() -> None:
    told = Told()
    lines = []
    for _ in range(90):
        for plural in ("visionmodels", "navtasks"):
            lines.append(told.failed(f"{CUSTOM}/namespaces/gone/{plural}?limit=500"))
        told.now += 1
    written = [line for line in lines if line is not None]
    assert len(written) == 2
    assert "119 more failures there" in written[1][1]
    assert told.restarts == ["gone"] * 180
    assert told.failed(f"{CUSTOM}/namespaces/other/visionmodels?limit=500") is not None, "another one is not silenced"


def test_the_apiservers_own_words_are_told_instead_of_an_exceptions_repr() -> None:
    class Forbidden(Exception):
        message = 'visionmodels is forbidden: User "u" cannot list resource'

    told = Told()
    try:
        raise Forbidden({"kind": "Status"})
    except Forbidden as error:
        line = told.failed(f"{CUSTOM}/namespaces/gone/visionmodels?limit=500", repr(error))
    assert line is not None
    assert line[1].endswith("again: " + Forbidden.message)


@pytest.mark.parametrize(
    ("message", "namespace"),
    [
        ("Restarting the watch-stream for visionmodels.v1alpha1.qwen3vl.io in 'robots'.", "robots"),
        ("Watch-stream for pods.v1 in 'robots' is inactive, reconnecting.", "robots"),
        ("Restarting the watch-stream for visionmodels.v1alpha1.qwen3vl.io cluster-wide.", ""),
    ],
)
def test_a_watch_begun_again_is_counted_and_not_logged(message: str, namespace: str) -> None:
    told = Told()
    assert told.log(logging.DEBUG, message) is None
    assert told.restarts == [namespace]


def test_other_lines_pass_as_they_are_and_debug_ones_when_asked_for() -> None:
    said = "Ignoring an unsupported event type: {}"
    assert Told().log(logging.WARNING, said) == ("WARNING", said)
    assert Told().log(logging.DEBUG, "Stopping the watch-stream for pods.v1 in 'robots'.") is None
    assert Told(verbose=True).log(logging.DEBUG, "Stopping it.") == ("DEBUG", "Stopping it.")


def test_installed_it_hears_debug_lines_although_kopf_is_quiet_and_removed_it_does_not() -> None:
    told, logger = Told(), logging.getLogger(LOGGER)
    kopf_logger = logging.getLogger("kopf")
    before = kopf_logger.level
    kopf_logger.setLevel(logging.WARNING)
    try:
        told.filter.install()
        logger.debug("Restarting the watch-stream for pods.v1 in 'robots'.")
        told.filter.remove()
        logger.debug("Restarting the watch-stream for pods.v1 in 'robots'.")
    finally:
        kopf_logger.setLevel(before)
    assert told.restarts == ["robots"]
