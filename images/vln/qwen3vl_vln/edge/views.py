"""Who watches which task, and what the worker draws for them: each picture once, for any number of viewers, and
nothing while nobody looks.

Nothing here is called for a frame of a robot. A look every few hundredths of a second takes the newest picture of each
watched task; the worker has at most one of them in hand, so a slow one makes fewer pictures and no queue."""

import asyncio
import base64
import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from qwen3vl_common.navigation.states import Reason, State
from qwen3vl_vln.edge.link import WATCHED_MOST
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.errors import EndedUnseenError, NoPictureError, TooManyViewersError
from qwen3vl_vln.ipc.channel import Message
from qwen3vl_vln.overlay.scene import Scene
from qwen3vl_vln.task.task import Task

VIEWERS_MOST, VIEWERS_PER_TASK = 32, 8
LOOK_SECONDS = 0.04
SHOW_SECONDS = 0.095
"""Between two pictures of a task."""
IDLE_SECONDS = 1.0
"""A picture that no newer one follows is drawn again, so that its age and the state stay true."""
ASKED_SECONDS = 2.0
"""A robot that wants pictures in its answers counts as a viewer for this long after each frame."""
FRESH_SECONDS, SNAPSHOT_SECONDS = 0.5, 2.0
NOTHING = b"\xff\xd8"
"""Drawn over black: the picture itself takes long to decode."""
STALLED_SECONDS = 5.0
"""A stream that should have pictures and gets none is ended, so that nobody takes an old one for the present."""


class Screen(Protocol):
    """The worker, as far as it draws: it has `WATCHED_MOST` places for pictures and as many for drawn ones."""

    restarts: int

    def show(self, slot: int, picture: bytes, body: Message) -> bool:
        """Give a picture to be drawn; False when nobody is there to take it."""

    def drawn(self, slot: int, size: int) -> bytes:
        """What was drawn."""


@dataclass(frozen=True)
class Rendering:
    """A picture as viewers get it, made at `at`, with its turn among those of its task; `last`: the task has ended."""

    jpeg: bytes
    at: float
    number: int
    last: bool


@dataclass(frozen=True)
class _Shown:
    watch: "Watch"
    generation: int
    at: float
    last: bool


@dataclass(eq=False)
class Watch:
    """A task that somebody watches.

    Attributes:
        asked_at: when an answer last wanted its picture.
        newer: done when another rendering is there, or when there will be none.
        text: the rendering as base64, for answers.
    """

    task: Task
    slot: int
    viewers: int = 0
    asked_at: float = -math.inf
    rendering: Rendering | None = None
    text: str | None = None
    over: bool = False
    newer: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    picture: bytes = b""
    picture_at: float = 0.0
    shown_at: float = -math.inf
    _shown: tuple[float, Any] = (0.0, None)

    def next_picture(self, now: float) -> bytes | None:
        """The picture to draw now, if one is due."""
        newest = self.task.eyes.newest
        if newest is not None:
            self.picture, self.picture_at = newest
        if self.picture and self.task.eyes.fault is Reason.COSTLY_PICTURE:
            self.picture = NOTHING
        present = self.picture_at, self.task.state(now)
        since = now - self.shown_at
        if not self.picture or self.over or since < SHOW_SECONDS:
            return None
        if present == self._shown and (since < IDLE_SECONDS or not self.viewers):
            return None
        self._shown, self.shown_at = present, now
        return self.picture

    def drawn_since(self, then: float) -> Rendering | None:
        """The newest rendering, if it is no older than that."""
        return self.rendering if self.rendering is not None and self.rendering.at >= then else None

    def wake(self) -> None:
        """Tell those who wait."""
        self.newer.set_result(None)
        self.newer = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """There will be no more pictures."""
        self.over = True
        self.wake()


