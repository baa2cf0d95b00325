"""What distinguishes one engine from another, so that the StatefulSet is built in one place."""

from dataclasses import dataclass, field
from typing import Any

CACHE_MOUNT = "/cache"
MODELS_MOUNT = "/models"


@dataclass(frozen=True)
class Program:
    """One engine's container: image, command line, environment, needs and patience (seconds)."""

    image: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    pull_policy: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    resources: dict[str, Any] = field(default_factory=dict)
    shared_memory: bool = False
    read_only_root: bool = False
    startup_period_seconds: int = 10
    startup_failures: int = 180
    readiness_period_seconds: int = 5
    grace_seconds: int = 120
