"""Tickets and views: who is let in, and what is given to the worker, on a virtual clock."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.images import jpeg

from qwen3vl_vln.edge.http.tickets import TICKET_SECONDS, TICKETS_MOST, Tickets
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.views import (
    VIEWERS_MOST,
    VIEWERS_PER_TASK,
    Views,
)
from qwen3vl_vln.edge.watches import ASKED_SECONDS, IDLE_SECONDS, STALLED_SECONDS
from qwen3vl_vln.errors import EndedUnseenError, NoImageError, TooManyTicketsError, TooManyViewersError
from qwen3vl_vln.ipc.frame_slots import VIEW_SLOTS
from qwen3vl_vln.ipc.to_edge import ViewDrawn
from qwen3vl_vln.overlay.render import decode, render
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.overlay.text import Writer, find_font
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.settings import Settings
from qwen3vl_vln.task.task import Task


class TestTickets:
    def test_one_is_good_once(self) -> None:
        tickets = Tickets()
        ticket = tickets.give("a", 0.0)
        assert tickets.take(ticket, "a", 1.0)
        assert not tickets.take(ticket, "a", 1.0)

    def test_for_a_minute(self) -> None:
        tickets = Tickets()
        early, late = tickets.give("a", 0.0), tickets.give("a", 0.0)
        assert tickets.take(early, "a", TICKET_SECONDS - 0.01)
        assert not tickets.take(late, "a", TICKET_SECONDS)

    def test_for_its_own_task(self) -> None:
        tickets = Tickets()
        ticket = tickets.give("a", 0.0)
        assert not tickets.take(ticket, "b", 1.0)
        assert not tickets.take(ticket, "a", 1.0), "trying it elsewhere uses it up"

    @given(st.text())
    def test_no_other_word_is_one(self, word: str) -> None:
        tickets = Tickets()
        tickets.give("a", 0.0)
        assert not tickets.take(word, "a", 1.0) and not tickets.take(word, "", 0.0)

    def test_only_so_many_are_kept_and_old_ones_make_room(self) -> None:
        tickets = Tickets()
        given = {tickets.give("a", 0.0) for _ in range(TICKETS_MOST)}
        assert len(given) == TICKETS_MOST
        with pytest.raises(TooManyTicketsError, match=str(TICKETS_MOST)):
            tickets.give("a", TICKET_SECONDS / 2)
        tickets.give("a", TICKET_SECONDS)
        assert len(tickets) == 1

    def test_they_are_not_to_be_read_from_memory(self) -> None:
        tickets = Tickets()
        ticket = tickets.give("a", 0.0)
        assert ticket not in repr(tickets)


@dataclass
class Drawer:
    """A worker that draws when it is told to, and sees that nobody writes where it still reads."""

    restarts: int = 0
    here: bool = True
    given: dict[int, tuple[bytes, Scene]] = field(default_factory=dict)
    outputs: dict[int, bytes] = field(default_factory=dict)
    shown: int = 0
    writer: Writer = field(default_factory=lambda: Writer(find_font()))

    def show(self, task_id: str, slot: int, picture: bytes, scene: Scene) -> bool:
        assert slot not in self.given, "the place is still in use"
        if self.here:
            self.given[slot] = picture, scene
            self.shown += 1
        return self.here

    def drawn(self, slot: int, size: int) -> bytes:
        assert len(self.outputs[slot]) == size
        return self.outputs[slot]

    def draw(self, views: Views) -> None:
        """Draw all that was given."""
        for slot, (picture, scene) in list(self.given.items()):
            self.outputs[slot] = render(picture, scene, self.writer)
            del self.given[slot]
            views.rendered(ViewDrawn(slot=slot, size=len(self.outputs[slot])))

    def restart(self) -> None:
        self.restarts += 1
        self.given.clear()


def robot(task_id: str = "a", at: float | None = 0.0) -> Task:
    task = Task(task_id, "boot", Settings(robot=task_id, instruction="go"), 0.0)
    if at is not None:
        send(task, at)
    return task


def send(task: Task, at: float) -> None:
    task.frame(Frame(at, image=jpeg(seed=int(at * 100) % 50)))


def scene(drawer: Drawer, slot: int) -> Scene:
    return drawer.given[slot][1]


async def nothing() -> None:
    """A viewer's connection that does not end."""
    await asyncio.Event().wait()


@pytest.fixture
def drawer() -> Drawer:
    return Drawer()


@pytest.fixture
async def views(drawer: Drawer) -> Views:
    return Views(drawer, Metrics())


