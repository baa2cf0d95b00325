"""Programs of the bench: started, waited for until they answer, ended with the block."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from hack.bench.gatewaybench.asking import UnexpectedAnswer, connect, picture_request
from hack.bench.gatewaybench.report import Unavailable

START_SECONDS = 20.0
STOP_SECONDS = 10.0
LOG_CHARACTERS = 600


@contextlib.asynccontextmanager
async def started(
    command: Sequence[str],
    port: int,
    log: Path,
    environment: Mapping[str, str] | None = None,
    start_seconds: float = START_SECONDS,
) -> AsyncIterator[int]:
    """A program that answers a chat request on this port; gives its process id.

    Raises:
        Unavailable: it does not start, or does not answer; with the end of what it said.
    """
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *command, env=os.environ | (environment or {}), stdin=asyncio.subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    try:
        try:
            async with asyncio.timeout(start_seconds):
                await _answers(process, port)
        except (TimeoutError, UnexpectedAnswer, OSError) as error:
            why = f"{' '.join(command[:5])} ...: {str(error) or 'no answer'}"
            raise Unavailable(f"{why}\n{_end_of(log)}".strip()) from None
        yield process.pid
    finally:
        await _end(process)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-LOG_CHARACTERS:]


async def _answers(process: asyncio.subprocess.Process, port: int) -> None:
    while True:
        if process.returncode is not None:
            raise UnexpectedAnswer(f"ended with {process.returncode}")
        try:
            connection = await connect(port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        await connection.ask(picture_request())
        connection.close()
        return


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def python(*arguments: str) -> list[str]:
    """A command of this Python."""
    return [sys.executable, "-P", *arguments]
