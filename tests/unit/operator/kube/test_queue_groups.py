"""Groups of keys on virtual time: they take turns, none goes beyond its share while another waits, no worker idles."""

import asyncio
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.virtual_time import run
from tests.unit.operator.kube.workers import Recorder, now, working

from qwen3vl_operator.kube.queue import Queue


def group_of(key: str) -> str:
    """The group of `a3` is `a`."""
    return key[0]


def test_groups_take_turns() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](group=group_of), Recorder(seconds=1)
        for key in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"):
            queue.add(key)
        async with working(queue, handle):
            await asyncio.sleep(100)
        assert [key for _, key in handle.started] == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]

    run(scenario())


def test_a_lone_group_uses_all_workers() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](group=group_of), Recorder(seconds=10)
        for number in range(9):
            queue.add(f"a{number}")
        async with working(queue, handle, workers=8):
            await asyncio.sleep(100)
        assert [time for time, _ in handle.started] == [0] * 8 + [10]

    run(scenario())


def test_workers_kept_in_reserve_serve_a_group_that_comes_later_at_once() -> None:
    async def scenario() -> None:
        queue, handle = Queue[str](group=group_of, reserve=2), Recorder(seconds=60)
        for number in range(20):
            queue.add(f"a{number}")
        async with working(queue, handle, workers=8):
            await asyncio.sleep(5)
            assert len(handle.active) == 6
            for number in range(3):
                queue.add(f"b{number}")
            await asyncio.sleep(1)
            assert handle.times("b0") == handle.times("b1") == [5]
            assert handle.times("b2") == []
            await asyncio.sleep(3000)
        assert len(handle.started) == 23

    run(scenario())


def test_a_group_whose_passes_hang_is_not_felt_by_another() -> None:
    """With workers in reserve: without, the hanging group takes all of them whenever nobody else has keys due."""

    async def scenario() -> None:
        queue = Queue[str](group=group_of, reserve=2)
        served = []

        async def handle(key: str) -> float | None:
            if key.startswith("a"):
                await asyncio.sleep(60)
                return 0
            served.append(now())
            return None

        async with working(queue, handle, workers=8):
            for number in range(100):
                queue.add(f"a{number}")
            for _ in range(100):
                await asyncio.sleep(7)
                queue.add("b0")
            await asyncio.sleep(1)
        assert served == [7 * turn for turn in range(1, 101)]

    run(scenario())


class Observer(Recorder):
    """Checks, knowing only what was added when, that each pass was this group's to begin."""

    def __init__(self, share: int) -> None:
        super().__init__()
        self.share = share
        self.waiting: dict[str, float] = {}
        self.durations: dict[str, float] = {}

    def add(self, queue: Queue[str], key: str, after: float) -> None:
        queue.add(key, after)
        # What is added without a delay is due at once, a timer of this very instant may still have to ring.
        due = now() + after if after else now() - 0.001
        self.waiting[key] = min(self.waiting.get(key, float("inf")), due)

    def due_groups(self) -> set[str]:
        """Groups with a key that is due and that nobody works on."""
        return {group_of(key) for key, due in self.waiting.items() if due < now() and key not in self.active}

    def held(self) -> Counter[str]:
        return Counter(group_of(key) for key in self.active)

    async def __call__(self, key: str) -> float | None:
        del self.waiting[key]
        self.seconds = self.durations[key]
        if self.held()[group_of(key)] >= self.share:
            assert self.due_groups() <= {group_of(key)}, f"{key} began beyond its share"
        return await super().__call__(key)


KEYS = [group + number for group in "abc" for number in "0123"]
ADDS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(KEYS), st.sampled_from([0.0, 0.0, 3.0])), max_size=60)


@settings(deadline=None)
@given(
    adds=ADDS,
    workers=st.integers(1, 8),
    share=st.integers(1, 3),
    durations=st.lists(st.sampled_from([0.0, 0.7, 5.0]), min_size=len(KEYS), max_size=len(KEYS)),
)
def test_no_group_goes_beyond_its_share_while_another_waits_and_no_worker_idles(
    adds: list[tuple[int, str, float]], workers: int, share: int, durations: list[float]
) -> None:
    async def scenario() -> None:
        queue, observer = Queue[str](group=group_of, share=share), Observer(share)
        observer.durations = dict(zip(KEYS, durations, strict=True))
        failed = []

        async def handle(key: str) -> float | None:
            try:
                return await observer(key)
            except AssertionError as error:
                failed.append(str(error))
                raise

        pending = sorted(adds)
        async with working(queue, handle, workers):
            for tick in range(40):
                while pending and pending[0][0] <= tick:
                    _, key, after = pending.pop(0)
                    observer.add(queue, key, after)
                await asyncio.sleep(0.45)
                due, held = observer.due_groups(), observer.held()
                if held.total() < workers:
                    assert len(due) != 1, f"a worker idles although only {due} has keys due"
                    assert all(held[group] >= share for group in due), f"a worker idles: {due} due, {held} held"
                await asyncio.sleep(0.55)
            await asyncio.sleep(400)
        assert failed == []
        assert observer.waiting == {}, "lost"
        assert {key for _, key in observer.started} == {key for _, key, _ in adds}

    run(scenario())


@settings(deadline=None)
@given(adds=ADDS, cancelled=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=6))
def test_workers_that_are_cancelled_lose_no_key(
    adds: list[tuple[int, str, float]], cancelled: list[tuple[int, int]]
) -> None:
    """Whatever they are at: each key is followed by a pass that ended."""

    async def scenario() -> None:
        queue = Queue[str](group=group_of)
        ended: dict[str, float] = {}
        active = set()

        async def handle(key: str) -> None:
            assert key not in active
            active.add(key)
            began = now()
            try:
                await asyncio.sleep(1.5)
                ended[key] = began
            finally:
                active.remove(key)

        async with working(queue, handle, workers=4) as workers:
            for tick in range(13):
                for time, key, after in adds:
                    if time == tick:
                        queue.add(key, after)
                await asyncio.sleep(0)
                for time, number in cancelled:
                    if time == tick:
                        workers[number].cancel()
                        workers.append(asyncio.create_task(queue.work(handle)))
                await asyncio.sleep(1)
            await asyncio.sleep(100)
        for time, key, after in adds:
            assert ended[key] >= time + after - 3.0
        assert queue.depth == 0

    run(scenario())
