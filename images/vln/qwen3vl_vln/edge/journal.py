"""What recorded tasks answered and planned, gathered here and sent to the worker in batches: on the way of an answer
stands one append."""

from collections import defaultdict
from collections.abc import Callable

from qwen3vl_vln.ipc.rows import AnswerRow, OdometryPose, PlanRow
from qwen3vl_vln.ipc.to_worker import JournalBatch
from qwen3vl_vln.task.answer import Answer
from qwen3vl_vln.task.task import Task

FLUSH_SECONDS = 0.5
KEPT_MOST = 20_000
"""Answers that wait at most; the worker that wants none is busy or dead."""
BATCH_MOST = 1000
"""Answers in one message, whose length is bounded."""


class Journal:
    """Gathers.

    Args:
        send: takes messages for the worker.
    """

    def __init__(self, send: Callable[[JournalBatch], None]) -> None:
        self._send = send
        self._answers: list[tuple[str, AnswerRow]] = []
        self._plans: dict[str, list[PlanRow]] = defaultdict(list)
        self._ending: set[str] = set()
        self._lost: dict[str, int] = defaultdict(int)
        self._flushed = 0.0

    def answered(self, task_id: str, body: Answer, now: float) -> None:
        """An answer went out."""
        row = AnswerRow(
            at=now,
            frame_id=body["frame_id"],
            seq=body["seq"],
            state=body["state"],
            reason=body["reason"],
            linear_mps=body["linear_vel"],
            angular_rps=body["angular_vel"],
            plan_id=body["plan_id"],
            age_ms=body["age_ms"],
        )
        self._answers.append((task_id, row))

    def planned(self, task: Task, frame: int, now: float, *, opening: bool) -> None:
        """The task began a plan."""
        follower = task.follower
        if follower is None:
            return
        fix, place = follower.anchor, follower.anchor.odometry
        anchor = None if place is None else OdometryPose(x=place.x, y=place.y, yaw=place.yaw, origin=fix.origin)
        self._plans[task.task_id].append(
            PlanRow(
                at=now,
                plan_id=follower.plan_id,
                frame=frame,
                epoch=task.epoch,
                waypoints=follower.plan.waypoints,
                anchor=anchor,
                age_seconds=now - follower.started_at,
                model_seconds=follower.model_seconds,
                validity_seconds=follower.validity_seconds,
                opening=opening,
            )
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
        answers: dict[str, list[AnswerRow]] = defaultdict(list)
        for task_id, row in self._answers:
            answers[task_id].append(row)
        plans, ending, lost = self._plans, self._ending, self._lost
        self._answers, self._plans, self._ending, self._lost = [], defaultdict(list), set(), defaultdict(int)
        for task_id in answers.keys() | plans.keys() | ending | lost.keys():
            rows = answers.get(task_id, [])
            for start in range(0, len(rows) - BATCH_MOST, BATCH_MOST):
                self._send(JournalBatch(task_id=task_id, answers=tuple(rows[start : start + BATCH_MOST])))
            self._send(
                JournalBatch(
                    task_id=task_id,
                    answers=tuple(rows[-(len(rows) % BATCH_MOST or BATCH_MOST) :]),
                    plans=tuple(plans.get(task_id, ())),
                    lost=lost.get(task_id, 0),
                    end=task_id in ending,
                )
            )
