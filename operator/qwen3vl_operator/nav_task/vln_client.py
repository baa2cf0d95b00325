"""The three calls of the VLN API that the operator makes, each within a bounded time."""

import asyncio
import json
from typing import Any

import aiohttp
from pydantic import ValidationError

from qwen3vl_common.navigation.record import Record
from qwen3vl_common.navigation.refusals import RefusalCode
from qwen3vl_operator.nav_task.record import MOST_WORDS, Page, Refusal, parse_page

READ_SECONDS = 1.0
ASSERT_SECONDS = 3.0
STOP_SECONDS = 3.0
MOST_BYTES = 8 * 1024 * 1024
"""Of one answer: some thousands of tasks. Whoever answers with more must not take the operator's memory."""


class LinkError(Exception):
    """The VLN API did not answer, or not as it should; the message says what, without keys."""


class VlnClient:
    """One VLN API.

    Args:
        url: without a slash at the end.
        key: the operator's key there.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str) -> None:
        self._session, self._url = session, url
        self._headers = {"authorization": f"Bearer {key}"}

    async def read(self, since: str) -> Page:
        """The tasks that changed after the cursor, or all of them, also where some records are not as they should be.

        Raises:
            LinkError: see there.
        """
        status, body = await self._call("GET", "/vln/tasks", READ_SECONDS, query={"since": since} if since else {})
        if status != 200:
            raise LinkError(f"GET /vln/tasks answers {status}: {_message(body)}")
        try:
            return parse_page(body)
        except ValidationError as error:
            raise LinkError(f"GET /vln/tasks: {error.error_count()} fields are not as they should be") from None

    async def stop(self, task_id: str) -> bool:
        """Stop the task for good; whether it is there.

        Raises:
            LinkError: it may not have been stopped.
        """
        status, body = await self._call("POST", f"/vln/task/{task_id}/stop", STOP_SECONDS)
        # A 404 without that code is of something between here and there, and confirms nothing.
        if status != 200 and not (status == 404 and _error(body).get("code") == RefusalCode.UNKNOWN_TASK):
            raise LinkError(f"POST /vln/task/{task_id}/stop answers {status}: {_message(body)}")
        return status == 200

    async def assert_task(self, task_id: str, wanted: dict[str, Any]) -> Record | Refusal:
        """Bring the task to what is wanted: its record then, also when it has ended; or why it is not taken.

        Raises:
            LinkError: see there.
        """
        status, body = await self._call("PUT", f"/vln/task/{task_id}", ASSERT_SECONDS, body=wanted)
        ended = status == 409 and _error(body).get("code") == RefusalCode.FINISHED
        if status == 200 or ended:
            try:
                return Record.model_validate(body["task"] if ended else body)
            except (ValidationError, KeyError):
                raise LinkError(f"PUT /vln/task/{task_id} answers {status} with no record") from None
        if status in (400, 409, 422, 429):
            return Refusal(code=str(_error(body).get("code") or ""), message=_message(body))
        raise LinkError(f"PUT /vln/task/{task_id} answers {status}: {_message(body)}")

    async def _call(
        self,
        method: str,
        path: str,
        seconds: float,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> tuple[int, Any]:
        request = self._session.request(
            method, self._url + path, params=query, json=body, headers=self._headers, allow_redirects=False
        )
        try:
            async with asyncio.timeout(seconds), request as answer:
                return answer.status, json.loads(await _content(answer))
        except TimeoutError:
            raise LinkError(f"no answer within {seconds:g} s") from None
        except aiohttp.ClientError as error:
            raise LinkError(str(error)[:MOST_WORDS] or type(error).__name__) from None
        except (ValueError, RecursionError):
            raise LinkError(f"{method} {path}: the answer is no JSON") from None


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > MOST_BYTES:
            raise LinkError(f"the answer is longer than {MOST_BYTES // 1024**2} MiB")
    return bytes(content)


def _error(body: Any) -> dict[str, Any]:
    found = body.get("error") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _message(body: Any) -> str:
    return str(_error(body).get("message") or "no reason given")[:MOST_WORDS]
