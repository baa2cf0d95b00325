"""What a NavTask's status says: a pure function of the task, of what was seen, and of what it said before."""

from dataclasses import dataclass
from typing import Any, Literal

from qwen3vl_common.navigation.record import Record
from qwen3vl_common.navigation.refusals import RefusalCode
from qwen3vl_common.navigation.states import Phase, State, Verdict
from qwen3vl_operator import names
from qwen3vl_operator.kube.conditions import serialize
from qwen3vl_operator.kube.resources import spec_of
from qwen3vl_operator.nav_task.conditions import ORDER, OUTCOMES, UNKNOWN_OUTCOME, TaskCondition
from qwen3vl_operator.nav_task.record import Refusal
from qwen3vl_operator.nav_task.spec import NavTask
from qwen3vl_operator.nav_task.status_fields import damp_volatile, facts, timestamp, upper_camel
from qwen3vl_operator.vision_model import pods

Object = dict[str, Any]
TERMINAL = tuple(sorted({phase for _, phase in OUTCOMES.values()}))
CANCELLED = str(Verdict.CANCELLED)
NOT_TOLD = "the VLN API could not be told"
UNREADABLE = "the VLN API's record of it is not as it should be"
RERUN = "the task has ended, a change of its spec is ignored: make a new NavTask"


@dataclass(frozen=True)
class Link:
    """What is known of the model's VLN API: not asked yet, or whether it answers; and the error when it does not."""

    state: Literal["Unknown", "Reachable", "Unreachable"]
    error: str = ""


@dataclass(frozen=True)
class TaskSeen:
    """All that one look found for one task.

    Attributes:
        model: the VisionModel object, None when absent.
        busy: name of the NavTask that has the robot.
        link: None where no VLN API of the model is there or on its way.
        record: the task in the VLN API.
        refusal: why the VLN API does not take it.
        stopping: a stop of it is not confirmed yet.
        call_error: why the last call about it failed.
        unreadable: what is wrong with a newer record than that one, which was not taken.
    """

    model: Object | None = None
    busy: str | None = None
    link: Link | None = None
    record: Record | None = None
    refusal: Refusal | None = None
    stopping: bool = False
    call_error: str = ""
    unreadable: str = ""

    @property
    def has_vln_api(self) -> bool:
        """Whether the model wants a VLN API; the link to it may not be there yet."""
        navigation = ((self.model or {}).get("spec") or {}).get("navigation")
        return navigation is not None and navigation.get("replicas") != 0

    @property
    def is_told_nothing(self) -> bool:
        """Whether nobody has asked the VLN API yet."""
        return self.link is None or self.link.state == "Unknown"


def is_finished(status: Object) -> bool:
    """Whether a NavTask with this status has ended."""
    return status.get("phase") in TERMINAL


def task_status(task: NavTask, seen: TaskSeen, *, previous: Object, now: str) -> Object:
    """The whole status of a task that had not ended when it was last written."""
    accepted = _accepted(task, seen)
    record, link = seen.record, seen.link
    kept = {name: previous[name] for name in previous if name not in ("conditions", "observedGeneration")}
    if record is not None and record.is_finished:
        return _ended(task, seen, kept, record.verdict or CANCELLED, previous=previous, now=now)
    if task.spec.state == "Stopped" and _nothing_to_stop(seen, previous):
        return _ended(task, seen, kept, CANCELLED, previous=previous, now=now)
    said: Object
    if task.spec.state == "Stopped":
        running, said = _stopping(seen, kept, previous, now)
    elif not accepted.status:
        kept.pop("state", None)
        said = {"phase": "Pending", "reason": accepted.reason, "message": accepted.message}
        running = TaskCondition("Running", False, "NotAccepted", accepted.message)
    elif link is not None and link.state == "Unreachable":
        message = f"the VLN API of {task.spec.model_ref.name} does not answer: {link.error}"
        said = {"phase": kept.get("phase", "Pending"), "reason": "NavigationUnreachable", "message": message}
        running = TaskCondition("Running", None, "NavigationUnreachable", message)
    elif record is None:
        told = _carried(previous) if seen.is_told_nothing else None
        running = told or _asserting(seen)
        said = {"phase": kept.get("phase", "Pending")}
        if told is None:
            said |= {"reason": running.reason, "message": running.message}
    else:
        running, said = _running(record), _walk(record, kept, now)
    if accepted.status:
        said["session"] = session(task)
    conditions = [accepted, _model_ready(task, seen), running]
    listed = serialize(conditions, previous.get("conditions") or [], generation=task.generation, now=now)
    wanted = {**kept, **said, "observedGeneration": task.generation, "conditions": listed}
    return damp_volatile(wanted, previous)


