"""The NavTask resource as typed values: one walk of one robot by one instruction."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from qwen3vl_common.navigation.settings import Walk
from qwen3vl_common.parts import Part, rules


class ModelReference(Part):
    """A VisionModel of the same namespace."""

    name: str = Field(min_length=1, max_length=40, description="Its name.")


class _Reference(Part):
    # A base of its own: the fields of a schema stand in the order of bases.
    model_ref: ModelReference = Field(description="The model to walk by; its spec.navigation must be there.")


class NavTaskSpec(Walk, _Reference):
    """What is wanted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "oldSelf.state != 'Stopped' || self.state == 'Stopped'",
                "state Stopped never changes back: make a new NavTask",
            ),
            ("self.robot == oldSelf.robot", "robot cannot be changed: make a new NavTask"),
            ("self.modelRef == oldSelf.modelRef", "modelRef cannot be changed: make a new NavTask"),
        )
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None, ge=0, le=31_536_000, description="Delete the NavTask this long after its end; absent: never."
    )


def task_id(name: str, uid: str) -> str:
    """The id in the VLN API of the NavTask of that name and uid."""
    return f"{name}-{uid[:8]}"


class NavTask(BaseModel):
    """A parsed NavTask: identity and spec."""

    model_config = ConfigDict(frozen=True)
    name: str
    namespace: str
    uid: str
    generation: int
    created: str
    spec: NavTaskSpec

    @property
    def task_id(self) -> str:
        """See `task_id`."""
        return task_id(self.name, self.uid)

    @property
    def precedence(self) -> tuple[str, str]:
        """Sorts the oldest first: that one has a robot that two tasks claim."""
        return self.created, self.uid


def parse_task(body: dict[str, Any]) -> NavTask:
    """The typed view of a NavTask object.

    Raises:
        pydantic.ValidationError: the spec breaks the schema (an older or hand-changed CRD let it through).
    """
    metadata = body["metadata"]
    return NavTask(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        spec=NavTaskSpec.model_validate({} if body.get("spec") is None else body["spec"]),
    )
