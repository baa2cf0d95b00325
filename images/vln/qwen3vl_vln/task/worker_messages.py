"""What the worker says to a task: what became of its images and of the model's calls about them."""

from qwen3vl_common.navigation.states import Reason, Verdict
from qwen3vl_vln.task.calls import FramePose
from qwen3vl_vln.task.camera_monitor import ASIDE_SECONDS
from qwen3vl_vln.task.events import Result
from qwen3vl_vln.task.task_state import TaskState

NO_PLAN = {"stop": Reason.STOP_RESULT, "hold": Reason.HOLD_RESULT, "goal": Reason.GOAL_CANDIDATE}
"""By the model's outcome; any other one is no valid result."""


class WorkerMessages(TaskState):
    """A task as the worker speaks to it."""

    __slots__ = ()

    def on_worker_silent(self) -> None:
        """The worker does not answer: nobody looks at images."""
        self.worker_silent = True
        self.call_lost()

    def on_worker_back(self) -> None:
        """The worker, or the next one, answers again."""
        self.worker_silent = False

    def on_recording(self, error: str | None) -> None:
        """A file of its recording was finished, or the recording was given up."""
        self.recording_error = error

    def costly_picture(self, now: float) -> None:
        """An image took long to decode: other robots' images come first for a while."""
        self.camera_monitor.aside_until = now + ASIDE_SECONDS
        self.camera_fault(Reason.COSTLY_PICTURE)

    def on_decoded(self, now: float, *, changed: bool) -> None:
        """An image was decoded and compared with the last one that differed."""
        self.counts.analysed += 1
        self.camera_monitor.decoded_ok()
        if self.verdict is None:
            self._end(self.execution.on_decoded(now, changed=changed))

    def call_began(self, epoch: int, now: float) -> None:
        """The model is asked about a key frame."""
        if epoch == self.epoch:
            self.calls.since = now

    def wants_key_frame(self, now: float) -> bool:
        """Nothing is under way and nothing to drive: the next image goes to the model, however alike."""
        if self.verdict is not None or self.paused or self.calls.since is not None or self.follower is not None:
            return False
        return self.goal.wants_image(now) if self.goal.candidate else True

    def on_context(self, sentence: str) -> None:
        """What of its images the model's context does not hold; empty when it holds all."""
        self.warnings.pop("context", None)
        self.warn("context", sentence)

    def failed(
        self, epoch: int, frame: int, message: str, now: float, *, deadline: bool, context_too_small: bool = False
    ) -> None:
        """A call of the model failed or ran out of time. The plan under way stays, for it ends by itself; but not one
        that this very answer had begun with."""
        if epoch != self.epoch or self.verdict is not None:
            return
        if self.calls.opened is not None and self.calls.opened[0] == frame:
            self.call_lost(message)
        self.calls.failed(frame, message, now, context_too_small=context_too_small)
        self.counts.model_errors += 1
        self.counts.deadline_misses += deadline

    def call_lost(self, message: str = "the worker was lost") -> None:
        """Nobody will hear the rest of an answer: a plan that its opening began is dropped."""
        self.calls.since = None
        if self.calls.opened is not None:
            self.calls.opened = None
            self._hold(Reason.INVALID_RESULT)
            self.message = f"the model's answer broke off: {message}"

    def early_plan(self, result: Result, now: float) -> None:
        """Start on the waypoints of an answer that is still being written; `result` must confirm them."""
        seen = self.calls.frame_pose(result.frame)
        if result.epoch != self.epoch or self.verdict is not None or seen is None or self.goal.candidate:
            return
        if self.execution.may_begin(seen, self.settings.limits, now) and self._begin_plan(result, seen, now):
            self.calls.opened = result.frame, result.waypoints

    def result(self, result: Result, now: float, wall: float) -> None:
        """Take what the model said about a key frame."""
        seen, outcome = self.calls.frame_pose(result.frame), result.outcome
        if result.epoch != self.epoch or self.verdict is not None or seen is None:
            self.counts.late_results += 1
            return
        self.calls.answered(result.frame, result.model_seconds)
        self.pace.took(result.model_seconds)
        self.execution.reckoning.advance(now)
        self.environment = result.environment or self.environment
        self.progress = self.progress if result.progress is None else result.progress
        confirmed = self.calls.confirmed(result.frame, result.waypoints) and outcome == "plan"
        self.goal.took(outcome, now)
        self.message = "" if outcome == "plan" else f"the model's answer is {outcome}: {result.detail}"
        if confirmed:
            # It says what its opening said: that plan goes on, driven in part or wholly.
            self.action = result.action
            self.execution.confirm(result.model_seconds)
        elif outcome == "plan":
            self._begin_plan(result, seen, now)
        else:
            self._hold(NO_PLAN.get(outcome, Reason.INVALID_RESULT))
            self._judge_goal(outcome, seen, now, wall)

    def _judge_goal(self, outcome: str, seen: FramePose, now: float, wall: float) -> None:
        if outcome == "goal" and self.goal.confirms(seen.received_at):
            self._finish(Verdict.GOAL_REACHED, "the model saw the goal twice, the second time standing", now, wall)
        elif outcome == "goal":
            self.goal.propose()
        elif outcome == "stop" and self.goal.stopped_for_good:
            self._finish(Verdict.STOPPED_BY_MODEL, "the model said stop five times in a row", now, wall)

    def _begin_plan(self, result: Result, seen: FramePose, now: float) -> bool:
        ended = self.execution.begin(result, seen, self.settings.limits, now)
        if ended is None:
            self.action, self._left = result.action, None
            return True
        self.counts.deadline_misses += ended.reason is Reason.PLAN_TOO_OLD
        self._end(ended)
        return False
