"""Runs inside a client pod: many streams at all times, and how each of them ended.

Called as `python streams_in_pod.py streams`, with the function's arguments as JSON on standard input."""

import asyncio
import json
import time
from typing import Any

from tests.support.raw_http import CHAT, HOST, PORT, chat, head, main, parsed

QUESTION = "Say in your own words what a night watch has to do between dusk and dawn, step by step, and why."


async def _stream(model: str, key: str, leave: bool) -> dict[str, Any]:
    """One stream to its end: `finished`, `left` by us, or with the `status` and `code` of what it ended with."""
    begun = time.monotonic()
    result: dict[str, Any] = {"key": key, "began": time.time()}
    body = chat(model, QUESTION, stream=True)
    try:
        reader, writer = await asyncio.open_connection(HOST, PORT)
    except OSError as error:
        return {**result, "end": "no connection", "status": None, "code": type(error).__name__}
    try:
        async with asyncio.timeout(60):
            writer.write(head(CHAT, key, len(body)) + body)
            status = int((await reader.readline()).split(b" ")[1])
            text = b""
            if status != 200:
                text = await reader.read()
                found = parsed(b"HTTP/1.1 %d x\r\n" % status + text)
                return {**result, "end": "failed", **found, "seconds": time.monotonic() - begun}
            while line := await reader.readline():
                if line.startswith(b"data: [DONE]"):
                    return {**result, "end": "finished", "seconds": time.monotonic() - begun}
                if line.startswith(b'data: {"error"'):
                    code = json.loads(line[6:])["error"]["code"]
                    return {**result, "end": "failed", "status": 200, "code": code, "retry_after": None}
                if leave and line.startswith(b"data:") and time.monotonic() - begun > 1:
                    return {**result, "end": "left"}
            return {**result, "end": "cut", "status": 200, "code": "no end"}
    except (OSError, TimeoutError, IndexError, ValueError) as error:
        return {**result, "end": "cut", "status": None, "code": type(error).__name__}
    finally:
        writer.close()


async def streams(count: int, seconds: float, model: str, keys: list[str], switch_seconds: float = 1e9) -> Any:
    """So many streams at all times, one in ten of which is left early, and how each ended. No new one begins after
    `seconds`. `keys`: the first one is used until `switch_seconds`, then the last."""
    begun = time.monotonic()
    results = []

    async def one(number: int) -> None:
        # Not all in one moment, as in life.
        await asyncio.sleep(2 * number / count)
        turn = number
        while time.monotonic() - begun < seconds:
            key = keys[0] if time.monotonic() - begun < switch_seconds else keys[-1]
            results.append(await _stream(model, key, leave=turn % 10 == 0))
            turn += 1
            if results[-1]["end"] != "finished":
                # As a client waits before it tries again.
                await asyncio.sleep(0.5)

    await asyncio.gather(*(one(number) for number in range(count)))
    return results


if __name__ == "__main__":
    main({"streams": streams})
