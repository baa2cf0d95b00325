"""A watched task: which of its images is to be drawn next, what was drawn, and those who wait for it."""

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

from qwen3vl_common.navigation.states import Reason
from qwen3vl_vln.task.task import Task

SHOW_SECONDS = 0.095
"""Between two images of a task."""
IDLE_SECONDS = 1.0
"""An image that no newer one follows is drawn again, so that its age and the state stay true."""
ASKED_SECONDS = 2.0
"""A robot that wants images in its answers counts as a viewer for this long after each frame."""
NOTHING = b"\xff\xd8"
"""Drawn over black: the image itself takes long to decode."""
STALLED_SECONDS = 5.0
"""A stream that should have images and gets none is ended, so that nobody takes an old one for the present."""


@dataclass(frozen=True)
class Rendering:
    """An image as viewers get it, made at `at`, with its turn among those of its task; `last`: the task has ended."""

    jpeg: bytes
    at: float
    number: int
    last: bool


@dataclass(eq=False)
class Watch:
    """A task that somebody watches.

    Attributes:
        asked_at: when an answer last wanted its image.
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
    image: bytes = b""
    image_at: float = 0.0
    shown_at: float = -math.inf
    _shown: tuple[float, Any] = (0.0, None)

    def next_image(self, now: float) -> bytes | None:
        """The image to draw now, if one is due."""
        newest = self.task.camera_monitor.newest
        if newest is not None:
            self.image, self.image_at = newest
        if self.image and self.task.camera_monitor.fault is Reason.COSTLY_PICTURE:
            self.image = NOTHING
        present = self.image_at, self.task.state(now)
        since = now - self.shown_at
        if not self.image or self.over or since < SHOW_SECONDS:
            return None
        if present == self._shown and (since < IDLE_SECONDS or not self.viewers):
            return None
        self._shown, self.shown_at = present, now
        return self.image

    def drawn_since(self, then: float) -> Rendering | None:
        """The newest rendering, if it is no older than that."""
        return self.rendering if self.rendering is not None and self.rendering.at >= then else None

    def wake(self) -> None:
        """Tell those who wait."""
        self.newer.set_result(None)
        self.newer = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """There will be no more images."""
        self.over = True
        self.wake()


@dataclass
class Viewer:
    """One who watches; the way to images."""

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
            # A robot that has not sent an image is waited for.
            due = bool(watch.image)
            waited = {watch.newer, gone}
            done, _ = await asyncio.wait(waited, timeout=STALLED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if due and not done:
                return None
        return None
