"""Who watches which task, and what the worker draws for them: each image once, for any number of viewers, and
nothing while nobody looks.

Nothing here is called for a frame of a robot. A look every few hundredths of a second takes the newest image of each
watched task; the worker has at most one of them in hand, so a slow one makes fewer images and no queue."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from qwen3vl_vln.edge.drawings import Drawings, Screen
from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.watches import ASKED_SECONDS, Rendering, Viewer, Watch
from qwen3vl_vln.errors import EndedUnseenError, NoImageError, TooManyViewersError
from qwen3vl_vln.ipc.frame_slots import VIEW_SLOTS
from qwen3vl_vln.ipc.to_edge import ViewDrawn
from qwen3vl_vln.task.task import Task

VIEWERS_MOST, VIEWERS_PER_TASK = 32, 8
LOOK_SECONDS = 0.04
FRESH_SECONDS, SNAPSHOT_SECONDS = 0.5, 2.0


@dataclass
class Views:
    """All watches of this process."""

    screen: Screen
    metrics: Metrics
    _watches: dict[str, Watch] = field(default_factory=dict)
    _free: list[int] = field(default_factory=lambda: list(range(VIEW_SLOTS)))
    _some: asyncio.Event = field(default_factory=asyncio.Event)
    _viewers: int = 0
    _closed: bool = False

    def __post_init__(self) -> None:
        self._drawings = Drawings(self.screen, self.metrics)

    # Viewers ---------------------------------------------------------------------------------------------------------

    def open(self, task: Task) -> Viewer:
        """Begin to watch; `close` it.

        Raises:
            TooManyViewersError: see there.
            EndedUnseenError: there will be no image.
        """
        watch = self._watch(task)
        if self._viewers >= VIEWERS_MOST:
            raise TooManyViewersError(f"{VIEWERS_MOST} viewers watch already; close one")
        if watch is None:
            raise TooManyViewersError(f"{VIEW_SLOTS} tasks are watched already; close the views of one")
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
            NoImageError: the robot has sent none, or it was not drawn in time.
        """
        viewer = self.open(task)
        watch, began = viewer.watch, time.monotonic()
        try:
            self._drawings.show(watch, began)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SNAPSHOT_SECONDS):
                    while not watch.over and watch.drawn_since(began - FRESH_SECONDS) is None:
                        await asyncio.wait({watch.newer})
        finally:
            self.close(viewer)
        rendering = watch.rendering if watch.over else watch.drawn_since(began - FRESH_SECONDS)
        if rendering is None:
            missing = f"the picture was not drawn in {SNAPSHOT_SECONDS:g} s"
            raise NoImageError(missing if watch.image else "the robot has not sent a picture yet")
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
            self._drawings.show(watch, now)

    def rendered(self, message: ViewDrawn) -> None:
        """The worker has drawn what it was given, or could not (size 0)."""
        self._drawings.rendered(message)