def session(task: NavTask) -> Object:
    """Where the task is in its VLN API."""
    service = f"{names.child(task.spec.model_ref.name, 'vln')}.{task.namespace}"
    return {"id": task.task_id, "url": f"ws://{service}/vln/ws/{task.task_id}"}


def status_after_end(body: Object, *, now: str) -> Object:
    """The status of a finished NavTask: as it was, but a later change of the spec is answered."""
    status, generation = dict(body["status"]), body["metadata"].get("generation", 0)
    if "verdict" in status:
        status["reason"] = status["verdict"]  # of an operator before this one it may be another word
    if status.get("observedGeneration") == generation:
        return status
    conditions = _with_ignored(status.get("conditions") or [], generation, now)
    return {**status, "observedGeneration": generation, "conditions": conditions}


def invalid_task(body: Object, error: str, *, record: Record | None, now: str) -> Object:
    """The status of an object whose spec does not parse: it keeps what it had, and says why nothing new is done.

    Args:
        record: the task in the VLN API, which may have ended meanwhile.
    """
    previous, generation = body.get("status") or {}, body["metadata"].get("generation", 0)
    accepted = TaskCondition("Accepted", False, "InvalidSpec", error[: pods.MAX_MESSAGE])
    told, said = [accepted], {"phase": previous.get("phase", "Pending")}
    if record is not None and record.is_finished:
        conditions, said = _end(record, record.verdict or CANCELLED, now)
        told += conditions
    listed = _put(previous.get("conditions") or [], *told, generation=generation, now=now)
    return {**previous, **said, "observedGeneration": generation, "conditions": listed}


def failed_pass(body: Object, words: str, *, now: str) -> Object:
    """The status when a pass broke by a mistake of ours: what was known stays, and nobody knows of the robot.

    Args:
        words: what broke.
    """
    previous, generation = body.get("status") or {}, body["metadata"].get("generation", 0)
    bad = TaskCondition("Running", None, "ApplyFailed", words[: pods.MAX_MESSAGE])
    listed = _put(previous.get("conditions") or [], bad, generation=generation, now=now)
    said = {"phase": previous.get("phase", "Pending"), "reason": bad.reason, "message": bad.message}
    return {**previous, **said, "observedGeneration": generation, "conditions": listed}


def _put(listed: list[Object], *told: TaskCondition, generation: int, now: str) -> list[Object]:
    """The conditions of a status with these in place of what they said."""
    by_type = {one["type"]: one for one in [*listed, *serialize(told, listed, generation=generation, now=now)]}
    return [by_type[kind] for kind in ORDER if kind in by_type]


def _with_ignored(listed: list[Object], generation: int, now: str) -> list[Object]:
    return _put(listed, TaskCondition("Accepted", False, "Finished", RERUN), generation=generation, now=now)


def _accepted(task: NavTask, seen: TaskSeen) -> TaskCondition:
    model, refusal = task.spec.model_ref.name, seen.refusal

    def no(reason: str, message: str) -> TaskCondition:
        return TaskCondition("Accepted", False, reason, message[: pods.MAX_MESSAGE])

    if seen.model is None:
        return no("ModelNotFound", f"there is no VisionModel {model} in {task.namespace}")
    navigation = spec_of(seen.model).get("navigation")
    if not isinstance(navigation, dict):
        return no("NavigationOff", f"VisionModel {model} has no VLN API: set its spec.navigation to {{}}")
    if navigation.get("replicas", 1) == 0:
        return no("NavigationOff", f"VisionModel {model} has navigation.replicas 0")
    if seen.busy is not None:
        return no("RobotBusy", f"robot {task.spec.robot} has the unfinished NavTask {seen.busy}")
    if refusal is not None:
        return no("RobotBusy" if refusal.code == RefusalCode.ROBOT_BUSY else "Refused", refusal.message)
    late = f"{NOT_TOLD} of this spec: {seen.call_error}" if seen.call_error and task.spec.state != "Stopped" else ""
    if seen.unreadable and seen.record is not None:
        late = f"{UNREADABLE}, what is told of it is older: {seen.unreadable}"
    return TaskCondition("Accepted", True, "Valid", late[: pods.MAX_MESSAGE])


def _asserting(seen: TaskSeen) -> TaskCondition:
    """Running of a task of which the VLN API has said nothing that is understood."""
    if seen.unreadable:  # it is there, and its robot may be led
        return TaskCondition("Running", None, "Asserting", f"{UNREADABLE}: {seen.unreadable}"[: pods.MAX_MESSAGE])
    message = f"{NOT_TOLD}: {seen.call_error}" if seen.call_error else "the VLN API is being told"
    return TaskCondition("Running", False, "Asserting", message)


