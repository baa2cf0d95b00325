"""The links to all VLN APIs: one asyncio task for each VisionModel with navigation, as reconciling says."""

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp

from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks
from qwen3vl_operator.nav_task.resolver import Resolver
from qwen3vl_operator.nav_task.vln_client import VlnClient
from qwen3vl_operator.nav_task.vln_sync import VlnSync


class VlnSyncPool:
    """See the module.

    Args:
        address: URL of a model's VLN API, by namespace and model.
        key: the operator's key there, likewise.
        notify: told the key of every NavTask about which something new is known.
    """

    def __init__(
        self,
        book: DesiredTasks,
        *,
        address: Callable[[str, str], str],
        key: Callable[[str, str], str],
        notify: Callable[[Key], None],
    ) -> None:
        self.book = book
        self._address, self._key, self._notify = address, key, notify
        self._session: aiohttp.ClientSession | None = None
        self._links: dict[tuple[str, str], VlnSync] = {}
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    def serve(self, namespace: str, model: str) -> None:
        """The model has a VLN API. Nothing happens when the link is there."""
        place = namespace, model
        if place in self._links:
            return
        if self._session is None:
            # No limit: a hundred VLN APIs that hang must not take all connections from one that answers.
            connector = aiohttp.TCPConnector(resolver=Resolver(), limit=0)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        client = VlnClient(self._session, self._address(*place), self._key(*place))
        self._links[place] = VlnSync(*place, client=client, book=self.book, notify=self._notify)
        self._running[place] = asyncio.create_task(self._links[place].run(), name=f"VLN API {namespace}/{model}")
        self._tell(place)

    def end(self, namespace: str, model: str) -> None:
        """It has none any more."""
        place = namespace, model
        if self._links.pop(place, None) is not None:
            self._running.pop(place).cancel()
            self._tell(place)

    def stop(self, key: Key) -> None:
        """temporary"""

    def _tell(self, place: tuple[str, str]) -> None:
        for key, _ in self.book.of_model(*place):
            self._notify(key)

    def get(self, namespace: str, model: str) -> VlnSync | None:
        """The link to the model's VLN API."""
        return self._links.get((namespace, model))

    @property
    def ended(self) -> list[str]:
        """Names of links that ended by a mistake of ours."""
        return [task.get_name() for task in self._running.values() if task.done()]

    async def close(self) -> None:
        """End all."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._session is not None:
            with contextlib.suppress(OSError):  # of a name that nobody could look up
                await self._session.close()
