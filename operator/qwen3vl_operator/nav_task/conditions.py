"""What the operator says of a NavTask, one word each: the contract of docs/status.md, as `conditions` is for models."""

from dataclasses import dataclass

from qwen3vl_operator.kube.conditions import Condition

COMPLETE = ("GoalReached", "StoppedByModel")
ORDER = ("Accepted", "ModelReady", "Running", "Complete", "Failed")
FAILED = ("Cancelled", "StepLimit", "DeadlineExceeded", "RobotSilent", "ModelLost")

TASK_REASONS: dict[str, tuple[str, ...]] = {
    "Accepted": (
        "Valid",
        "InvalidSpec",
        "ModelNotFound",
        "NavigationOff",
        "RobotBusy",
        "Refused",
        "Finished",
    ),
    "Running": (
        "Running",
        "Paused",
        "WaitingForRobot",
        "Asserting",
        "Stopping",
        "NavigationUnreachable",
        "NotAccepted",
        "ApplyFailed",
        *COMPLETE,
        *FAILED,
    ),
    "Complete": COMPLETE,
    "Failed": FAILED,
}
"""`ModelReady` has the reasons of the model's Ready; `Running` has also those of the VLN API's state `error`."""


@dataclass(frozen=True)
class TaskCondition(Condition):
    """A condition of a NavTask. `handed_on`: the reason is the VLN API's or the model's own."""

    handed_on: bool = False

    def is_documented(self) -> bool:
        return self.handed_on or self.reason in TASK_REASONS.get(self.type, ())
