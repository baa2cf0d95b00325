"""Pictures that the worker draws for viewers: of each watched task one at a time."""

import base64
import time
from dataclasses import dataclass, field
from typing import Protocol

from qwen3vl_vln.edge.metrics import Metrics
from qwen3vl_vln.edge.scenes import scene_of
from qwen3vl_vln.edge.watches import ASKED_SECONDS, Rendering, Watch
from qwen3vl_vln.ipc.to_edge import ViewDrawn
from qwen3vl_vln.overlay.scene import Scene


class Screen(Protocol):
    """The worker, as far as it draws: it has `VIEW_SLOTS` places for images and as many for drawn ones."""

    @property
    def restarts(self) -> int:
        """So often it was started again."""

    def show(self, task_id: str, slot: int, image: bytes, scene: Scene) -> bool:
        """Give an image to be drawn; False when nobody is there to take it."""

    def drawn(self, slot: int, size: int) -> bytes:
        """What was drawn."""


@dataclass(frozen=True)
class _Shown:
    watch: Watch
    generation: int
    at: float
    last: bool


@dataclass
class Drawings:
    """What was given to the worker and is not told of yet, by its slot."""

    screen: Screen
    metrics: Metrics
    _shown: dict[int, _Shown] = field(default_factory=dict)

    def show(self, watch: Watch, now: float) -> None:
        """Give the worker what is new of a watched task, unless it still has the image before."""
        shown = self._shown.get(watch.slot)
        # What a worker that is gone had in hand will not come.
        if watch.over or (shown is not None and shown.generation == self.screen.restarts):
            return
        image = watch.next_image(now)
        if image is None:
            if watch.task.verdict is not None and not watch.image:
                watch.end()
            return
        scene = scene_of(watch.task, now, time.time(), image_at=watch.image_at)
        if self.screen.show(watch.task.task_id, watch.slot, image, scene):
            last = watch.task.verdict is not None
            self._shown[watch.slot] = _Shown(watch, self.screen.restarts, now, last)

    def rendered(self, message: ViewDrawn) -> None:
        """See `Views.rendered`."""
        shown = self._shown.pop(message.slot, None)
        if shown is None or not message.size:
            self.metrics.rendered(drawn=False)
            return
        self.metrics.rendered(drawn=True)
        watch = shown.watch
        if watch.over:
            return
        number = 1 + (watch.rendering.number if watch.rendering is not None else 0)
        jpeg = self.screen.drawn(message.slot, message.size)
        watch.rendering = Rendering(jpeg, shown.at, number, shown.last)
        if watch.asked_at > shown.at - ASKED_SECONDS:
            watch.text = base64.b64encode(jpeg).decode()
        if shown.last:
            watch.end()
        else:
            watch.wake()
