"""What a task's robot says: frames, and how long the way to it is."""

from qwen3vl_common.navigation.states import Reason, State
from qwen3vl_vln.task.calls import FramePose
from qwen3vl_vln.task.events import Frame
from qwen3vl_vln.task.frame_flags import flag_of
from qwen3vl_vln.task.plan_execution import Ended
from qwen3vl_vln.task.round_trips import Trips
from qwen3vl_vln.task.task_state import TaskState


class RobotMessages(TaskState):
    """A task as its robot's program speaks to it."""

    __slots__ = ()

    def frame(self, frame: Frame) -> bool:
        """Take a message of the robot; whether its image may be shown to the model."""
        now = frame.received_at
        self.counts.frames += 1
        if self.verdict is not None:
            return False
        since = None if self.last_frame_at is None else now - self.last_frame_at
        self.execution.horizon.frame(since, watchdog=frame.watchdog)
        if self.started is None:
            self.started = now
        self.last_frame_at = now
        if frame.sequence is not None:
            if frame.sequence <= self._last_sequence:
                self.counts.old_sequences += 1
                self._flag = Reason.OLD_SEQUENCE
                return False
            self._last_sequence = frame.sequence
        self._end(self.execution.observe(frame, self.settings.limits))
        if frame.odometry_bad:
            self._hold(Reason.BAD_ODOMETRY)
        if frame.emergency_stop:
            if not self._emergency:
                # Nobody knows where a robot is carried to meanwhile.
                self._begin_anew()
            self._left = Ended(State.HOLD, Reason.EMERGENCY_STOP)
        self._emergency = frame.emergency_stop
        if frame.note:
            self._note = self.warnings["clock"] = frame.note
        if frame.withheld or frame.refused is Reason.PICTURE_TOO_OLD:
            self.camera_monitor.missed(frame.age_seconds)
        if frame.refused is Reason.FRAME_OLD:
            self._hold(Reason.FRAME_OLD)
        self._flag = flag_of(frame, pictures_late=self.camera_monitor.late)
        return self._image(frame, now)

    def linked(self, trips: Trips | None) -> None:
        """How long the way to the robot is; None where nobody has measured."""
        self.link = trips
        if trips is not None and trips.warning:
            self.warnings["link"] = trips.warning
        else:
            self.warnings.pop("link", None)

    def _image(self, frame: Frame, now: float) -> bool:
        if frame.refused is not None:
            self.counts.dropped += 1
            return False
        if frame.fault is not None:
            self.camera_fault(frame.fault)
            return False
        if frame.image is None:
            return False
        if now < self.camera_monitor.aside_until:
            self.camera_fault(Reason.COSTLY_PICTURE)
            return False
        self.counts.images += 1
        self.untimed = frame.untimed
        found = self.camera_monitor.see(frame, frame.image, moving=self.execution.moving)
        if found is not None:
            if found is not Reason.CAMERA_CHANGED:
                self.camera_fault(found)
            # By another camera, or since nobody knows when: what was planned by its images is void, and what was
            # asked about them.
            self._begin_anew()
            self._left = Ended(State.HOLD, found)
        frozen = self.camera_monitor.fault is Reason.FROZEN_CAMERA
        return not (frozen or frame.delayed or frame.odometry_bad or frame.emergency_stop or self.paused)

    def frame_pose(self, frame: Frame) -> int:
        """Remember where the robot was at this frame, which goes to the model's side; the number to call it by."""
        number = self.counts.frames
        fix = self.execution.reckoning.fix(odometry=frame.odometry, at=frame.taken_at)
        self.calls.remember(number, FramePose(fix, frame.taken_at, frame.captured))
        return number
