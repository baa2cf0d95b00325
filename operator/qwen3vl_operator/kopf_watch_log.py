"""kopf tells nobody that a watch failed or was begun again; it logs it. This reads that log, counts, and shortens it.

kopf's client logs each failed request ("Request attempt #3 failed; will retry: GET https://…"), for ever and for each
of ten kinds when a namespace is gone: here one line a minute a namespace is let through, as a warning. At debug level
it logs that a watch is begun anew because its version is too old (410) or nothing came for long. A watch that the
apiserver ends at its time-out is continued without a word, and is no restart."""

import logging
import re
import sys
import time
from collections.abc import Callable

from qwen3vl_operator.kube.log_limiter import LogLimiter

LOGGER = "kopf._cogs.clients.watching"
"""Where kopf 1.45 logs what becomes of lists and watches; a test runs kopf and says when this is no longer so."""
MAX_WORDS = 500

_FAILED = re.compile(r"Request attempt #\S+ failed; .*?: GET (?P<url>\S+)(?: -> (?P<error>.*))?", re.DOTALL)
_BEGUN_AGAIN = re.compile(r"Restarting the watch-stream for |Watch-stream for .* is inactive")
_IN_NAMESPACE = re.compile(r" in '(?P<namespace>[^']*)'")
_URL = re.compile(r"/(?:namespaces/(?P<namespace>[^/?]+)/)?(?P<plural>[^/?]+)(?:\?.*)?$")


class WatchLog(logging.Filter):
    """For kopf's logger: see the module.

    Args:
        on_restart: told the namespace of each failed attempt and each watch begun again; empty for a cluster-wide one.
        on_again: told the namespace of each watch begun again alone.
        verbose: let through kopf's debug lines.
        now: monotonic seconds.
    """

    def __init__(
        self,
        on_restart: Callable[[str], None],
        *,
        on_again: Callable[[str], None] = lambda namespace: None,
        verbose: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._on_restart, self._on_again, self._verbose, self._now = on_restart, on_again, verbose, now
        self._limiter = LogLimiter()

    def install(self) -> None:
        """Have kopf log to this what it needs, whatever level its other parts log at."""
        logger = logging.getLogger(LOGGER)
        logger.setLevel(logging.DEBUG)
        logger.addFilter(self)

    def remove(self) -> None:
        logger = logging.getLogger(LOGGER)
        logger.removeFilter(self)
        logger.setLevel(logging.NOTSET)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is logged; a failure is put into our words."""
        message = record.getMessage()
        if failed := _FAILED.match(message):
            return self._failed(record, failed)
        if _BEGUN_AGAIN.match(message):
            found = _IN_NAMESPACE.search(message)
            namespace = found["namespace"] if found else ""
            self._on_restart(namespace)
            self._on_again(namespace)
        return self._verbose or record.levelno > logging.DEBUG

    def _failed(self, record: logging.LogRecord, failed: re.Match[str]) -> bool:
        place = _URL.search(failed["url"])
        namespace, plural = (place["namespace"] or "", place["plural"]) if place else ("", failed["url"])
        self._on_restart(namespace)
        left_out = self._limiter.left_out(namespace, self._now())
        if left_out is None:
            return False
        where = f"in namespace {namespace}" if namespace else "in the cluster"
        others = f"; {left_out} more failures there since the last such line" if left_out else ""
        # kopf logs while it handles the error; its repr in the line repeats the apiserver's words three times.
        error = sys.exc_info()[1]
        said = getattr(error, "message", None) or failed["error"] or "the connection was closed"
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        record.msg, record.args = f"watching {plural} {where} fails, and is tried again: {said[:MAX_WORDS]}{others}", ()
        return True
