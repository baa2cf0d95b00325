"""Where the routing table comes from: EndpointSlices of some namespaces, watched, or a file outside Kubernetes."""

import asyncio
import json
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio import client, config

from qwen3vl_common.labels import SERVED_NAME_LABEL
from qwen3vl_server.gateway.routes import Route, table, table_from_entries

log = logging.getLogger(__name__)

WATCH_SECONDS = 120
"""After that the apiserver ends a watch; one that is silent for longer has lost its connection without a word."""
SILENCE_SECONDS = WATCH_SECONDS + 15
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


class SliceWatch:
    """Keeps a directory equal to the EndpointSlices of some namespaces.

    A watch that breaks is taken up again; while the apiserver is away the last table stays in force.
    """

    def __init__(self, api: client.Configuration, namespaces: tuple[str, ...], directory: Directory) -> None:
        self._configuration = api
        self._namespaces = namespaces
        self._directory = directory
        self._slices: dict[str, dict[str, dict[str, Any]]] = {}
        self._failures: Counter[str] = Counter()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with client.ApiClient(self._configuration) as api, asyncio.TaskGroup() as group:
            for namespace in self._namespaces:
                group.create_task(self._follow(api, namespace))

    async def _follow(self, api: client.ApiClient, namespace: str) -> None:
        while True:
            try:
                version = await self._list(api, namespace)
                while True:
                    version = await self._watch(api, namespace, version)
                    self._failures[namespace] = 0
            except ExpiredError:
                log.info("EndpointSlices of %s: the watch is too old, listing again", namespace)
                await asyncio.sleep(self._pause(namespace))
            except (aiohttp.ClientError, client.ApiException, OSError, TimeoutError, ValueError) as error:
                delay = self._pause(namespace)
                log.warning(
                    "EndpointSlices of %s: %s; again in %.1f s", namespace, error or type(error).__name__, delay
                )
                await asyncio.sleep(delay)

    def _pause(self, namespace: str) -> float:
        """Seconds to the next try: more with every failure since the last event."""
        failures = self._failures[namespace]
        self._failures[namespace] += 1
        return RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]

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
                self._failures[namespace] = 0
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
        routes = table(piece for pieces in self._slices.values() for piece in pieces.values())
        if routes != self._directory.routes:
            replicas = ", ".join(f"{name} ({len(routes[name].endpoints)} ready)" for name in sorted(routes))
            log.info("models: %s", replicas or "none")
        self._directory.routes = routes
        self._directory.complete = self._slices.keys() >= set(self._namespaces)