class TestViews:
    async def test_a_picture_is_drawn_once_for_all_viewers(self, views: Views, drawer: Drawer) -> None:
        task, gone = robot(), asyncio.create_task(nothing())
        viewers = [views.open(task) for _ in range(5)]
        views.look(0.1)
        drawer.draw(views)
        seen = [await viewer.next(gone) for viewer in viewers]
        assert drawer.shown == 1 and seen[0] is not None and all(each is seen[0] for each in seen)
        assert decode(seen[0].jpeg).shape == (48, 64, 3)
        gone.cancel()

    async def test_a_slow_worker_gets_the_newest_and_no_queue(self, views: Views, drawer: Drawer) -> None:
        task = robot()
        viewer = views.open(task)
        for turn in range(1, 40):
            send(task, turn / 10)
            views.look(turn / 10)
        assert drawer.shown == 1, "the worker has not told that it drew the first"
        drawer.draw(views)
        views.look(4.0)
        assert drawer.given[viewer.watch.slot][0] == jpeg(seed=390 % 50)

    async def test_at_most_ten_a_second(self, views: Views, drawer: Drawer) -> None:
        task = robot()
        views.open(task)
        for turn in range(1, 101):
            send(task, turn / 50)
            views.look(turn / 50)
            drawer.draw(views)
        assert 18 <= drawer.shown <= 22

    async def test_nobody_watches(self, views: Views, drawer: Drawer) -> None:
        task = robot()
        viewer = views.open(task)
        views.look(0.1)
        drawer.draw(views)
        views.close(viewer)
        for turn in range(2, 50):
            send(task, turn / 10)
            views.look(turn / 10)
        assert drawer.shown == 1

    async def test_a_robot_that_falls_silent_is_drawn_with_its_state_and_the_picture_age(
        self, views: Views, drawer: Drawer
    ) -> None:
        task = robot()
        viewer = views.open(task)
        views.look(0.1)
        drawer.draw(views)
        views.look(0.5)
        assert drawer.shown == 1
        views.look(0.1 + IDLE_SECONDS)
        assert scene(drawer, viewer.watch.slot).picture_age_seconds == pytest.approx(0.1 + IDLE_SECONDS)
        drawer.draw(views)
        task.pause()
        views.look(1.3)
        assert (scene(drawer, viewer.watch.slot).state, scene(drawer, viewer.watch.slot).v) == ("hold", 0.0)

    async def test_the_end_is_drawn_and_ends_the_view(self, views: Views, drawer: Drawer) -> None:
        task, gone = robot(), asyncio.create_task(nothing())
        viewer = views.open(task)
        views.look(0.1)
        drawer.draw(views)
        task.stop(0.2, 0.2)
        views.look(0.3)
        assert scene(drawer, viewer.watch.slot).state == "stopped"
        drawer.draw(views)
        last = await viewer.next(gone)
        assert last is not None and last.last and await viewer.next(gone) is None
        views.close(viewer)
        with pytest.raises(EndedUnseenError, match="has ended"):
            views.open(task)
        gone.cancel()

    async def test_a_worker_that_ended_with_a_picture_in_hand(self, views: Views, drawer: Drawer) -> None:
        task = robot()
        views.open(task)
        views.look(0.1)
        drawer.restart()
        drawer.here = False
        send(task, 0.3)
        views.look(0.3)
        drawer.here = True
        send(task, 0.5)
        views.look(0.5)
        assert drawer.shown == 2

    async def test_a_late_picture_of_one_who_left_reaches_no_other_task(self, views: Views, drawer: Drawer) -> None:
        first, second = robot("first"), robot("second")
        viewer = views.open(first)
        views.look(0.1)
        views.close(viewer)
        other = views.open(second)
        assert other.watch.slot == viewer.watch.slot
        views.look(0.2)
        assert drawer.shown == 1, "the worker still draws what lies there"
        drawer.draw(views)
        assert other.watch.rendering is None
        views.look(0.3)
        drawer.draw(views)
        assert other.watch.rendering is not None

    async def test_answers_that_want_pictures_watch_while_frames_come(self, views: Views, drawer: Drawer) -> None:
        task = robot()
        assert views.visualized(task, 0.0) is None
        views.look(0.1)
        drawer.draw(views)
        assert views.visualized(task, 0.2) is not None
        for turn in range(3, 100):
            views.look(turn / 10)
            drawer.draw(views)
        assert drawer.shown == 1, "no newer picture came"
        send(task, 10.0)
        views.look(10.0 + ASKED_SECONDS)
        assert drawer.shown == 1, "nobody asks any more"

    async def test_bounds(self, views: Views) -> None:
        tasks = [robot(str(number)) for number in range(VIEW_SLOTS + 1)]
        for task in tasks[:VIEW_SLOTS]:
            assert views.visualized(task, 0.0) is None
        with pytest.raises(TooManyViewersError, match=f"{VIEW_SLOTS} tasks"):
            views.open(tasks[-1])
        assert views.visualized(tasks[-1], 0.0) is None
        for number in range(VIEWERS_MOST):
            views.open(tasks[number // VIEWERS_PER_TASK])
        with pytest.raises(TooManyViewersError, match=f"{VIEWERS_MOST} viewers"):
            views.open(tasks[5])

    async def test_a_snapshot_waits_for_the_first_picture_but_not_for_ever(
        self, views: Views, drawer: Drawer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("qwen3vl_vln.edge.views.SNAPSHOT_SECONDS", 0.05)
        with pytest.raises(NoImageError, match="not sent a picture"):
            await views.snapshot(robot(at=None))
        with pytest.raises(NoImageError, match="not drawn"):
            await views.snapshot(robot("b"))

    async def test_a_view_that_stalls_ends(self, views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
        assert STALLED_SECONDS > 2 * IDLE_SECONDS
        monkeypatch.setattr("qwen3vl_vln.edge.watches.STALLED_SECONDS", 0.05)
        gone = asyncio.create_task(nothing())
        waiting, stalled = views.open(robot("waiting", at=None)), views.open(robot("stalled"))
        views.look(0.1)
        assert await stalled.next(gone) is None
        patient = asyncio.create_task(waiting.next(gone))
        done, _ = await asyncio.wait({patient}, timeout=0.2)
        assert not done, "a robot that has not come yet is waited for"
        gone.cancel()
        assert await patient is None
