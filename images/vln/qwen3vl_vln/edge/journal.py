"""What recorded tasks answered and planned, gathered here and sent to the worker in batches: on the way of an answer
stands one append."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from qwen3vl_vln.ipc.channel import Message
from qwen3vl_vln.task.answer import Answer
from qwen3vl_vln.task.task import Task

FLUSH_SECONDS = 0.5
KEPT_MOST = 20_000
"""Answers that wait at most; the worker that wants none is busy or dead."""
BATCH_MOST = 1000
"""Answers in one message, whose length is bounded."""
_EMPTY = {"type": "record", "answers": [], "plans": [], "lost": 0, "end": False}


class Journal:
    """Gathers.

    Args:
        send: takes messages for the worker.
    """

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._answers: list[tuple[str, tuple[Any, ...]]] = []
        self._plans: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._ending: set[str] = set()
        self._lost: dict[str, int] = defaultdict(int)
        self._flushed = 0.0

    def answered(self, task_id: str, body: Answer, now: float) -> None:
        """An answer went out."""
        row = (
            now,
            body["frame_id"],
            body["seq"],
            body["state"],
            body["reason"],
            body["linear_vel"],
            body["angular_vel"],
            body["plan_id"],
            body["age_ms"],
        )
        self._answers.append((task_id, row))

    def planned(self, task: Task, frame: int, now: float, *, opening: bool) -> None:
        """The task began a plan."""
        follower = task.follower
        if follower is None:
            return
        fix, place = follower.anchor, follower.anchor.odometry
        self._plans[task.task_id].append(
            {
                "at": now,
                "plan_id": follower.plan_id,
                "frame": frame,
                "epoch": task.epoch,
                "waypoints": [(point.dx, point.dy, point.dtheta) for point in follower.plan.waypoints],
                "anchor": None if place is None else (place.x, place.y, place.yaw, fix.origin),
                "age_seconds": now - follower.started_at,
                "model_seconds": follower.model_seconds,
                "validity_seconds": follower.validity_seconds,
                "opening": opening,
            }
        )

    def ends(self, task_id: str) -> None:
        """The task has its verdict: what it answers until the next batch is the last that is recorded."""
        self._ending.add(task_id)

    def flush(self, now: float, *, silent: bool) -> None:
        """Send what there is, if it is time.

        Args:
            silent: nothing is heard of the worker; what waits is kept within bounds.
        """
        if silent:
            self._drop()
        elif now - self._flushed >= FLUSH_SECONDS:
            self._flushed = now
            self._send_all()

    def _drop(self) -> None:
        surplus = len(self._answers) - KEPT_MOST
        if surplus > 0:
            for task_id, _ in self._answers[:surplus]:
                self._lost[task_id] += 1
            del self._answers[:surplus]

    def _send_all(self) -> None:
        answers: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for task_id, row in self._answers:
            answers[task_id].append(row)
        plans, ending, lost = self._plans, self._ending, self._lost
        self._answers, self._plans, self._ending, self._lost = [], defaultdict(list), set(), defaultdict(int)
        for task_id in answers.keys() | plans.keys() | ending | lost.keys():
            rows = answers.get(task_id, [])
            for start in range(0, len(rows) - BATCH_MOST, BATCH_MOST):
                self._send({**_EMPTY, "task": task_id, "answers": rows[start : start + BATCH_MOST]})
            self._send(
                {
                    **_EMPTY,
                    "task": task_id,
                    "answers": rows[-(len(rows) % BATCH_MOST or BATCH_MOST) :],
                    "plans": plans.get(task_id, []),
                    "lost": lost.get(task_id, 0),
                    "end": task_id in ending,
                }
            )
