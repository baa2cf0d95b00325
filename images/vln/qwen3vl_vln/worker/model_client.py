"""One question to the model, over the gateway. The only place that knows its protocol."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

LARGEST_ANSWER = 1 << 20
BAD_REQUEST = 400
CONTEXT_LENGTH_CODE = "context_length_exceeded"
"""LMDeploy's code for a prompt that is too long, and the simulator's."""
CONTEXT_LENGTH_WORDS = ("maximum context length", "longer than the model's context length")
"""vLLM and SGLang have no code for it."""
MESSAGE_CHARACTERS = 200


class ModelError(Exception):
    """No answer: the gateway or the engine refused, failed or was not there."""


class ModelDeadlineError(ModelError):
    """No answer in time."""


class ContextLengthError(ModelError):
    """The question is longer than the engine's context; the message is the engine's own."""


@dataclass(frozen=True)
class Reply:
    """The model's words.

    Attributes:
        finish_reason: why it stopped writing; `length` means that the text is cut off.
    """

    text: str
    finish_reason: str | None


class ModelClient:
    """Asks one model.

    Args:
        url: of the gateway, with /v1.
        key: for it; None when it wants none.
        timeout_seconds: for a whole call.
    """

    def __init__(self, url: str, key: str | None, *, timeout_seconds: float) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, body: dict[str, Any], heard: Callable[[str], None] | None = None) -> Reply:
        """The answer to a chat completion.

        Args:
            heard: is called with the text as far as it is written; the answer is then streamed.

        Raises:
            ModelDeadlineError: it took longer than the timeout.
            ContextLengthError: the question is too long.
            ModelError: there is none.
        """
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=self._timeout_seconds, connect=5)
            self._session = aiohttp.ClientSession(timeout=limit, headers=self._headers, auto_decompress=False)
        try:
            data = orjson.dumps(body if heard is None else body | {"stream": True})
            async with self._session.post(self._url, data=data) as response:
                # An engine may answer as a whole though a stream was asked for.
                if response.status == 200 and response.content_type == "text/event-stream" and heard is not None:
                    return await _streamed(response, heard)
                content = await _whole(response)
                if response.status != 200:
                    raise _refusal(response.status, content)
        except TimeoutError:
            raise ModelDeadlineError(f"no answer in {self._timeout_seconds:g} s") from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
            raise ModelError(f"the gateway cannot be reached: {type(error).__name__}") from None
        return reply_of(content)

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()


async def _streamed(response: aiohttp.ClientResponse, heard: Callable[[str], None]) -> Reply:
    text, reason, done = "", None, False
    async for line in _lines(response):
        if line == b"data: [DONE]":
            done = True
            break
        if not line.startswith(b"data:"):
            continue
        more, ended = _event(line)
        if more:
            text += more
            heard(text)
        reason = ended or reason
    if not done or reason is None:
        # Without its end nobody knows whether the text is whole.
        raise ModelError("the stream broke off")
    return Reply(text, reason)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """A body that is at most `LARGEST_ANSWER` long; it may come in any pieces."""
    content = b""
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise ModelError("the answer is too long")
    return content


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Lines of a stream that is at most `LARGEST_ANSWER` long."""
    total, rest = 0, b""
    async for chunk in response.content.iter_any():
        total += len(chunk)
        if total > LARGEST_ANSWER:
            raise ModelError("the answer is too long")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.strip()


def _event(line: bytes) -> tuple[str, str | None]:
    """What an event adds to the text, and why the text ends, where it says so."""
    try:
        event = orjson.loads(line[len(b"data:") :])
        if "error" in event:
            raise _too_long(event["error"]) or ModelError(
                f"the stream ended with an error {str(event['error'].get('code') or '')[:64]}".rstrip()
            )
        choice = event["choices"][0] if event["choices"] else {}
        return _content(choice.get("delta")), _reason(choice)
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise ModelError("the stream is not a chat completion") from None


def _refusal(status: int, content: bytes) -> ModelError:
    try:
        error = orjson.loads(content)["error"]
        code = str(error["code"])[:64]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ModelError(f"HTTP {status}")
    too_long = _too_long(error) if status == BAD_REQUEST else None
    return too_long or ModelError(f"HTTP {status} {code}".rstrip())


def _too_long(error: Any) -> ContextLengthError | None:
    """The error for a question that is longer than the context: by its code, or by the words of engines without one."""
    message = str(error.get("message") or "")
    if error.get("code") == CONTEXT_LENGTH_CODE or any(words in message for words in CONTEXT_LENGTH_WORDS):
        return ContextLengthError(message[:MESSAGE_CHARACTERS] or CONTEXT_LENGTH_CODE)
    return None


def reply_of(content: bytes) -> Reply:
    """What a chat completion says.

    Raises:
        ModelError: it is none.
    """
    try:
        choice = orjson.loads(content)["choices"][0]
        return Reply(_content(choice["message"]), _reason(choice))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, AttributeError):
        raise ModelError("the answer is not a chat completion") from None


def _content(message: Any) -> str:
    """The text of a message, or of a part of one; an engine may leave out what is empty.

    Raises:
        AttributeError: it is no message.
        TypeError: its content is no text.
    """
    content = None if message is None else message.get("content")
    if content is not None and not isinstance(content, str):
        raise TypeError("no text")
    return content or ""


def _reason(choice: Any) -> str | None:
    reason = choice.get("finish_reason")
    return reason if isinstance(reason, str) else None
