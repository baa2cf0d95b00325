"""The health of namespaces on virtual time: one that goes, is forbidden or comes later concerns itself alone."""

import asyncio
from collections.abc import Callable

from tests.support.virtual_time import run
from tests.unit.operator import samples
from tests.unit.operator.fake_kube import FakeKube

from qwen3vl_operator.kube import resources as api
from qwen3vl_operator.kube.client import ApiError, Listing
from qwen3vl_operator.kube.namespaces import CHECK_SECONDS, Health, Namespace, Namespaces
from qwen3vl_operator.kube.resources import Resource
from qwen3vl_operator.kube.store import Change, Store

BACK_SECONDS = 35


class Places(FakeKube):
    """An API that does not serve some namespaces."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, ApiError] = {}
        self.lists: list[tuple[str, str]] = []
        self.checks = 0

    async def snapshot(self, resource: Resource, namespace: str, *, labels: str = "") -> Listing:
        self.lists.append((namespace, resource.plural))
        if error := self.errors.get(namespace):
            raise error
        return await super().snapshot(resource, namespace, labels=labels)

    async def is_readable(self, resource: Resource, namespace: str) -> None:
        self.checks += 1
        if error := self.errors.get(namespace):
            raise error


class World:
    def __init__(self, *names: str) -> None:
        self.kube, self.store = Places(), Store()
        self.told: list[tuple[str, int, bool]] = []
        self.lost: list[tuple[str, bool]] = []
        self.all = Namespaces({name: self._namespace(name) for name in names})

    def _namespace(self, name: str) -> Namespace:
        return Namespace(name, self.kube, self.store, self._changed, lost=self._lost, jitter=lambda: 0.5)

    def _lost(self, namespace: str, is_refused: bool) -> None:
        self.lost.append((namespace, is_refused))

    def _changed(self, namespace: str, changes: list[Change], first: bool) -> None:
        self.told.append((namespace, len(changes), first))

    def start(self) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(one.run()) for one in self.all.by_name.values()]


def scenario(*names: str) -> Callable[..., None]:
    def decorate(body: Callable[[World], object]) -> None:
        async def whole() -> None:
            world = World(*names)
            tasks = world.start()
            try:
                await body(world)  # type: ignore[misc]  # a coroutine function
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

        run(whole())

    return decorate


def model(namespace: str) -> dict[str, object]:
    return samples.body("m", namespace=namespace)


def test_every_kind_is_listed_before_the_namespace_is_served() -> None:
    @scenario("a")
    async def _(world: World) -> None:
        world.kube.put(api.VISION_MODELS, model("a"))
        assert not world.all.is_served("a")
        assert world.all.unlisted() == ("a",)
        assert world.all.are_pending()
        await asyncio.sleep(0.1)
        assert world.all.is_served("a")
        assert [plural for _, plural in world.kube.lists] == [one.plural for one in api.WATCHED]
        assert world.told == [("a", 1, True)]
        assert world.all.unlisted() == ()


def test_a_forbidden_namespace_is_told_and_the_others_are_served() -> None:
    @scenario("a", "gone")
    async def _(world: World) -> None:
        world.kube.errors["gone"] = ApiError(403, "visionmodels is forbidden")
        await asyncio.sleep(1)
        assert world.all.is_served("a")
        assert not world.all.is_served("gone")
        assert world.all.by_name["gone"].health is Health.REFUSED
        assert world.all.unlisted() == (), "where nobody may read, nobody is served either"
        del world.kube.errors["gone"]
        await asyncio.sleep(BACK_SECONDS)
        assert world.all.is_served("gone")


def test_one_that_does_not_answer_is_unknown_until_it_was_listed() -> None:
    @scenario("a", "slow")
    async def _(world: World) -> None:
        world.kube.errors["slow"] = ApiError(0, "no answer of the apiserver within 10 s")
        await asyncio.sleep(100)
        assert world.all.unlisted() == ("slow",)
        assert not world.all.are_pending(), "it may stay so for long"
        del world.kube.errors["slow"]
        await asyncio.sleep(BACK_SECONDS)
        assert world.all.unlisted() == ()
        world.kube.errors["slow"] = ApiError(500, "etcd")
        await asyncio.sleep(BACK_SECONDS)
        assert world.all.by_name["slow"].health is Health.UNREACHABLE
        assert world.all.unlisted() == (), "what was seen of it is still known"


def test_a_namespace_that_goes_and_comes_is_listed_anew_and_keeps_what_was_known() -> None:
    @scenario("a")
    async def _(world: World) -> None:
        world.kube.put(api.VISION_MODELS, model("a"))
        await asyncio.sleep(1)
        world.kube.errors["a"] = ApiError(403, "forbidden")
        world.all.suspect("a")
        await asyncio.sleep(5)
        assert not world.all.is_served("a"), "a refused call has it checked soon"
        assert world.store.get(api.VISION_MODELS, "a", "m") is not None
        world.kube.lose(api.VISION_MODELS, "a", "m")
        del world.kube.errors["a"]
        await asyncio.sleep(BACK_SECONDS)
        assert [told for told in world.told if told[2]] == [("a", 1, True)] * 2
        assert world.store.get(api.VISION_MODELS, "a", "m") is None


def test_one_call_that_fails_has_nothing_listed_anew() -> None:
    @scenario("a")
    async def _(world: World) -> None:
        await asyncio.sleep(60)
        world.kube.errors["a"] = ApiError(429, "too many requests")
        world.kube.checks = 0
        world.kube.lists.clear()
        while not world.kube.checks:  # noqa: ASYNC110 - on virtual time
            await asyncio.sleep(0.1)
        del world.kube.errors["a"]
        assert world.all.is_served("a")
        await asyncio.sleep(BACK_SECONDS)
        assert (world.lost, world.kube.lists) == ([], [])
        world.kube.errors["a"] = ApiError(429, "too many requests")
        await asyncio.sleep(BACK_SECONDS)
        assert world.lost == [("a", False)]


def test_at_rest_there_is_one_full_list_in_ten_minutes_and_one_small_read_in_30_seconds() -> None:
    @scenario("a")
    async def _(world: World) -> None:
        await asyncio.sleep(60)
        assert len(world.kube.lists) == 2 * len(api.WATCHED)
        world.kube.lists.clear()
        world.kube.checks = 0
        await asyncio.sleep(3600)
        assert 5 * len(api.WATCHED) <= len(world.kube.lists) <= 7 * len(api.WATCHED)
        assert 110 <= world.kube.checks <= 125
        assert all(not first for _, _, first in world.told[1:])


def test_what_ended_before_its_watch_began_is_found_soon() -> None:
    @scenario("a")
    async def _(world: World) -> None:
        world.kube.put(api.VISION_MODELS, model("a"))
        await asyncio.sleep(1)
        world.kube.lose(api.VISION_MODELS, "a", "m")
        await asyncio.sleep(CHECK_SECONDS + 1)
        assert world.store.get(api.VISION_MODELS, "a", "m") is None
        assert world.told == [("a", 1, True), ("a", 1, False)]


def test_a_missed_deletion_is_found_by_the_next_list() -> None:
    @scenario("a")
    async def _(world: World) -> None:
        world.kube.put(api.VISION_MODELS, model("a"))
        await asyncio.sleep(60)
        world.kube.lose(api.VISION_MODELS, "a", "m")
        await asyncio.sleep(800)
        assert world.store.get(api.VISION_MODELS, "a", "m") is None
        assert ("a", 1, False) in world.told


def test_what_a_list_that_broke_off_found_is_told_all_the_same() -> None:
    """The store has it: nobody would hear of it later."""

    class Breaking(Places):
        async def snapshot(self, resource: Resource, namespace: str, *, labels: str = "") -> Listing:
            if resource is api.PODS:
                raise ApiError(500, "cannot be decoded")
            return await super().snapshot(resource, namespace, labels=labels)

    async def body() -> None:
        world = World("a")
        kube = world.all.by_name["a"].kube = Breaking()
        kube.put(api.VISION_MODELS, samples.body(namespace="a"))
        task = world.start()[0]
        await asyncio.sleep(0.1)
        assert world.told[0] == ("a", 1, False)
        assert world.all.by_name["a"].health is Health.UNREACHABLE
        task.cancel()

    run(body())


def test_a_mistake_of_ours_with_one_namespace_stops_no_other_and_is_told() -> None:
    class Odd(Places):
        async def is_readable(self, resource: Resource, namespace: str) -> None:
            if namespace == "a":
                raise TypeError("unhashable type: 'list'")

    async def body() -> None:
        world, lost = World("a", "b"), []
        for one in world.all.by_name.values():
            one.kube, one.lost = Odd(), lambda name, is_refused: lost.append((name, is_refused))
        tasks = world.start()
        await asyncio.sleep(100)
        assert not any(task.done() for task in tasks)
        assert world.all.by_name["b"].health is Health.HEALTHY
        assert "made a mistake (TypeError" in world.all.by_name["a"].message
        assert lost == [("a", False)], "told once"
        for task in tasks:
            task.cancel()

    run(body())
