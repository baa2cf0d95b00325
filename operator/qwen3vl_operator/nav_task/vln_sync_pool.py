"""The links to all VLN APIs: one asyncio task for each VisionModel with navigation, as reconciling says."""

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp

from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks
from qwen3vl_operator.nav_task.figures_pace import FiguresPace
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
        self._sessions: tuple[aiohttp.ClientSession, aiohttp.ClientSession] | None = None
        self._figures = FiguresPace(notify)
        self._links: dict[tuple[str, str], VlnSync] = {}
        self._running: dict[tuple[str, str] | None, asyncio.Task[None]] = {}

    def serve(self, namespace: str, model: str) -> None:
        """The model has a VLN API. Nothing happens when the link is there."""
        place = namespace, model
        if place in self._links:
            return
        if self._sessions is None:
            self._sessions = _session(fresh=False), _session(fresh=True)
            self._running[None] = asyncio.create_task(self._figures.run(), name="figures of walks")
        address, key = self._address(*place), self._key(*place)
        client, stop_client = (VlnClient(session, address, key) for session in self._sessions)
        link = self._links[place] = VlnSync(
            *place,
            client=client,
            stop_client=stop_client,
            book=self.book,
            notify=self._notify,
            notify_figures=self._figures.add,
        )
        self._running[place] = asyncio.create_task(link.run(), name=f"VLN API {namespace}/{model}")
        self._tell(place)

    def end(self, namespace: str, model: str) -> None:
        """It has none any more; nobody is left to confirm a stop, also one that was noted since it was said last."""
        place = namespace, model
        self.book.forget_stops(*place)
        if self._links.pop(place, None) is not None:
            self._running.pop(place).cancel()
            self._tell(place)

    def _tell(self, place: tuple[str, str]) -> None:
        for key, _ in self.book.of_model(*place):
            self._notify(key)

    def stop(self, key: Key) -> None:
        """The NavTask is to be stopped: its VLN API is told at once, by no queue and behind nothing.

        Where nothing is known of the NavTask nothing happens: a pass over it comes to the same. Saying it again is
        nothing new.
        """
        entry = self.book.stop(key)
        if entry is not None and (link := self.get(key.namespace, entry.model)) is not None:
            link.wake()

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
        for session in self._sessions or ():
            with contextlib.suppress(OSError):  # of a name that nobody could look up
                await session.close()


def _session(*, fresh: bool) -> aiohttp.ClientSession:
    """A session whose connections are not bounded in all: each link bounds its own, and holds up no other.

    Args:
        fresh: a connection for each call. One that was kept may lead to a pod that is no more, and a call by it would
            wait for its whole time-out.
    """
    connector = aiohttp.TCPConnector(resolver=Resolver(), limit=0, force_close=fresh)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
