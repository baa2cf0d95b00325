"""The health of each watched namespace, and the LISTs that fill the store: one task a namespace, none knows another.

A namespace that is not there, forbidden, or behind an apiserver that does not answer is told once, asked again, and
served again when it is back; its last known objects stay known."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Kube
from qwen3vl_operator.kube.store import Change, Store

log = logging.getLogger(__name__)

FULL_LIST_SECONDS = 600.0
SECOND_LIST_SECONDS = 15.0
"""How long after the first LIST there is another one: by then all watches have begun, and none of them tells of what
ended between that LIST and its own beginning."""
CHECK_SECONDS = 30.0
"""How often a namespace is asked whether it can still, or again, be read."""
FIRST_RETRY_SECONDS = 0.5
FAILURES_UNTIL_UNREACHABLE = 2
"""One call that is too many for the apiserver, or too slow, has nothing listed and looked at anew: that would make it
worse, and end the turns of its rollouts."""
LIST_AGAIN_SECONDS = 5.0
"""How long after a watch was begun anew everything is listed: it has listed by then too."""
SUSPECT_SECONDS = 2.0
"""Least time between two checks that a refused call asked for."""
REFUSED = (401, 403, 404)


class Health(Enum):
    """What is known of a namespace."""

    UNKNOWN = "Unknown"
    HEALTHY = "Healthy"
    REFUSED = "Refused"
    """The apiserver does not let us read it: it does not exist, or its RoleBinding is gone."""
    UNREACHABLE = "Unreachable"


@dataclass
class Namespace:
    """One watched namespace.

    Attributes:
        changed: told of all that a full LIST found changed, and whether this LIST is the first since the namespace
            could be read.
        lost: told when it cannot be read any more, and whether the apiserver refuses it.
        jitter: 0 to 1, spreads the full LISTs.
    """

    name: str
    kube: Kube
    store: Store
    changed: Callable[[str, list[Change], bool], None]
    lost: Callable[[str, bool], None] = lambda namespace, is_refused: None
    jitter: Callable[[], float] = random.random
    full_list_seconds: float = FULL_LIST_SECONDS
    health: Health = Health.UNKNOWN
    message: str = "not read yet"
    lists: int = 0
    _suspected: asyncio.Event = field(default_factory=asyncio.Event)
    _list_at: float = 0.0
    _list_soon: asyncio.TimerHandle | None = None

    @property
    def is_listed(self) -> bool:
        """Whether everything in it was read at least once."""
        return self.lists > 0

    @property
    def is_served(self) -> bool:
        """Whether passes over its objects make sense now."""
        return self.is_listed and self.health is Health.HEALTHY

    def suspect(self) -> None:
        """A call in it was refused: check it soon."""
        self._suspected.set()

    def list_again(self) -> None:
        """A watch was begun anew, by a list: it does not say what was deleted meanwhile. A LIST of ours does."""
        if self._list_soon is None:
            self._list_soon = asyncio.get_running_loop().call_later(LIST_AGAIN_SECONDS, self._list_now)

    def _list_now(self) -> None:
        self._list_soon, self._list_at = None, 0.0
        self._suspected.set()

    async def run(self) -> None:
        """Check and list for ever."""
        failures = 0
        while True:
            back = self.health is not Health.HEALTHY
            try:
                await self.kube.is_readable(api.VISION_MODELS, self.name)
                if back or self._now() >= self._list_at:
                    await self._list(first=back)
                    usual = self.full_list_seconds * (0.8 + 0.4 * self.jitter())
                    self._list_at = self._now() + (min(SECOND_LIST_SECONDS, usual) if back else usual)
            except Exception as error:  # noqa: BLE001 - whatever it is, it stops no other namespace
                failures += 1
                self._failed(error if isinstance(error, ApiError) else self._mistake(error), failures)
                await asyncio.sleep(min(CHECK_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 10)))
                continue
            failures = 0
            await self._until_next()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _until_next(self) -> None:
        await asyncio.sleep(SUSPECT_SECONDS)
        try:
            async with asyncio.timeout(CHECK_SECONDS - SUSPECT_SECONDS):
                await self._suspected.wait()
        except TimeoutError:
            pass
        self._suspected.clear()

    async def _list(self, *, first: bool) -> None:
        changes: list[Change] = []
        try:
            for resource in api.WATCHED:
                listing = await self.kube.snapshot(resource, self.name, labels=api.selector(resource))
                changes += self.store.replace(resource, self.name, listing.objects, listing.version)
                del listing
        except BaseException:
            # The store has these already: nobody would be told of them later.
            self.changed(self.name, changes, False)
            raise
        self.lists += 1
        if first:
            log.info("namespace %s is served", self.name)
        self.health, self.message = Health.HEALTHY, ""
        self.changed(self.name, changes, first)

    @staticmethod
    def _mistake(error: Exception) -> ApiError:
        log.debug("a LIST", exc_info=error)
        return ApiError(0, f"the operator made a mistake ({type(error).__name__}: {error})"[:500])

    def _failed(self, error: ApiError, failures: int) -> None:
        health = Health.REFUSED if error.status in REFUSED else Health.UNREACHABLE
        if (self.health, health) == (Health.HEALTHY, Health.UNREACHABLE) and failures < FAILURES_UNTIL_UNREACHABLE:
            return
        if health is not self.health:
            advice = (
                "; it is asked again"
                if health is Health.UNREACHABLE
                else (
                    "; it is asked again every 30 s. If it does not exist any more, take it out of the chart's "
                    "watchNamespaces; if it does, its Role and RoleBinding qwen3vl-operator are missing"
                )
            )
            log.warning("namespace %s cannot be read: %s%s", self.name, error, advice)
        was, self.health, self.message = self.health, health, str(error)
        if was is not health:
            self.lost(self.name, health is Health.REFUSED)


@dataclass(frozen=True)
class Namespaces:
    """All watched namespaces."""

    by_name: dict[str, Namespace]

    def is_served(self, namespace: str) -> bool:
        """Whether passes over objects of that namespace make sense now."""
        found = self.by_name.get(namespace)
        return found is not None and found.is_served

    def lists(self, namespace: str) -> int:
        """How many full LISTs of it there were."""
        found = self.by_name.get(namespace)
        return 0 if found is None else found.lists

    def unlisted(self) -> tuple[str, ...]:
        """Those of which nobody can say what is in them. Where we may not read, there is nobody to be served either."""
        unknown = (Health.UNKNOWN, Health.UNREACHABLE)
        return tuple(name for name, one in self.by_name.items() if not one.is_listed and one.health in unknown)

    def are_pending(self) -> bool:
        """Whether one was not read to its end even once since this process began: it will be known in a moment."""
        return any(one.health is Health.UNKNOWN for one in self.by_name.values())

    def list_again(self, namespace: str) -> None:
        """A watch in it was begun anew."""
        if namespace in self.by_name:
            self.by_name[namespace].list_again()

    def suspect(self, namespace: str) -> None:
        """A call in it was forbidden: check it soon."""
        if namespace in self.by_name:
            self.by_name[namespace].suspect()

    def healthy(self) -> dict[str, bool]:
        """Each by name, and whether it can be read now."""
        return {name: one.health is Health.HEALTHY for name, one in self.by_name.items()}

    @property
    def any_listed(self) -> bool:
        return any(one.is_listed for one in self.by_name.values())

    def waiting(self) -> str:
        """Why none is served yet."""
        return "; ".join(f"namespace {name}: {one.message}" for name, one in self.by_name.items())
