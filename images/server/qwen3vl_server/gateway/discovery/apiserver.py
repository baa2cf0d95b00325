"""The apiserver as the watch sees it: EndpointSlices of one namespace, listed in pages or followed line by line."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from kubernetes.aio import client, config

from qwen3vl_common.labels import SERVED_NAME_LABEL
from qwen3vl_server.gateway.discovery.events import Lines, Page, Unavailable, failure, read_page

API_PATH = "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"
PAGE_SLICES = 50
"""Slices of one page of a list. One of 1,000 endpoints is about half a MiB."""
CONNECT_SECONDS = 5.0
PAGE_SECONDS = 30.0
LONGEST_REFUSAL_BYTES = 65_536


async def api_configuration() -> client.Configuration:
    """How to reach the apiserver: as a pod, else by the kubeconfig.

    Raises:
        ValueError: neither is there.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # untyped library
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
        except config.ConfigException as error:
            raise ValueError(f"no Kubernetes to ask for EndpointSlices: {error}") from None
    return configuration


@dataclass(frozen=True)
class SliceApi:
    """EndpointSlices of one namespace that carry a served name. Its calls raise `WatchError` and nothing else."""

    api: client.ApiClient
    namespace: str

    async def page(self, token: str = "") -> Page:
        """One page of the list; the first one without a token."""
        query = {"limit": str(PAGE_SLICES)} | ({"continue": token} if token else {})
        limits = aiohttp.ClientTimeout(total=PAGE_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            response = await self._get(query, limits)
            try:
                return read_page(await response.read())
            finally:
                response.release()
        except (aiohttp.ClientError, client.ApiException, OSError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def follow(
        self, version: str, *, seconds: float, silence_seconds: float, line_seconds: float
    ) -> AsyncGenerator[list[bytes], None]:
        """Lines of one watch, as they come, to its end.

        Args:
            seconds: after these the apiserver ends it.
            silence_seconds: after these we do, if the apiserver has not: the connection is lost without a word.
            line_seconds: patience for the rest of a line that has begun.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, int(seconds))),
        }
        limits = aiohttp.ClientTimeout(total=silence_seconds, sock_connect=CONNECT_SECONDS)
        try:
            response = await self._get(query, limits)
            lines = Lines()
            try:
                while True:
                    async with asyncio.timeout(line_seconds if lines.is_within_line else None):
                        data = await response.content.readany()
                    if not data:
                        return
                    yield lines.feed(data)
            finally:
                response.close()
        except (aiohttp.ClientError, client.ApiException, OSError, TimeoutError) as error:
            raise _unavailable(error) from error

    async def _get(self, query: dict[str, str], limits: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        request = await self.api.param_serialize(
            "GET",
            API_PATH.format(self.namespace),
            query_params=[("labelSelector", SERVED_NAME_LABEL), *query.items()],
            auth_settings=["BearerToken"],
        )
        response: aiohttp.ClientResponse = (await self.api.call_api(*request, _request_timeout=limits)).response
        if response.status == 200:
            return response
        try:
            text = await response.content.read(LONGEST_REFUSAL_BYTES)
        finally:
            response.close()
        raise failure(response.status, _said(text), response.headers.get("retry-after", ""))


def _said(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.decode(errors="replace")


def _unavailable(error: Exception) -> Unavailable:
    silent = "silent for too long" if isinstance(error, TimeoutError) else ""
    return Unavailable(silent or str(error) or type(error).__name__)
