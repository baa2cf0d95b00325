"""Keeps a directory equal to the EndpointSlices of some namespaces: one task a namespace, none knows another.

Whatever goes wrong is told, and the namespace is listed and watched anew after a pause. While an apiserver is away the
last table stays in force; a namespace that is forbidden keeps no other from being served.
"""

import asyncio
import logging
from collections.abc import Sequence

from kubernetes.aio import client

from qwen3vl_server.gateway.discovery.apiserver import SliceApi
from qwen3vl_server.gateway.discovery.directory import Directory
from qwen3vl_server.gateway.discovery.follower import Follower, Patience
from qwen3vl_server.gateway.discovery.sources import Source
from qwen3vl_server.gateway.metrics import Metrics

log = logging.getLogger(__name__)


class SliceWatch:
    """Watches EndpointSlices for as long as `run` runs."""

    def __init__(
        self,
        api: client.Configuration,
        namespaces: Sequence[str],
        directory: Directory,
        metrics: Metrics,
        patience: Patience | None = None,
    ) -> None:
        self._configuration = api
        self._sources = [Source(name) for name in namespaces]
        self._directory = directory
        self._metrics = metrics
        self._patience = patience or Patience()

    async def run(self) -> None:
        """Watch until cancelled."""
        async with client.ApiClient(self._configuration) as api, asyncio.TaskGroup() as group:
            for source in self._sources:
                one = SliceApi(api, source.name)
                follower = Follower(source, one, self._publish, self._metrics, self._patience, self._directory.clock)
                group.create_task(follower.run())

    def _publish(self) -> None:
        before, directory = self._directory.routes, self._directory
        directory.publish([piece for source in self._sources for piece in source.slices.values()])
        if directory.routes != before:
            replicas = ((name, len(directory.routes[name].endpoints)) for name in sorted(directory.routes))
            log.info("models: %s", ", ".join(f"{name} ({count} ready)" for name, count in replicas) or "none")
        now = directory.clock()
        settled = all(source.is_settled(now) for source in self._sources)
        # Where nothing could be read there is nothing to serve: then it is not the namespace that is wrong.
        directory.complete |= settled and any(source.is_listed for source in self._sources)
