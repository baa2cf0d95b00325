"""A real model that answers instead of the simulator's policy, over the network.

On a virtual clock each call takes the time that it really took: nothing else passes meanwhile, then so much passes."""

import asyncio
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import orjson

from qwen3vl_vln.worker.model_client import LARGEST_ANSWER, ModelDeadlineError, ModelError, Reply, reply_of

TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Remote:
    """Where a model is.

    Attributes:
        url: of an OpenAI-compatible server, with /v1.
        name: the model's.
        key: for the server; never shown.
    """

    url: str
    name: str
    key: str | None = field(default=None, repr=False)


class RemoteModel:
    """Asks it one question after the other.

    Attributes:
        seconds: what each call took.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.seconds: list[float] = []

    async def ask(self, body: dict[str, Any], heard: object = None) -> Reply:
        """See `ModelClient`. It is never streamed: when the first words came would not be known."""
        began, failed = time.perf_counter(), None
        try:
            data = await asyncio.to_thread(_post, self._remote, body | {"model": self._remote.name})
        except ModelError as error:
            failed = error
        self.seconds.append(time.perf_counter() - began)
        await asyncio.sleep(self.seconds[-1])
        if failed is not None:
            raise failed
        return reply_of(data)


def _post(remote: Remote, body: dict[str, Any]) -> bytes:
    headers = {"content-type": "application/json"}
    if remote.key:
        headers["authorization"] = f"Bearer {remote.key}"
    request = urllib.request.Request(f"{remote.url.rstrip('/')}/chat/completions", orjson.dumps(body), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            return bytes(response.read(LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        raise ModelError(f"HTTP {error.code}") from None
    except TimeoutError:
        raise ModelDeadlineError(f"no answer in {TIMEOUT_SECONDS:g} s") from None
    except OSError as error:
        raise ModelError(f"{remote.url} cannot be reached: {error}") from None
