"""kopf as an informer, nothing more: every event goes into the store. No state, no finalizers, no annotations.

The only module, with `__main__`, that knows kopf."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import kopf

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import PAGE_SIZE
from qwen3vl_operator.kube.resources import Object, Resource

Seen = Callable[[Resource, Literal["DELETED"] | str | None, Object], None]
"""Told of each event: the kind, DELETED or what else the watch says, and the object."""
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0


class Backoffs:
    """Seconds between the tries of a failing list or watch: 0.5 doubling to 30, without an end.

    With kopf's own nine tries the process would end because of one namespace.
    """

    def __iter__(self) -> Iterator[float]:
        growing = (FIRST_RETRY_SECONDS * 2**power for power in itertools.count())
        doubling = list(itertools.takewhile(lambda seconds: seconds < LONGEST_RETRY_SECONDS, growing))
        return itertools.chain(doubling, itertools.repeat(LONGEST_RETRY_SECONDS))


def _selector(resource: Resource) -> tuple[str, str, str]:
    group, _, version = resource.api_version.rpartition("/")
    return group, version, resource.plural


def _login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """The pod's service account, else the kubeconfig."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


class _NoDiffs(kopf.DiffBaseStorage):
    """Keeps nothing: nobody here asks kopf what changed, and comparing costs as much as all else that it does."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> Any:
        return {}

    def fetch(self, *, body: kopf.Body) -> Any:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: Any) -> None:
        raise AssertionError("a handler that needs kopf's memory was registered")


def _settings(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = Backoffs()
    settings.watching.chunk_size = PAGE_SIZE
    settings.persistence.diffbase_storage = _NoDiffs()
    for resource in api.WATCHED:
        if selector := api.selector(resource):
            settings.watching.label_selectors[_selector(resource)] = selector


def registry(seen: Seen) -> kopf.OperatorRegistry:
    """kopf's handlers, all of them, in a registry of their own."""
    result = kopf.OperatorRegistry()
    kopf.on.startup(registry=result, id="settings", errors=kopf.ErrorsMode.PERMANENT)(_settings)
    kopf.on.login(registry=result)(_login)
    for resource in api.WATCHED:
        kopf.on.event(*_selector(resource), registry=result, id=resource.plural)(_handler(resource, seen))
    return result


def _handler(resource: Resource, seen: Seen) -> Any:
    async def handle(event: Any, **_: Any) -> None:
        seen(resource, event["type"], event["object"])

    return handle


async def watch(seen: Seen, namespaces: list[str]) -> None:
    """Watch these namespaces for ever.

    Raises:
        Exception: a watch broke for good; the process is to end and begin anew, which writes nothing.
    """
    await kopf.operator(registry=registry(seen), namespaces=namespaces, standalone=True)
