"""Raw bytes to the real gateway: whatever they are, it lives, stays small, and answers in HTTP as documented."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass

from hypothesis import strategies as st
from tests.support.figures import Figures
from tests.support.fuzzing import Target, fuzz
from tests.support.http_answers import Answer, read_answers
from tests.support.http_mutations import Conversation, conversations

SHARE = 0.5
AT_ONCE = 8
IDLE_SECONDS = 0.2
"""So long without a byte after a complete answer: the server waits for more, and nothing more is sent."""
COMPLETE_SECONDS = 15.0
"""An answer that has begun is complete by then, however busy the machine."""


@dataclass
class Heard:
    """What a client heard: the bytes, and whether the server closed the connection after them."""

    data: bytes = b""
    closed: bool = False


async def _send(loop: asyncio.AbstractEventLoop, sock: socket.socket, conversation: Conversation) -> None:
    with contextlib.suppress(OSError):  # the server may close at any time
        for piece in conversation.pieces:
            await loop.sock_sendall(sock, piece)
            await asyncio.sleep(0.001)  # so that the next one is a segment of its own
        if conversation.end == "half-close":
            sock.shutdown(socket.SHUT_WR)


def _answers(conversation: Conversation, heard: Heard) -> tuple[list[Answer], bytes]:
    heads = b"HEAD" in b"".join(conversation.pieces)
    return read_answers(heard.data, closed=heard.closed, asked_for_heads=heads)


def _complete(conversation: Conversation, heard: Heard) -> bool:
    return not _answers(conversation, heard)[1]


async def _hear(loop: asyncio.AbstractEventLoop, sock: socket.socket, conversation: Conversation, heard: Heard) -> None:
    while True:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                data = await loop.sock_recv(sock, 1 << 20)
        except TimeoutError:
            if _complete(conversation, heard):
                return
            continue
        except OSError:
            data = b""
        if not data:
            heard.closed = True
            return
        heard.data += data


async def converse(port: int, conversation: Conversation) -> Heard:
    """Say all of it, and listen until the server has nothing more to say."""
    loop, heard = asyncio.get_running_loop(), Heard()
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        sending = asyncio.create_task(_send(loop, sock, conversation))
        try:
            if conversation.end == "abort":
                async with asyncio.timeout(COMPLETE_SECONDS):
                    await sending
                return heard
            async with asyncio.timeout(COMPLETE_SECONDS):
                await _hear(loop, sock, conversation, heard)
        except TimeoutError:
            raise AssertionError(f"the answer is not complete: {heard.data[-500:]!r}") from None
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return heard


def test_whatever_is_sent_the_gateway_lives_and_answers_as_documented(target: Target, figure: Figures) -> None:
    async def all_of(batch: list[Conversation]) -> list[Heard]:
        return await asyncio.gather(*[converse(target.gateway.port, conversation) for conversation in batch])

    def check(batch: list[Conversation]) -> None:
        for conversation, heard in zip(batch, asyncio.run(all_of(batch)), strict=True):
            answers, cut = _answers(conversation, heard)
            assert not cut, f"an answer was cut: {cut[:300]!r}"
            for answer in answers:
                target.documented(answer)
        target.holds()

    batches = fuzz(check, st.lists(conversations(), min_size=1, max_size=AT_ONCE), SHARE)
    figure("random batches of raw connections answered as documented", batches, "batches")
