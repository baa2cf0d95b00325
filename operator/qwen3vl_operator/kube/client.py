"""The Kubernetes API with plain objects: get, list, apply, delete. The only module that knows the API client."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from kubernetes.aio import client, config

from qwen3vl_operator import names

Object = dict[str, Any]
REQUEST_SECONDS = 30


@dataclass(frozen=True)
class Resource:
    """One kind of object and where the API serves it."""

    api_version: str
    kind: str
    plural: str

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = (root, "namespaces", namespace, self.plural, name, subresource)
        return "/".join(part for part in parts if part)


VISION_MODELS = Resource(names.API_VERSION, names.KIND, names.PLURAL)
NAV_TASKS = Resource(names.API_VERSION, names.NAV_TASK_KIND, names.NAV_TASK_PLURAL)
STATEFUL_SETS = Resource("apps/v1", "StatefulSet", "statefulsets")
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
AUTOSCALERS = Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SERVICES = Resource("v1", "Service", "services")
CLAIMS = Resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SECRETS = Resource("v1", "Secret", "secrets")
PODS = Resource("v1", "Pod", "pods")
EVENTS = Resource("v1", "Event", "events")
SLICES = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
CHILDREN = (STATEFUL_SETS, DEPLOYMENTS, AUTOSCALERS, SERVICES, CLAIMS, SECRETS)


class ApiError(Exception):
    """The apiserver said no. `status` is its HTTP status, the message its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Kube(Protocol):
    """What reconciling needs of an API."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object, or None when there is none."""

    async def list(self, resource: Resource, namespace: str, *, labels: str = "", fields: str = "") -> list[Object]:
        """Objects that match the selectors."""

    async def create(self, resource: Resource, namespace: str, body: Object) -> bool:
        """Create the object; False when one of that name is there."""

    async def apply(
        self, resource: Resource, body: Object, *, manager: str = names.FIELD_MANAGER, force: bool = True
    ) -> Object:
        """Server-side apply; the object as it is then. Without force a field of another manager is a 409."""

    async def patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        """Merge patch (RFC 7396); the object as it is then."""

    async def apply_status(self, resource: Resource, body: Object) -> None:
        """Server-side apply of the status subresource."""

    async def remove(self, resource: Resource, namespace: str, name: str, pointers: Sequence[str]) -> None:
        """Remove the parts at these JSON pointers, in this order."""

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        """Delete exactly this object; nothing happens when it is gone or another has its name."""


class HttpKube:
    """A `Kube` over HTTP by the official asynchronous client."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

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
        return [{"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in answer["items"]]

    async def create(self, resource: Resource, namespace: str, body: Object) -> bool:
        try:
            await self._call("POST", resource.path(namespace), body=body)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def apply(
        self, resource: Resource, body: Object, *, manager: str = names.FIELD_MANAGER, force: bool = True
    ) -> Object:
        return await self._apply(resource, body, "", manager, force=force)

    async def patch(self, resource: Resource, namespace: str, name: str, body: Object) -> Object:
        path = resource.path(namespace, name)
        patched: Object = await self._call("PATCH", path, body=body, content_type="application/merge-patch+json")
        return patched

    async def apply_status(self, resource: Resource, body: Object) -> None:
        await self._apply(resource, body, "status", names.STATUS_FIELD_MANAGER)

    async def _apply(
        self, resource: Resource, body: Object, subresource: str, manager: str, *, force: bool = True
    ) -> Object:
        metadata = body["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        applied: Object = await self._call(
            "PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml"
        )
        return applied

    async def remove(self, resource: Resource, namespace: str, name: str, pointers: Sequence[str]) -> None:
        operations: list[Object] = [{"op": "remove", "path": pointer} for pointer in pointers]
        path = resource.path(namespace, name)
        await self._call("PATCH", path, body=operations, content_type="application/json-patch+json")

    async def delete(self, resource: Resource, namespace: str, name: str, uid: str) -> None:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        options["propagationPolicy"] = "Background"
        try:
            await self._call("DELETE", resource.path(namespace, name), body=options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | Sequence[Object] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        parameters = [(name, value) for name, value in (query or {}).items() if value]
        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = await self._api.param_serialize(
            method, path, query_params=parameters, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = await self._api.call_api(*request, _request_timeout=REQUEST_SECONDS)
        content = await response.read()  # type: ignore[no-untyped-call]  # untyped library
        if response.status >= 400:
            raise ApiError(response.status, _words(content))
        return json.loads(content)


def _words(body: bytes | str | None) -> str:
    """The message of a Status object, without the rest of it."""
    try:
        parsed = json.loads(body or "")
        return str(parsed.get("message", ""))[:2000]
    except (ValueError, AttributeError):
        return str(body or "")[:200]


@asynccontextmanager
async def connect() -> AsyncIterator[HttpKube]:
    """A client for the cluster this runs in, else for the kubeconfig's current context."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
    async with client.ApiClient(configuration) as api:
        yield HttpKube(api)
