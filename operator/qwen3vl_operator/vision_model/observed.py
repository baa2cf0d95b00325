"""What one look found for one model, and what became of each object that was wanted. Values alone: status and plan are
made from these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from qwen3vl_operator.kube.notes import Note as Note

Object = dict[str, Any]


class Outcome(Enum):
    """What became of one wanted object in one pass."""

    UNCHANGED = "Unchanged"
    APPLIED = "Applied"
    TAKEN = "Taken"
    """An object of its name is there that is not ours; it is left alone."""
    REFUSED = "Refused"
    """The apiserver answered 400, 403 or 422: the same try again will not do."""
    FAILED = "Failed"
    """Anything else went wrong: time-out, 409, 429, 500, a webhook that does not answer, a cut connection."""
    QUEUED = "Queued"
    """It differs by the operator's own defaults alone, and other models are rolled out first."""
    PAUSED = "Paused"
    """It differs, and spec.paused says that nothing is changed."""
    WAITING = "Waiting"
    """It waits for the internal keys that it mounts; they are written by somebody else's pass."""


@dataclass(frozen=True)
class Result:
    """What became of one object.

    Attributes:
        title: "Kind name".
        status: HTTP status of the apiserver's refusal or failure; 0 when no answer came.
        message: the apiserver's own words, or what went wrong.
    """

    title: str
    outcome: Outcome
    status: int = 0
    message: str = ""


@dataclass(frozen=True)
class Observed:
    """All that one look found.

    Attributes:
        stateful_set: the engine's, None when absent.
        pods: engine pods.
        slices: EndpointSlices of the engine's Service.
        vln: the VLN API's Deployment, None when absent.
        vln_pods: its pods.
        results: what became of each wanted object, in the order in which they are applied.
        events: Events by title ("Pod m-engine-0", "PersistentVolumeClaim weights", "StatefulSet m-engine"), oldest
            first; only of objects that wait, and only once somebody has read them.
        name_owner: the older model with the same served name, if any: its name, or namespace/name of another namespace.
        unlisted: namespaces that could not be read yet: whether they have a model of this served name is unknown.
        secrets: values that no status, event or log may contain.
    """

    stateful_set: Object | None = None
    pods: list[Object] = field(default_factory=list)
    slices: list[Object] = field(default_factory=list)
    vln: Object | None = None
    vln_pods: list[Object] = field(default_factory=list)
    results: tuple[Result, ...] = ()
    events: Mapping[str, tuple[Note, ...]] = field(default_factory=dict)
    name_owner: str | None = None
    unlisted: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
