"""Runs inside a client pod: load on the gateway that no honest client sends, and what an honest one notices beside it.

Called as `python hostile_in_pod.py FUNCTION`, with the function's arguments as JSON on standard input."""

import asyncio
import base64
import contextlib
import json
import os
import resource
import select
import socket
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.raw_http import CHAT, HOST, PIECE_BYTES, PORT, ask, chat, head, main


async def beside(seconds: float, model: str, key: str) -> Any:
    """What others notice meanwhile: `/health` every 0.2 s, and a question every 0.25 s, each begun in time."""
    answers: list[Any] = []
    health: list[Any] = []
    deadline = time.monotonic() + seconds
    body = chat(model)

    async def every(pause: float, ask: Callable[[], Awaitable[Any]], results: list[Any]) -> None:
        begun = []
        while time.monotonic() < deadline:
            begun.append(asyncio.ensure_future(ask()))
            await asyncio.sleep(pause)
        results += await asyncio.gather(*begun)

    await asyncio.gather(
        every(0.2, lambda: ask([head("/health", None, 0, "GET")], 5), health),
        every(0.25, lambda: ask([head(CHAT, key, len(body)), body], 60), answers),
    )
    return {"health": health, "answers": answers}


async def header_flood(megabytes: int) -> Any:
    """One connection that sends header fields without end, without a key."""
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(1000))
    return await ask([b"GET /health HTTP/1.1\r\nHost: gateway\r\n", *[fields] * megabytes, b"\r\n"], 60)


def _noise_png(side: int) -> bytes:
    """A picture of noise, as large as its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + os.urandom(3 * side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


async def large_bodies(count: int, model: str, key: str) -> Any:
    """As many requests at once, each with a picture of 15 MB: a body of 20 MB."""
    url = "data:image/png;base64," + base64.b64encode(_noise_png(2236)).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is it?"}]
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": content}]}).encode()
    assert 19_000_000 < len(body) < 21_000_000
    asked = [ask([head(CHAT, key, len(body)), body], 90) for _ in range(count)]
    return await asyncio.gather(*asked)


PLACES = {
    "an unknown field": b'"messages": [], "x": ',
    "messages": b'"messages": ',
    "content": b'"messages": [{"role": "user", "content": ',
    "tool_calls": b'"messages": [{"role": "assistant", "tool_calls": ',
    "tools": b'"messages": [], "tools": ',
    "stop": b'"messages": [], "stop": ',
    "stop_token_ids": b'"messages": [], "stop_token_ids": ',
    "modalities": b'"messages": [], "modalities": ',
    "prompt": b'"prompt": ',
}


async def many_objects(model: str, key: str) -> Any:
    """By field, the answer to a body of 33 MB whose field is a list of empty objects; one after the other."""
    answers = {}
    for place, before in PLACES.items():
        path = "/v1/completions" if place == "prompt" else CHAT
        after = b"}]" if b"role" in before else b""
        begin, end = b'{"model": "' + model.encode() + b'", ' + before + b"[{}", b"]" + after + b"}"
        body = begin + b",{}" * ((33_000_000 - len(begin) - len(end)) // 3) + end
        answers[place] = await ask([head(path, key, len(body)), body], 60)
    return answers


async def loris(count: int, seconds: float) -> Any:
    """As many connections whose head never ends; how many are open at the end, and how many could be made."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    deadline = time.monotonic() + seconds
    made = still = 0

    async def one(number: int) -> None:
        nonlocal made, still
        # Not all in one moment: a queue of connections that overflows would be the kernel's answer, not the gateway's.
        await asyncio.sleep(number / count)
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, PORT), 10)
        except (OSError, TimeoutError):
            return
        made += 1
        with contextlib.suppress(ConnectionError):
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n")
            while time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    if not await asyncio.wait_for(reader.read(PIECE_BYTES), 1):
                        break
                writer.write(b"X-More: 1\r\n")
            else:
                still += 1
        writer.close()

    await asyncio.gather(*(one(number) for number in range(count)))
    return {"made": made, "open": still}


def _until_dropped(sockets: list[socket.socket], seconds: float) -> None:
    # Nothing is asked for but what is always told: that the other side has given the connection up.
    open_ones, poll = len(sockets), select.poll()
    for one in sockets:
        poll.register(one, 0)
    deadline = time.monotonic() + seconds
    while open_ones and time.monotonic() < deadline:
        for number, _ in poll.poll(1000):
            poll.unregister(number)
            open_ones -= 1


def never_read(count: int, seconds: float, model: str, key: str) -> Any:
    """As many streams that nobody reads, until the gateway has dropped all or so long; then, how many had come to their
    end."""
    body = chat(model, stream=True)
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect((HOST, PORT))
        one.sendall(head(CHAT, key, len(body)) + body)
        sockets.append(one)
    _until_dropped(sockets, seconds)
    ended = begun = 0
    for one in sockets:
        one.settimeout(1)
        read = b""
        with contextlib.suppress(OSError):
            while data := one.recv(PIECE_BYTES):
                read += data
        begun += b" 200 " in read[:20]
        ended += b"data: [DONE]" in read
        one.close()
    return {"begun": begun, "ended": ended}


if __name__ == "__main__":
    calls: tuple[Callable[..., Any], ...] = (beside, header_flood, large_bodies, many_objects, loris, never_read)
    main({call.__name__: call for call in calls})
