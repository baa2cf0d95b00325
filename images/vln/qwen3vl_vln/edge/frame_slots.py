"""Camera frames on their way to the worker: of each task at most one, written to its slot of shared memory only after
the worker asked for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from qwen3vl_vln.ipc.frame_slots import Arena
from qwen3vl_vln.ipc.rows import OdometryPose
from qwen3vl_vln.ipc.to_edge import SlotLeft, WantFrame
from qwen3vl_vln.ipc.to_worker import CameraFrame, LeaveSlot
from qwen3vl_vln.motion.dead_reckoning import Odometry
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.task import Task


@dataclass
class _Desk:
    """What is known of one task here; `held`: a frame that the model shall see, and its number."""

    epoch: int
    slot: int | None = None
    wanted: bool = False
    held: tuple[Frame, int] | None = None


@dataclass
class FrameSlots:
    """Who may write where.

    Attributes:
        send: takes messages for the worker.
    """

    send: Callable[[CameraFrame | LeaveSlot], None]
    _arena: Arena | None = None
    _desks: dict[str, _Desk] = field(default_factory=dict)
    _free: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._desks)

    def begin(self, arena: Arena, slots: int) -> None:
        """Begin with a new worker, which has asked for nothing."""
        self._arena = arena
        self._desks.clear()
        self._free = list(range(slots))

    def follow(self, task_id: str, epoch: int) -> None:
        """A task is in this epoch; what was wanted and held for an older one is void."""
        desk = self._desks.setdefault(task_id, _Desk(epoch))
        if desk.epoch != epoch:
            desk.epoch, desk.wanted, desk.held = epoch, False, None

    def ended(self, task_id: str) -> None:
        """The task needs its slot no more."""
        if (desk := self._desks.get(task_id)) is not None:
            self._leave(desk)

    def forget(self, task_id: str) -> bool:
        """The task is gone; whether it was known."""
        desk = self._desks.pop(task_id, None)
        if desk is not None:
            self._leave(desk)
        return desk is not None

    def offer(self, task: Task, frame: Frame, now: float) -> int | None:
        """Hand an image over if the worker waits for one; a forced one is kept until it does. Its number there."""
        desk = self._desks.get(task.task_id)
        if desk is None or desk.epoch != task.epoch or frame.image is None:
            return None
        if not desk.wanted:
            if not frame.force_key:
                return None
            number = task.frame_pose(frame)
            desk.held = frame, number
            return number
        number = task.frame_pose(frame)
        self._hand_over(task.task_id, desk, frame, number, force=frame.force_key or task.wants_key_frame(now))
        return number

    def wanted(self, message: WantFrame) -> None:
        """The worker asks for an image."""
        desk = self._desks.get(message.task_id)
        if desk is None or desk.epoch != message.epoch:
            return
        desk.wanted = True
        if desk.held is not None:
            frame, number = desk.held
            self._hand_over(message.task_id, desk, frame, number, force=True)

    def left(self, message: SlotLeft) -> None:
        """The worker has come past the last image of a task that needs its slot no more."""
        self._free.append(message.slot)

    def _hand_over(self, task_id: str, desk: _Desk, frame: Frame, number: int, *, force: bool) -> None:
        arena, image = self._arena, frame.image
        if arena is None or image is None:
            return
        if desk.slot is None:
            if not self._free:
                return
            desk.slot = self._free.pop()
        desk.wanted, desk.held = False, None
        arena.write(desk.slot, image)
        self.send(
            CameraFrame(
                task_id=task_id,
                epoch=desk.epoch,
                frame=number,
                slot=desk.slot,
                size=len(image),
                force=force,
                keep=frame.force_key,
                pose=_pose(frame.odometry),
                received_at=frame.received_at,
            )
        )

    def _leave(self, desk: _Desk) -> None:
        # The worker may have the last image still to read; it says when it has come past that.
        if desk.slot is not None:
            self.send(LeaveSlot(slot=desk.slot))
            desk.slot = None


def _pose(odometry: Odometry | None) -> OdometryPose | None:
    if odometry is None:
        return None
    pose = odometry.pose
    return OdometryPose(x=pose.x, y=pose.y, yaw=pose.yaw, origin=odometry.origin)
