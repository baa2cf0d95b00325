"""The Kubernetes API with plain objects: get, list, apply, delete. The only module that knows the API client."""

import asyncio
import json
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from kubernetes.aio import client, config

from qwen3vl_operator import names
from qwen3vl_operator.kube.calls import Call
from qwen3vl_operator.kube.resources import Object, Resource

CALL_SECONDS = 10.0
"""A call that takes longer has failed: one object that hangs the apiserver holds a worker no longer than that."""
PAGE_SIZE = 500


class ApiError(Exception):
    """The apiserver said no, or nothing. `status` is its HTTP status (0: no answer came), the message its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Listing:
    """All objects of one kind and namespace at one moment. `version`: the list's resourceVersion."""

    objects: list[Object]
    version: str


class Kube(Protocol):
    """What the operator needs of an API. Every call raises `ApiError`."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object, or None when there is none."""

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """Objects that match the selectors."""

    async def snapshot(self, resource: Resource, namespace: str, *, labels: str = "") -> Listing:
        """All objects that match, read page by page, and the version of the list."""

    async def is_readable(self, resource: Resource, namespace: str) -> None:
        """A LIST of one object at most; raises when it is refused."""

    async def create(self, resource: Resource, namespace: str, body: Object) -> bool:
        """Create the object; False when one of that name is there."""

    async def apply(self, resource: Resource, body: Object, *, manager: str = "", force: bool = True) -> Object:
        """Server-side apply; the object as it is then. `manager`: another field manager than the operator's own."""

    async def apply_status(self, resource: Resource, body: Object) -> Object:
        """Server-side apply of the status subresource; the object as it is then."""

    async def patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        """JSON merge patch; the object as it is then."""

    async def edit(self, resource: Resource, namespace: str, name: str, operations: Sequence[Object]) -> Object:
        """JSON patch: these operations in this order, all or none; the object as it is then."""

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> bool:
        """Delete exactly this object; False, and nothing happens, when it is gone or another has its name."""


class HttpKube:
    """A `Kube` over HTTP by the official asynchronous client.

    Args:
        on_call: told each request that has ended; must not raise.
    """

    def __init__(self, api: client.ApiClient, on_call: Callable[[Call], None] | None = None) -> None:
        self._api, self._on_call = api, on_call

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        try:
            found: Object = await self._call("GET", resource.path(namespace, name))
            return found
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        query = {"labelSelector": labels, "fieldSelector": fields}
        answer = await self._call("GET", resource.path(namespace), query=query)
        return _items(resource, answer)

    async def snapshot(self, resource: Resource, namespace: str, *, labels: str = "") -> Listing:
        objects: list[Object] = []
        query = {"labelSelector": labels, "limit": str(PAGE_SIZE), "continue": ""}
        while True:
            answer = await self._call("GET", resource.path(namespace), query=query)
            objects += _items(resource, answer)
            metadata = answer["metadata"]
            query["continue"] = metadata.get("continue", "")
            if not query["continue"]:
                return Listing(objects, metadata["resourceVersion"])

    async def is_readable(self, resource: Resource, namespace: str) -> None:
        await self._call("GET", resource.path(namespace), query={"limit": "1"})

    async def serves(self, resource: Resource) -> bool:
        """Whether the API knows the kind: for ours, whether the CustomResourceDefinition is there."""
        try:
            answer = await self._call("GET", f"/apis/{resource.api_version}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(one["name"] == resource.plural for one in answer.get("resources") or [])

    async def create(self, resource: Resource, namespace: str, body: Object) -> bool:
        try:
            await self._call("POST", resource.path(namespace), body=body)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def apply(self, resource: Resource, body: Object, *, manager: str = "", force: bool = True) -> Object:
        return await self._apply(resource, body, "", manager or names.FIELD_MANAGER, force=force)

    async def apply_status(self, resource: Resource, body: Object) -> Object:
        return await self._apply(resource, body, "status", names.STATUS_FIELD_MANAGER, force=True)

    async def _apply(self, resource: Resource, body: Object, subresource: str, manager: str, *, force: bool) -> Object:
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        patch = "application/apply-patch+yaml"
        applied: Object = await self._call("PATCH", path, query=query, body=body, content_type=patch)
        return applied

    async def patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        path = resource.path(namespace, name)
        patch = "application/merge-patch+json"
        patched: Object = await self._call("PATCH", path, body=body, content_type=patch)
        return patched

    async def edit(self, resource: Resource, namespace: str, name: str, operations: Sequence[Object]) -> Object:
        path = resource.path(namespace, name)
        patch = "application/json-patch+json"
        edited: Object = await self._call("PATCH", path, body=operations, content_type=patch)
        return edited

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> bool:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        options["propagationPolicy"] = "Background"
        try:
            await self._call("DELETE", resource.path(namespace, name), body=options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
            return False
        return True

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | Sequence[Object] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        began, status = time.monotonic(), 0
        try:
            status, content = await self._answer(method, path, query or {}, body, content_type)
        finally:
            if self._on_call is not None:
                self._on_call(Call(method, path, content_type, status, time.monotonic() - began))
        if status >= 400:
            raise ApiError(status, _words(content))
        try:
            return json.loads(content)
        except ValueError:
            raise ApiError(0, "the apiserver's answer is no JSON") from None

    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Object | Sequence[Object] | None,
        content_type: str,
    ) -> tuple[int, bytes]:
        parameters = [(name, value) for name, value in query.items() if value]
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            async with asyncio.timeout(CALL_SECONDS):
                request = await self._api.param_serialize(
                    method,
                    path,
                    query_params=parameters,
                    header_params=headers,
                    body=body,
                    auth_settings=["BearerToken"],
                )
                response = await self._api.call_api(*request, _request_timeout=CALL_SECONDS)
                return response.status, await response.read()  # type: ignore[no-untyped-call]  # untyped library
        except TimeoutError:
            raise ApiError(0, f"no answer of the apiserver within {CALL_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise ApiError(0, f"no answer of the apiserver: {error or type(error).__name__}"[:2000]) from None


def _items(resource: Resource, answer: Object) -> list[Object]:
    return [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in answer["items"]]


def _words(body: bytes | str | None) -> str:
    """The message of a Status object, without the rest of it."""
    try:
        parsed = json.loads(body or "")
        return str(parsed.get("message", ""))[:2000]
    except (ValueError, AttributeError):
        return str(body or "")[:200]


@asynccontextmanager
async def connect(on_call: Callable[[Call], None] | None = None) -> AsyncIterator[HttpKube]:
    """A client for the cluster this runs in, else for the kubeconfig's current context."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
    configuration.proxy = configuration.proxy or _proxy(configuration.host)
    # Otherwise each request asks the environment for a proxy and .netrc for a password, in two threads.
    configuration.client_session_kwargs = {"trust_env": False}
    async with _PlainClient(configuration) as api:
        yield HttpKube(api, on_call)


class _PlainClient(client.ApiClient):
    """The official client for objects that are plain JSON already: it need not look at each value of theirs."""

    def sanitize_for_serialization(self, obj: Any) -> Any:
        return obj


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for the apiserver."""
    parts = urllib.parse.urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)