def _nothing_to_stop(seen: TaskSeen, previous: Object) -> bool:
    """Whether no VLN API can have the task: it never was told, or it was asked and knows nothing."""
    if not seen.has_vln_api and seen.link is None:
        return True  # one that is switched off is spoken to until it is gone
    if seen.record is not None or seen.stopping:
        return False
    return "session" not in previous or (seen.link is not None and seen.link.state == "Reachable")


def _stopping(seen: TaskSeen, kept: Object, previous: Object, now: str) -> tuple[TaskCondition, Object]:
    """Running and the fields beside it of a task that is to end, until the VLN API says that it has."""
    said = {"phase": kept.get("phase", "Pending")} if seen.record is None else _walk(seen.record, kept, now)
    told = _carried(previous) if seen.is_told_nothing else None
    if told is not None and told.reason == "Stopping":
        return told, said
    # When it began to be repeated, not for how long it is: a status says nothing that time alone changes.
    since = kept.get("stopRequestedAt", now)
    error = seen.call_error or (seen.link.error if seen.link is not None else "")
    gone = seen.link is not None and seen.link.state == "Unreachable"
    message = f"the VLN API is being told to stop since {since}" + (f"; the last try failed: {error}" if error else "")
    running = TaskCondition("Running", None if gone else False, "Stopping", message[: pods.MAX_MESSAGE])
    return running, said | {"reason": "Stopping", "message": running.message, "stopRequestedAt": since}


def _model_ready(task: NavTask, seen: TaskSeen) -> TaskCondition:
    if seen.model is None:
        return TaskCondition("ModelReady", False, "ModelNotFound", handed_on=True)
    conditions = (seen.model.get("status") or {}).get("conditions") or []
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    if ready is None:
        return TaskCondition("ModelReady", None, "NotJudged", "the model has no status yet", handed_on=True)
    return TaskCondition("ModelReady", ready["status"] == "True", ready["reason"], ready["message"], handed_on=True)


def _walk(record: Record, kept: Object, now: str) -> Object:
    """What the VLN API says of a task that has not ended."""
    said = facts(record) | {"phase": _phase(record, kept)}
    if said["phase"] != "Pending":
        said["startedAt"] = kept.get("startedAt", now)
    return said


def _phase(record: Record, kept: Object) -> str:
    if record.phase is Phase.WAITING_FOR_ROBOT:
        # After a restart of the VLN API it waits again, but the walk has begun.
        return "Running" if "startedAt" in kept else "Pending"
    return str(record.phase)


def _running(record: Record) -> TaskCondition:
    if record.state == State.ERROR:
        return TaskCondition("Running", False, upper_camel(record.reason), record.message, handed_on=True)
    if record.phase is Phase.RUNNING:
        return TaskCondition("Running", True, "Running")
    message = "the robot has not sent a frame yet" if record.phase is Phase.WAITING_FOR_ROBOT else ""
    return TaskCondition("Running", False, str(record.phase), message)


def _carried(previous: Object) -> TaskCondition | None:
    """Running as it stands, where nothing is known that could change it."""
    found = next((one for one in previous.get("conditions") or [] if one["type"] == "Running"), None)
    if found is None or found["reason"] in ("NotAccepted", "ApplyFailed"):
        return None
    value = {"True": True, "False": False}.get(found["status"])
    return TaskCondition("Running", value, found["reason"], found["message"], handed_on=True)


def _ended(task: NavTask, seen: TaskSeen, kept: Object, verdict: str, *, previous: Object, now: str) -> Object:
    """The last status."""
    record = seen.record
    end, said = _end(record, verdict, now)
    conditions = [_accepted(task, seen), _model_ready(task, seen), *end]
    listed = serialize(conditions, previous.get("conditions") or [], generation=task.generation, now=now)
    acted_on = task.generation if record is None or record.owner is None else record.owner.generation
    if acted_on < task.generation and task.spec.state != "Stopped":
        listed = _with_ignored(listed, task.generation, now)
    return {**kept, **said, "observedGeneration": task.generation, "conditions": listed}


def _end(record: Record | None, verdict: str, now: str) -> tuple[list[TaskCondition], Object]:
    """The conditions and the fields beside them that say how and when a task has ended."""
    condition, phase = {str(one): outcome for one, outcome in OUTCOMES.items()}.get(verdict, UNKNOWN_OUTCOME)
    message = record.message if record is not None else "stopped by spec.state"
    said = facts(record) if record is not None else {"state": str(State.STOPPED), "message": message}
    finished_at = timestamp(record.finished_at) if record is not None and record.finished_at else now
    conditions = [
        TaskCondition("Running", False, verdict, message, handed_on=True),
        TaskCondition(condition, True, verdict, message, handed_on=True),
    ]
    return conditions, said | {"phase": phase, "verdict": verdict, "reason": verdict, "finishedAt": finished_at}
