"""One question to the model, over the gateway. The only place that knows its protocol."""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

LARGEST_ANSWER = 1 << 20


class ModelError(Exception):
    """No answer: the gateway or the engine refused, failed or was not there."""


class ModelDeadlineError(ModelError):
    """No answer in time."""


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

    async def ask(self, body: dict[str, Any]) -> Reply:
        """The answer to a chat completion.

        Raises:
            ModelDeadlineError: it took longer than the timeout.
            ModelError: there is none.
        """
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=self._timeout_seconds, connect=5)
            self._session = aiohttp.ClientSession(timeout=limit, headers=self._headers, auto_decompress=False)
        try:
            async with self._session.post(self._url, data=orjson.dumps(body)) as response:
                content = await response.content.read(LARGEST_ANSWER)
                if response.status != 200:
                    raise ModelError(f"HTTP {response.status} {_code(content)}".rstrip())
        except TimeoutError:
            raise ModelDeadlineError(f"no answer in {self._timeout_seconds:g} s") from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
            raise ModelError(f"the gateway cannot be reached: {type(error).__name__}") from None
        return _reply(content)

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()


def _code(content: bytes) -> str:
    try:
        return str(orjson.loads(content)["error"]["code"])[:64]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _reply(content: bytes) -> Reply:
    try:
        choice = orjson.loads(content)["choices"][0]
        text, reason = choice["message"]["content"], choice.get("finish_reason")
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        raise ModelError("the answer is not a chat completion") from None
    return Reply(text if isinstance(text, str) else "", reason if isinstance(reason, str) else None)
