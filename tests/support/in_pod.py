"""Runs inside the client pod: asks the gateway with the official client, and prints one JSON object.

Called as `python in_pod.py FUNCTION`, with the function's arguments as JSON on standard input."""

import base64
import json
import os
import struct
import sys
import time
import urllib.error
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import picture
from pydantic import BaseModel

QUESTION = "Which shapes and colours do you see?"


class Scene(BaseModel):
    count: int
    background_color: str


def _client(key: str | None = None) -> openai.OpenAI:
    return openai.OpenAI(max_retries=0, timeout=60, api_key=key) if key else openai.OpenAI(max_retries=0, timeout=60)


def _messages(text: str, with_picture: bool) -> Any:
    part = {"type": "image_url", "image_url": {"url": picture.data_url(picture.draw())}}
    return [{"role": "user", "content": [part, {"type": "text", "text": text}] if with_picture else text}]


def _described(error: openai.APIError) -> dict[str, Any]:
    """What the client's exception says; `body` is the error object of OpenAI's shape."""
    said: dict[str, Any] = {"exception": type(error).__name__, "message": error.message, "body": error.body}
    if isinstance(error, openai.APIStatusError):
        said |= {"status": error.status_code, "retry_after": error.response.headers.get("retry-after")}
    return said


def chat(
    model: str, text: str = QUESTION, with_picture: bool = False, key: str | None = None, stream: bool = False
) -> Any:
    """One question. An error of the API is a result too, with what had arrived before it."""
    begun, pieces, finish, usage = time.monotonic(), [], None, None
    first = None
    try:
        messages = _messages(text, with_picture)
        if not stream:
            answer = _client(key).chat.completions.create(model=model, messages=messages)
            choice, used = answer.choices[0], answer.usage
            pieces, finish, usage = [choice.message.content or ""], choice.finish_reason, used and used.model_dump()
        else:
            options: Any = {"include_usage": True}
            chunks = _client(key).chat.completions.create(
                model=model, messages=messages, stream=True, stream_options=options
            )
            for chunk in chunks:
                for part in chunk.choices:
                    if part.delta.content:
                        first = first or time.monotonic() - begun
                        pieces.append(part.delta.content)
                    finish = part.finish_reason or finish
                usage = chunk.usage.model_dump() if chunk.usage else usage
        error = None
    except openai.APIError as failed:
        error = _described(failed)
    seconds = time.monotonic() - begun
    content = "".join(pieces)
    timing = {"seconds": seconds, "first_token_seconds": first}
    return {"content": content, "pieces": len(pieces), "finish": finish, "usage": usage, "error": error, **timing}


def at_once(count: int, **arguments: Any) -> Any:
    """The same question that many times at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return [waited.result() for waited in [pool.submit(chat, **arguments) for _ in range(count)]]


def structured(model: str) -> Any:
    """A question whose answer must be an object of a JSON schema."""
    messages = _messages("Count the shapes.", True)
    answer = _client().chat.completions.parse(model=model, messages=messages, response_format=Scene)
    parsed = answer.choices[0].message.parsed
    return parsed.model_dump() if parsed else None


def models() -> Any:
    return [model.id for model in _client().models.list().data]


def abandon(model: str, stats_url: str, stats_key: str) -> Any:
    """Begin to read a stream and leave; the seconds until the engine counts a cancelled request, at most 10."""

    def cancelled() -> int:
        return int(json.loads(http("GET", stats_url, stats_key)["body"])["cancelled"])

    before = cancelled()
    stream = _client().chat.completions.create(model=model, messages=_messages(QUESTION, False), stream=True)
    for seen, _ in enumerate(stream, start=1):
        if seen == 3:
            break
    stream.close()
    left = time.monotonic()
    while cancelled() == before and time.monotonic() < left + 10:
        time.sleep(0.02)
    return time.monotonic() - left


def repeat(model: str, seconds: float, until_answered_again: bool = False) -> Any:
    """Ask again and again, each time over a connection of its own; with `until_answered_again` stop at the first
    answer after an error."""
    results: list[Any] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        results.append(chat(model))
        failed_before = any(result["error"] for result in results)
        if until_answered_again and failed_before and not results[-1]["error"]:
            break
        time.sleep(0.05)
    return results


def http(method: str, url: str, key: str | None = None, body: Any = None) -> Any:
    """One plain exchange."""
    data = None if body is None else json.dumps(body).encode()
    return _exchange(method, url, key, data)


def _exchange(method: str, url: str, key: str | None, data: bytes | None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return {"status": response.status, "headers": dict(response.headers), "body": response.read().decode()}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "headers": dict(error.headers), "body": error.read().decode()}


def _huge_png() -> bytes:
    """The header of a picture of 100 megapixels, in 45 bytes."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def _with_url(model: str, url: object) -> bytes:
    part = {"type": "image_url", "image_url": {"url": url}}
    return json.dumps({"model": model, "messages": [{"role": "user", "content": [part]}]}).encode()


def bad(case: str, model: str) -> Any:
    """One bad request of the table in test_bad_input.py."""
    key: str | None = os.environ["OPENAI_API_KEY"]
    message = [{"role": "user", "content": "hello"}]
    encoded = {"text": b"this is no picture", "huge": _huge_png()}
    url = {name: "data:image/jpeg;base64," + base64.b64encode(data).decode() for name, data in encoded.items()}
    bodies: dict[str, Any] = {
        "not JSON": lambda: b"{not json",
        "not an object": lambda: b"[1, 2]",
        "no model": lambda: json.dumps({"messages": message}).encode(),
        "messages of the wrong type": lambda: json.dumps({"model": model, "messages": "hello"}).encode(),
        "a number as text": lambda: json.dumps({"model": model, "messages": message, "max_tokens": "many"}).encode(),
        "not a JPEG": lambda: _with_url(model, url["text"]),
        "not base64": lambda: _with_url(model, "data:image/jpeg;base64,%%%"),
        "a URL that is no data": lambda: _with_url(model, "http://192.0.2.1/x.jpg"),
        "a header of 100 megapixels": lambda: _with_url(model, url["huge"]),
        "a body of 50 MB": lambda: b'{"model": "' + b"x" * 50_000_000 + b'"}',
        "no key": lambda: json.dumps({"model": model, "messages": message}).encode(),
    }
    if case == "no key":
        key = None
    return _exchange("POST", os.environ["OPENAI_BASE_URL"] + "/chat/completions", key, bodies[case]())


CALLS = {call.__name__: call for call in (chat, at_once, structured, models, abandon, repeat, http, bad)}

if __name__ == "__main__":
    print(json.dumps(CALLS[sys.argv[1]](**json.load(sys.stdin))))