@dataclass
class Viewer:
    """One who watches; the way to pictures."""

    watch: Watch
    _seen: int = 0

    async def next(self, gone: "asyncio.Task[None]") -> Rendering | None:
        """The newest rendering that was not seen yet, however many were missed; None when there are no more, or when
        `gone` is done."""
        watch = self.watch
        while not gone.done():
            rendering = watch.rendering
            if rendering is not None and rendering.number > self._seen:
                self._seen = rendering.number
                return rendering
            if watch.over:
                return None
            # A robot that has not sent a picture is waited for.
            due = bool(watch.picture)
            waited = {watch.newer, gone}
            done, _ = await asyncio.wait(waited, timeout=STALLED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if due and not done:
                return None
        return None


@dataclass
class Views:
    """All watches of this process."""

    screen: Screen
    metrics: Metrics
    _watches: dict[str, Watch] = field(default_factory=dict)
    _free: list[int] = field(default_factory=lambda: list(range(WATCHED_MOST)))
    _shown: dict[int, _Shown] = field(default_factory=dict)
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    _viewers: int = 0
    _closed: bool = False

    # Viewers ---------------------------------------------------------------------------------------------------------

    def open(self, task: Task) -> Viewer:
        """Begin to watch; `close` it.

        Raises:
            TooManyViewersError: see there.
            EndedUnseenError: there will be no picture.
        """
        watch = self._watch(task)
        if self._viewers >= VIEWERS_MOST:
            raise TooManyViewersError(f"{VIEWERS_MOST} viewers watch already; close one")
        if watch is None:
            raise TooManyViewersError(f"{WATCHED_MOST} tasks are watched already; close the views of one")
        if watch.viewers >= VIEWERS_PER_TASK:
            raise TooManyViewersError(f"{VIEWERS_PER_TASK} viewers watch task {task.task_id!r} already; close one")
        watch.viewers += 1
        self._count(+1)
        return Viewer(watch)

    def close(self, viewer: Viewer) -> None:
        """One who watched is gone."""
        viewer.watch.viewers -= 1
        self._count(-1)
        self._leave(viewer.watch, time.monotonic())

    async def snapshot(self, task: Task) -> Rendering:
        """One rendering of now.

        Raises:
            TooManyViewersError, EndedUnseenError: see `open`.
            NoPictureError: the robot has sent none, or it was not drawn in time.
        """
        viewer = self.open(task)
        watch, began = viewer.watch, time.monotonic()
        try:
            self._show(watch, began)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SNAPSHOT_SECONDS):
                    while not watch.over and watch.drawn_since(began - FRESH_SECONDS) is None:
                        await asyncio.wait({watch.newer})
        finally:
            self.close(viewer)
        rendering = watch.rendering if watch.over else watch.drawn_since(began - FRESH_SECONDS)
        if rendering is None:
            missing = f"the picture was not drawn in {SNAPSHOT_SECONDS:g} s"
            raise NoPictureError(missing if watch.picture else "the robot has not sent a picture yet")
        return rendering

    def visualized(self, task: Task, now: float) -> str | None:
        """The last rendering as base64, for the answer of a task that wants it; never waits."""
        try:
            watch = self._watch(task)
        except EndedUnseenError:
            return None
        if watch is None:
            return None
        watch.asked_at = now
        return watch.text

    def end_all(self) -> None:
        """This process ends."""
        self._closed = True
        for watch in list(self._watches.values()):
            watch.end()

    def _count(self, change: int) -> None:
        self._viewers += change
        self.metrics.viewers(self._viewers)

    def _watch(self, task: Task) -> Watch | None:
        watch = self._watches.get(task.task_id)
        if watch is not None and watch.task is task:
            return watch
        if task.verdict is not None or self._closed:
            raise EndedUnseenError(f"task {task.task_id!r} has ended; its pictures are not kept")
        if watch is not None:  # of a task that was deleted and made again with the same name
            self._remove(watch)
        if not self._free:
            return None
        watch = self._watches[task.task_id] = Watch(task, self._free.pop())
        self._some.set()
        return watch

    def _leave(self, watch: Watch, now: float) -> None:
        if not watch.viewers and now - watch.asked_at > ASKED_SECONDS:
            self._remove(watch)

    def _remove(self, watch: Watch) -> None:
        if self._watches.get(watch.task.task_id) is watch:
            del self._watches[watch.task.task_id]
            self._free.append(watch.slot)
            watch.end()
        if not self._watches:
            self._some.clear()

    # Drawing ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look until cancelled; sleeps while nobody watches."""
        while True:
            await self._some.wait()
            self.look(time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, now: float) -> None:
        """Give the worker what is new of each watched task."""
        for watch in list(self._watches.values()):
            self._leave(watch, now)
            self._show(watch, now)

    def _show(self, watch: Watch, now: float) -> None:
        shown = self._shown.get(watch.slot)
        # What a worker that is gone had in hand will not come.
        if watch.over or (shown is not None and shown.generation == self.screen.restarts):
            return
        picture = watch.next_picture(now)
        if picture is None:
            if watch.task.verdict is not None and not watch.picture:
                watch.end()
            return
        body = {"type": "show", "task": watch.task.task_id, "slot": watch.slot}
        scene = scene_of(watch.task, now, time.time(), picture_at=watch.picture_at)
        if self.screen.show(watch.slot, picture, body | {"scene": scene.as_json()}):
            last = watch.task.verdict is not None
            self._shown[watch.slot] = _Shown(watch, self.screen.restarts, now, last)

    def rendered(self, message: Message) -> None:
        """The worker has drawn what it was given, or could not (size 0)."""
        shown = self._shown.pop(message["slot"], None)
        if shown is None or not message["size"]:
            self.metrics.rendered(drawn=False)
            return
        self.metrics.rendered(drawn=True)
        watch = shown.watch
        if watch.over:
            return
        number = 1 + (watch.rendering.number if watch.rendering is not None else 0)
        jpeg = self.screen.drawn(message["slot"], message["size"])
        watch.rendering = Rendering(jpeg, shown.at, number, shown.last)
        if watch.asked_at > shown.at - ASKED_SECONDS:
            watch.text = base64.b64encode(jpeg).decode()
        if shown.last:
            watch.end()
        else:
            watch.wake()


def scene_of(task: Task, now: float, wall: float, *, picture_at: float) -> Scene:
    """What is said about a task now, over its picture of `picture_at`."""
    state, reason = task.state(now)
    follower, reckoning = task.follower, task.execution.reckoning
    moving = state is State.MOVING
    clock = time.strftime("%H:%M:%S", time.gmtime(wall)) + f".{int(wall * 10) % 10}Z"
    return Scene(
        camera=task.settings.camera,
        rest=tuple(task.execution.rest()),
        v=reckoning.commanded_v if moving else 0.0,
        w=reckoning.commanded_w if moving else 0.0,
        state=state.value,
        reason=reason.value,
        plan_age_seconds=None if follower is None else now - follower.started_at,
        picture_age_seconds=max(0.0, now - picture_at),
        progress=task.progress,
        instruction=task.settings.instruction,
        environment=task.environment,
        message=task.explain(state, reason),
        at=clock,
    )
