"""The parts of the worker, and which message of the edge is for which of them."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from qwen3vl_vln.ipc.frame_slots import Arena
from qwen3vl_vln.ipc.to_edge import ToEdge
from qwen3vl_vln.ipc.to_worker import (
    CameraFrame,
    DrawView,
    ForgetTask,
    JournalBatch,
    LeaveSlot,
    TaskUpdate,
    ToWorker,
    WorkerSettings,
)
from qwen3vl_vln.recording.recorder import Bounds, Recorder
from qwen3vl_vln.worker.model_client import ModelClient
from qwen3vl_vln.worker.renderer import OverlayRenderer
from qwen3vl_vln.worker.scheduler import InferenceScheduler
from qwen3vl_vln.worker.warm_up import WarmModel

MIB = 1024 * 1024


@dataclass
class Worker:
    """Everything that runs in this process; made and used within a running loop."""

    model: ModelClient
    scheduler: InferenceScheduler
    renderer: OverlayRenderer
    recorder: Recorder | None
    warming: "asyncio.Task[None] | None" = None

    def take(self, message: ToWorker) -> None:
        """Hand a message to those that it is for.

        Raises:
            ValueError: the settings come only once.
        """
        match message:
            case TaskUpdate() | ForgetTask():
                if self.recorder is not None:
                    self.recorder.take(message)
                self.scheduler.take(message)
            case CameraFrame() | LeaveSlot():
                self.scheduler.take(message)
            case JournalBatch():
                if self.recorder is not None:
                    self.recorder.take(message)
            case DrawView():
                self.renderer.take(message)
            case WorkerSettings():
                raise ValueError("the settings come first and only once")
            case _:
                assert_never(message)

    async def close(self) -> None:
        """End what runs here."""
        if self.warming is not None:
            self.warming.cancel()
        self.renderer.close()
        await self.scheduler.close()
        if self.recorder is not None:
            await self.recorder.close()
        await self.model.close()


def build(
    settings: WorkerSettings,
    send: Callable[[ToEdge], None],
    *,
    frames_fd: int,
    view_inputs_fd: int,
    view_outputs_fd: int,
) -> Worker:
    """The worker that the edge wants.

    Args:
        send: takes messages for the edge.
        frames_fd, view_inputs_fd, view_outputs_fd: memory of slots: for camera frames, and for images of viewers
            before and after they are drawn.
    """
    key = os.environ.get("QWEN3VL_GATEWAY_KEY") or None
    client = ModelClient(settings.gateway_url, key, timeout_seconds=settings.model_timeout_seconds)
    model = WarmModel(client, send)
    recorder = None
    if settings.recordings_dir is not None:
        bounds = Bounds(settings.recordings_max_mib * MIB, settings.recording_file_max_mib * MIB)
        recorder = Recorder(settings.recordings_dir, bounds, send)
    frames = Arena(frames_fd, settings.slots, settings.slot_bytes)
    scheduler = InferenceScheduler(
        settings.model_name,
        model,
        send,
        frames.read,
        calls=settings.max_model_calls,
        context_length=settings.context_length,
        recorder=recorder,
        timeout_seconds=settings.model_timeout_seconds,
    )
    inputs = Arena(view_inputs_fd, settings.view_slots, settings.slot_bytes)
    outputs = Arena(view_outputs_fd, settings.view_slots, settings.output_slot_bytes)
    warming = None
    if settings.warm_up:
        warming = asyncio.create_task(model.warm_up(settings.model_name, settings.context_length))
    return Worker(client, scheduler, OverlayRenderer(send, inputs, outputs), recorder, warming)
