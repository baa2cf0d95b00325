"""kopf as an informer, nothing more: every event goes into the store. No state, no finalizers, no annotations.

The only module, with `__main__`, that knows kopf."""

import asyncio
import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Literal

import aiohttp
import kopf

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import CALL_SECONDS, PAGE_SIZE
from qwen3vl_operator.kube.resources import Object, Resource

Seen = Callable[[Resource, Literal["DELETED"] | str | None, Object], None]
"""Told of each event: the kind, DELETED or what else the watch says, and the object."""
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0
UNAUTHORIZED = 401
IDLE_SECONDS = 0.2
"""How long kopf keeps the task of an object that nothing happens to, and with it the object as it was sent."""
END_SECONDS = 5.0
"""How long kopf's tasks may take to end."""


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


class Login:
    """The pod's service account, else the kubeconfig, as it is now.

    kopf asks again when the apiserver has answered 401, and takes no credentials that are equal to refused ones: with
    them it would end. But an apiserver that has just begun refuses good ones for a while. So each answer has another
    priority, which means nothing here, and none is given before the apiserver takes it: kopf closes all its watches
    each time, and may forget one of them for a minute.
    """

    def __init__(self) -> None:
        self._number = 0

    async def find(self, **arguments: Any) -> kopf.ConnectionInfo | None:
        """The credentials, or None where there are none."""
        self._number += 1
        delays = iter(Backoffs())
        while True:
            found = kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)
            if found is None:
                return None
            if self._number == 1 or await _is_taken(found):
                return dataclasses.replace(found, priority=self._number)
            await asyncio.sleep(next(delays))


async def _is_taken(credentials: kopf.ConnectionInfo) -> bool:
    """Whether the apiserver knows who asks."""
    connector = aiohttp.TCPConnector(ssl=credentials.as_ssl_context())
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    url = f"{credentials.server.rstrip('/')}/apis/{api.VISION_MODELS.api_version}"
    async with aiohttp.ClientSession(connector=connector, headers=credentials.as_http_headers()) as session:
        try:
            async with session.get(url, timeout=timeout) as answer:
                return answer.status != UNAUTHORIZED
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False


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
    settings.queueing.idle_timeout = IDLE_SECONDS
    settings.persistence.diffbase_storage = _NoDiffs()
    for resource in api.WATCHED:
        if selector := api.selector(resource):
            settings.watching.label_selectors[_selector(resource)] = selector


def registry(seen: Seen) -> kopf.OperatorRegistry:
    """kopf's handlers, all of them, in a registry of their own."""
    result = kopf.OperatorRegistry()
    kopf.on.startup(registry=result, id="settings", errors=kopf.ErrorsMode.PERMANENT)(_settings)
    kopf.on.login(registry=result, id="login")(Login().find)
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
    # Not kopf.operator: when one of its tasks fails, that waits for every other task of the process to end before it
    # tells anybody, and nothing is watched meanwhile.
    tasks = await kopf.spawn_tasks(registry=registry(seen), namespaces=namespaces, standalone=True)
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=END_SECONDS)
    for task in ended:
        task.result()
