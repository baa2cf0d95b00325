"""Writes the recordings of all tasks: begins and ends their files, keeps the bounds, and gives a task's recording up
when the disk fails. Runs in the recorder's thread; knows no loop."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_vln.recording import messages
from qwen3vl_vln.recording.file import RecordingFile
from qwen3vl_vln.recording.messages import Entry
from qwen3vl_vln.recording.store import RecordingStore, repair

log = logging.getLogger(__name__)

LEAST_FILE_BYTES = 256 * 1024
"""A share of the total bound that is smaller than this is no recording."""


@dataclass
class _Session:
    """The recording of one task that is under way."""

    file: RecordingFile
    start: str
    about: dict[str, Any]
    files: int = 1


@dataclass
class RecordingWriter:
    """See the module.

    Attributes:
        max_file_bytes: a larger file is finished and the next one begun.
        tell: is told of a task's recording: its id, bytes of a file that was finished, and why it was given up.
    """

    store: RecordingStore
    max_file_bytes: int
    tell: Callable[[str, int, str | None], None]
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)

    def begin(self, task_id: str, about: dict[str, Any], at_ns: int) -> None:
        """Begin a recording, unless it is under way.

        Args:
            about: the task's settings, repeated at the beginning of every file.
        """
        if task_id in self._sessions:
            self._sessions[task_id].about = about
            return
        if task_id in self._given_up:
            return
        if self._share(self.store.open_files + 1) < LEAST_FILE_BYTES:
            self._give_up(task_id, f"{self.store.open_files} recordings share {self.store.max_bytes} bytes already")
            return
        start = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at_ns / messages.NANOSECONDS))
        try:
            self._sessions[task_id] = _Session(self._open(task_id, start, about), start, about)
            self.tell(task_id, 0, None)
        except OSError as error:
            self._give_up(task_id, _why(error))

    def add(self, task_id: str, entries: Sequence[Entry]) -> None:
        """Add messages; of no recording they are nothing."""
        session = self._sessions.get(task_id)
        if session is None or not entries:
            return
        try:
            for entry in entries:
                session.file.add(entry)
            self._account(task_id, session, entries[-1].at_ns)
        except OSError as error:
            self._give_up(task_id, _why(error))

    def _account(self, task_id: str, session: _Session, at_ns: int) -> None:
        size = session.file.size_bytes
        self.store.grew(session.file.path, size)
        if size >= min(self.max_file_bytes, self._share(self.store.open_files)):
            self._finish(task_id, session)
            session.file = self._open(task_id, session.start, session.about)
            session.files += 1
            settings = messages.event(at_ns, "continued", f"file {session.files}", 0, task=session.about)
            for entry in settings:
                session.file.add(entry)

    def _share(self, files: int) -> int:
        """How large one of so many open files may be: half of the bound is for what is finished."""
        return self.store.max_bytes // (2 * max(1, files))

    def _open(self, task_id: str, start: str, about: dict[str, Any]) -> RecordingFile:
        path = self.store.add(task_id, start)
        try:
            return RecordingFile(path, {"task_id": task_id, "robot": str(about.get("robot", ""))})
        except OSError:
            self.store.done(path, 0)
            raise

    def _finish(self, task_id: str, session: _Session) -> None:
        session.file.finish()
        self.store.done(session.file.path, session.file.size_bytes)
        self.tell(task_id, session.file.size_bytes, None)

    def end(self, task_id: str) -> None:
        """Finish a recording; another `begin` may follow, also after it was given up."""
        self._given_up.discard(task_id)
        session = self._sessions.pop(task_id, None)
        if session is None:
            return
        try:
            self._finish(task_id, session)
        except OSError as error:
            self._give_up(task_id, _why(error), session)
            self._given_up.discard(task_id)

    def _give_up(self, task_id: str, why: str, session: _Session | None = None) -> None:
        self._given_up.add(task_id)
        session = session or self._sessions.pop(task_id, None)
        if session is not None:
            session.file.abandon()
            with contextlib.suppress(OSError):
                repair(session.file.path)
            self.store.done(session.file.path, session.file.size_bytes)
        log.warning("the recording of task %s is given up: %s", task_id, why)
        self.tell(task_id, 0, why)

    def close(self) -> None:
        """Finish all of them."""
        for task_id in list(self._sessions):
            self.end(task_id)


def _why(error: OSError) -> str:
    return error.strerror or str(error)
