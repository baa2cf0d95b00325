"""What the operator says of a NavTask, one word each: the contract of docs/status.md, as `conditions` is for models."""

from dataclasses import dataclass

from qwen3vl_common.navigation.states import Phase, Verdict
from qwen3vl_operator.kube.conditions import Condition

ORDER = ("Accepted", "ModelReady", "Running", "Complete", "Failed")
OUTCOMES = {
    Verdict.GOAL_REACHED: ("Complete", "Succeeded"),
    Verdict.STOPPED_BY_MODEL: ("Complete", "Succeeded"),
    Verdict.CANCELLED: ("Failed", "Stopped"),
    Verdict.STEP_LIMIT: ("Failed", "Failed"),
    Verdict.DEADLINE_EXCEEDED: ("Failed", "Failed"),
    Verdict.ROBOT_SILENT: ("Failed", "Failed"),
    Verdict.MODEL_LOST: ("Failed", "Failed"),
}
"""The condition that a verdict makes True, and the phase of a NavTask that ended so."""
UNKNOWN_OUTCOME = ("Failed", "Failed")
"""Of a verdict that only a newer VLN API knows."""
COMPLETE, FAILED = (
    tuple(str(verdict) for verdict, (condition, _) in OUTCOMES.items() if condition == wanted)
    for wanted in ("Complete", "Failed")
)

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
        *(str(phase) for phase in Phase if phase is not Phase.FINISHED),
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
