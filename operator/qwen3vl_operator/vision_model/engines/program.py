"""What distinguishes one engine from another, so that schema, StatefulSet and status are built in one place."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The schema of a VisionModel is made from the table of engines, so no engine can import it.
    from qwen3vl_operator.vision_model.spec import VisionModel

CACHE_MOUNT = "/cache"
MODELS_MOUNT = "/models"


@dataclass(frozen=True)
class Program:
    """One engine's container: command line, environment, needs and patience (seconds)."""

    command: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    resources: dict[str, Any] = field(default_factory=dict)
    shared_memory: bool = False
    read_only_root: bool = False
    startup_period_seconds: int = 10
    startup_failures: int = 180
    readiness_period_seconds: int = 5
    grace_seconds: int = 120


@dataclass(frozen=True)
class Engine:
    """One engine.

    Attributes:
        name: as a VisionModel's spec.engine.name has it.
        title: what it is, for the schema's documentation.
        program: its container for a model; a function of the model alone.
        image: its default image with its tag; None where the installation's own server image has it.
        tag_rule: what every tag of that image looks like that its publisher makes.
        uses_gpus: whether a replica asks for `tensorParallel` GPUs.
        needs_source: whether it runs weights, and so cannot do without spec.source.
        owned_flags: flags that the operator sets from the spec; refused among a user's own arguments.
        refused_flags: flags that are never taken, with the reason.
    """

    name: str
    title: str
    program: Callable[["VisionModel"], Program]
    image: str | None
    tag_rule: re.Pattern[str] | None
    uses_gpus: bool
    needs_source: bool
    owned_flags: frozenset[str] = frozenset()
    refused_flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if (self.image is None) != (self.tag_rule is None):
            raise ValueError(f"engine {self.name}: an image comes with the rule of its tags")
        if self.image is not None and self.tag_rule is not None:
            tag = self.image.rpartition(":")[2]
            if not self.tag_rule.fullmatch(tag):
                raise ValueError(f"engine {self.name}: its publisher makes no image with the tag {tag}")
