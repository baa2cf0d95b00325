"""Where the routing table comes from: EndpointSlices of some namespaces, watched, or a file outside Kubernetes."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio import client, config

from qwen3vl_server.gateway.routes import SERVED_NAME_LABEL, Route, table, table_from_entries

log = logging.getLogger(__name__)

WATCH_SECONDS = 290
SILENCE_SECONDS = 330
RETRY_SECONDS = (0.2, 0.5, 1, 2, 5, 10)
API_PATH = "/apis/discovery.k8s.io/v1/namespaces"


class ExpiredError(Exception):
    """The version to go on from is too old: list again."""


@dataclass
class Directory:
    """The present routing table; replaced as a whole, so that readers need no lock."""

    routes: dict[str, Route] = field(default_factory=dict)
    complete: bool = False
    """Whether every source was read once."""


def from_file(path: Path) -> Directory:
    """The table of a YAML file.

    Raises:
        ValueError: it is not a list of routes.
        OSError: it cannot be read.
    """
    try:
        entries = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    return Directory(table_from_entries(entries, created=int(time.time())), complete=True)


class SliceWatch:
    """Keeps a directory equal to the EndpointSlices of some namespaces.

    A watch that breaks is taken up again; while the apiserver is away the last table stays in force.
    """

    def __init__(self, namespaces: tuple[str, ...], directory: Directory, on_change: Callable[[], None]) -> None:
        self._namespaces = namespaces
        self._directory = directory
        self._on_change = on_change
        self._slices: dict[str, dict[str, dict[str, Any]]] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        configuration = client.Configuration()
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # untyped library
        except config.ConfigException:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # likewise
        async with client.ApiClient(configuration) as api, asyncio.TaskGroup() as group:
            for namespace in self._namespaces:
                group.create_task(self._follow(api, namespace))

    async def _follow(self, api: client.ApiClient, namespace: str) -> None:
        failures = 0
        while True:
            try:
                version = await self._list(api, namespace)
                failures = 0
                while True:
                    version = await self._watch(api, namespace, version)
            except ExpiredError:
                continue
            except (aiohttp.ClientError, client.ApiException, OSError, TimeoutError, ValueError) as error:
                delay = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
                failures += 1
                log.warning(
                    "EndpointSlices of %s: %s; again in %.1f s", namespace, error or type(error).__name__, delay
                )
                await asyncio.sleep(delay)

    async def _call(self, api: client.ApiClient, path: str, query: dict[str, str], seconds: float) -> Any:
        request = await api.param_serialize(
            "GET", path, query_params=list(query.items()), auth_settings=["BearerToken"]
        )
        response = await api.call_api(*request, _request_timeout=seconds)
        if response.status == 410:
            raise ExpiredError
        if response.status >= 400:
            text = (await self._read(response)).decode(errors="replace")[:300]
            raise ValueError(f"apiserver answers {response.status}: {text}")
        return response

    @staticmethod
    async def _read(response: Any) -> bytes:
        return bytes(await response.read())

    async def _list(self, api: client.ApiClient, namespace: str) -> str:
        path = f"{API_PATH}/{namespace}/endpointslices"
        answer = json.loads(await self._read(await self._call(api, path, {"labelSelector": SERVED_NAME_LABEL}, 30)))
        self._slices[namespace] = {item["metadata"]["uid"]: item for item in answer["items"]}
        self._publish()
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, api: client.ApiClient, namespace: str, version: str) -> str:
        """Follow one watch to its end; the version to go on from."""
        query = {
            "labelSelector": SERVED_NAME_LABEL,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        path = f"{API_PATH}/{namespace}/endpointslices"
        response = (await self._call(api, path, query, SILENCE_SECONDS)).response
        try:
            while line := await response.content.readline():
                event = json.loads(line)
                thing = event["object"]
                if event["type"] == "ERROR":
                    if thing.get("code") == 410:
                        raise ExpiredError
                    raise ValueError(f"watch: {thing.get('message')}")
                version = thing["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    self._slices[namespace].pop(thing["metadata"]["uid"], None)
                else:
                    self._slices[namespace][thing["metadata"]["uid"]] = thing
                self._publish()
        finally:
            response.close()
        return version

    def _publish(self) -> None:
        self._directory.routes = table(piece for pieces in self._slices.values() for piece in pieces.values())
        self._directory.complete = self._slices.keys() >= set(self._namespaces)
        self._on_change()
