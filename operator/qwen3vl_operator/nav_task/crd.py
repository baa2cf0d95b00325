"""The definition of NavTask, made from the pydantic models."""

from qwen3vl_common.navigation.states import State
from qwen3vl_operator import names
from qwen3vl_operator.kube.definition import columns, conditions, definition, group, integer, number, string
from qwen3vl_operator.kube.structural import Schema, structural
from qwen3vl_operator.nav_task.conditions import ORDER
from qwen3vl_operator.nav_task.spec import NavTaskSpec


def _status() -> Schema:
    """Every field of the status: the apiserver prunes what is not here."""
    words = list(State)
    return group(
        "What is.",
        {
            "observedGeneration": {"type": "integer", "format": "int64", "description": "The spec that this is about."},
            "phase": string("Pending, Running, Paused, Succeeded, Failed or Stopped."),
            "verdict": string("How it ended; absent before."),
            "session": group(
                "The task in the VLN API.",
                {"id": string("Its id."), "url": string("Where the robot connects, a WebSocket.")},
            ),
            "startedAt": string("When the robot's first frame was known, RFC 3339."),
            "stopRequestedAt": string("Since when the VLN API is told to stop it, RFC 3339."),
            "finishedAt": string("When it ended, RFC 3339."),
            "elapsedSeconds": number(
                "Seconds since the first frame, as last written; a new VLN API goes on from here."
            ),
            "state": string(f"{', '.join(words[:-1])} or {words[-1]}."),
            "reason": string("Why, one word for programs: the verdict once it has ended."),
            "message": string("Likewise, one sentence for people."),
            "action": string("The last plan in one word."),
            "environment": string("What the model says of the place."),
            "progress": number("How far along, 0 to 1, as the model sees it."),
            "steps": group(
                "Plans that were begun.",
                {"done": integer("So far."), "limit": integer("At most."), "summary": string("Done of limit.")},
            ),
            "lastStep": group(
                "The newest of them.",
                {
                    "index": integer("Its number."),
                    "action": string("In one word."),
                    "frameAgeMillis": integer("Age of its picture when it began, ms."),
                    "latencyMillis": integer("The model's time for it, ms."),
                    "at": string("When it began, RFC 3339."),
                },
            ),
            "latency": group(
                "The model's time for one answer, without the first.",
                {"p50Millis": integer("Median, ms."), "p95Millis": integer("95 %, ms."), "maxMillis": integer("ms.")},
            ),
            "link": group(
                "From the VLN API to the robot and back, over ten seconds.",
                {"rttP50Millis": integer("Median, ms."), "rttMaxMillis": integer("The longest, ms.")},
            ),
            "deadlineMisses": integer("Answers of the model that came too late to be driven."),
            "frames": group(
                "Camera frames.",
                {
                    "received": integer("That came."),
                    "analysed": integer("Shown to the model."),
                    "dropped": integer("That a newer one replaced."),
                },
            ),
            "modelErrors": group(
                "Calls of the model that failed.", {"count": integer("How many."), "last": string("The last one.")}
            ),
            "conditions": conditions("task", ORDER),
        },
    )


def nav_tasks() -> Schema:
    """The definition of NavTask."""
    narrow = (
        ("Phase", ".status.phase"),
        ("State", ".status.state"),
        ("Reason", ".status.reason"),
        ("Robot", ".spec.robot"),
        ("Step", ".status.steps.summary"),
        ("Model-MS", ".status.latency.p95Millis"),
    )
    wide = (
        ("Model", ".spec.modelRef.name"),
        ("Instruction", ".spec.instruction"),
        ("Message", ".status.message"),
        ("Action", ".status.action"),
        ("Link-MS", ".status.link.rttP50Millis"),
    )
    return definition(
        kind=names.NAV_TASK_KIND,
        plural=names.NAV_TASK_PLURAL,
        short_name="nav",
        description="One walk of one robot by one instruction.",
        spec=structural(NavTaskSpec.model_json_schema(by_alias=True)),
        status=_status(),
        printed=columns(narrow, wide, numbers=("Model-MS", "Link-MS")),
        name_use="the task's id adds to it",
    )
