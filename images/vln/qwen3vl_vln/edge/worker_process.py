"""Keeps one worker process running: starts it, ends it when it hangs, and starts it again, later each time when it dies
young. What is said to it is not known here."""

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from qwen3vl_vln.ipc.channel import EdgeEnd
from qwen3vl_vln.ipc.messages import decode_to_edge

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
HUNG_SECONDS = 15.0
"""After this long without a word a worker is ended and started again; its start takes a few seconds."""
FIRST_RESTART_SECONDS, LONGEST_RESTART_SECONDS = 0.2, 5.0
LONG_LIFE_SECONDS = 30.0

Speak = Callable[[EdgeEnd], Awaitable[None]]


@dataclass
class WorkerProcess:
    """See the module.

    Attributes:
        heard_at: when the present worker last said something, seconds on the loop's clock; 0 when it has not.
        hung_seconds: after so long without a word a worker is ended.
        restarts: so often one had to be started again.
    """

    heard_at: Callable[[], float]
    hung_seconds: float = HUNG_SECONDS
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the worker."""
        return self._process.pid if self._process is not None else None

    async def run(self, inherited: Mapping[str, int], speak: Speak) -> None:
        """Keep a worker running until cancelled.

        Args:
            inherited: file descriptors for it, by the names of its arguments.
            speak: speaks with a worker that was started, until its channel is closed.
        """
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            await self._run_one(inherited, speak)
            failures = 0 if loop.time() - began > LONG_LIFE_SECONDS else failures + 1
            self.restarts += 1
            log.error("the worker ended; it is started again")
            await asyncio.sleep(min(LONGEST_RESTART_SECONDS, FIRST_RESTART_SECONDS * 2 ** min(failures - 1, 8)))

    async def _run_one(self, inherited: Mapping[str, int], speak: Speak) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fds = {"--channel-fd": theirs.fileno(), **inherited}
            words = [str(word) for pair in fds.items() for word in pair]
            command = (sys.executable, "-m", "qwen3vl_vln.worker", *words)
            process = await asyncio.create_subprocess_exec(*command, pass_fds=tuple(fds.values()))
        self._process = process
        channel: EdgeEnd | None = None
        watching = asyncio.create_task(self._end_hung(process))
        try:
            channel = await EdgeEnd.over(ours, decode_to_edge)
            await speak(channel)
        finally:
            watching.cancel()
            self._process = None
            await _end(process, channel)

    async def _end_hung(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if loop.time() - max(began, self.heard_at()) > self.hung_seconds:
                break
        log.error("the worker has said nothing for %g s; it is ended", self.hung_seconds)
        process.kill()


async def _end(process: asyncio.subprocess.Process, channel: EdgeEnd | None) -> None:
    if channel is not None:
        await channel.close()
    if process.returncode is None:
        # It ends by itself when the channel is closed; a hung one does not.
        try:
            await asyncio.wait_for(process.wait(), 1.0)
        except TimeoutError:
            process.kill()
            await process.wait()
