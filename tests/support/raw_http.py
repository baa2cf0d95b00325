"""HTTP by hand over sockets, for load that no client library would send. Runs in pods: only Python's own library."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

BASE = urlsplit(os.environ.get("OPENAI_BASE_URL", "http://localhost"))
HOST, PORT = BASE.hostname or "localhost", BASE.port or 80
CHAT = "/v1/chat/completions"
PIECE_BYTES = 65536
LONGEST_ANSWER_BYTES = 4_000_000


def head(path: str, key: str | None, length: int, method: str = "POST") -> bytes:
    """The head of a request after whose answer the connection ends."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Connection: close", "Content-Type: application/json"]
    lines += [f"Content-Length: {length}"] if length else []
    lines += [f"Authorization: Bearer {key}"] if key else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _send(writer: asyncio.StreamWriter, parts: list[bytes]) -> None:
    for part in parts:
        for begin in range(0, len(part), PIECE_BYTES):
            writer.write(part[begin : begin + PIECE_BYTES])
            await writer.drain()


def parsed(answer: bytes) -> dict[str, Any]:
    """Status, code of the error, `retry-after` and text of a whole answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = _unchunked(body)
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, TypeError, KeyError):
        code = None
    words = first.split(" ")
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else None
    return {"status": status, "code": code, "retry_after": headers.get("retry-after")}


def _unchunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        found, body = found + rest[:length], rest[length + 2 :]
    return found


async def ask(parts: list[bytes], seconds: float) -> dict[str, Any]:
    """One exchange on a connection of its own: what came back, and `failed` for what did not come back as HTTP."""
    begun = time.monotonic()
    result: dict[str, Any] = {"status": None, "code": None, "retry_after": None}
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(HOST, PORT)
            sending = asyncio.ensure_future(_send(writer, parts))
            answer = b""
            try:
                # The answer may come, and the connection end, long before everything is sent.
                while len(answer) < LONGEST_ANSWER_BYTES and (data := await reader.read(PIECE_BYTES)):
                    answer += data
            except ConnectionError as error:
                result["failed"] = type(error).__name__
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                writer.close()
        result |= parsed(answer)
        if result["status"] is not None:
            result.pop("failed", None)
    except (OSError, TimeoutError) as error:
        result["failed"] = type(error).__name__
    return {**result, "seconds": time.monotonic() - begun}


def chat(model: str, text: str = "hello", **fields: Any) -> bytes:
    """The body of a question without a picture."""
    message = {"role": "user", "content": text}
    return json.dumps({"model": model, "messages": [message], **fields}).encode()


def main(calls: dict[str, Callable[..., Any]]) -> None:
    """Run the function that the command line names, with arguments of standard input, and print its result."""
    found = calls[sys.argv[1]](**json.load(sys.stdin))
    print(json.dumps(asyncio.run(found) if asyncio.iscoroutine(found) else found))
