"""The simulator: an engine on a CPU that speaks the same protocol."""

from qwen3vl_operator import names
from qwen3vl_operator.desired.program import CACHE_MOUNT, Program
from qwen3vl_operator.model import SimulatorSettings, VisionModel

CPU = "50m"
MEMORY = "512Mi"


def simulator(model: VisionModel, *, image: str, pull_policy: str) -> Program:
    """The simulator from the server image."""
    engine, resources = model.spec.engine, model.spec.resources
    settings = engine.simulator or SimulatorSettings()
    memory = str(resources.memory or MEMORY)
    return Program(
        image=image,
        pull_policy=pull_policy,
        command=("python", "-m", "qwen3vl_server.simulator"),
        arguments=(
            *("--host", "0.0.0.0"),  # noqa: S104 - a pod's own address is not known before
            *("--port", str(names.ENGINE_PORT)),
            *("--model-name", model.served_name),
            *("--context-length", str(engine.context_length)),
            *("--first-token-millis", str(settings.first_token_millis)),
            *("--tokens-per-second", f"{settings.tokens_per_second:g}"),
            *(() if settings.policy == "Still" else ("--policy", settings.policy.lower())),
        ),
        environment=(("HOME", CACHE_MOUNT),),
        resources={"requests": {"cpu": str(resources.cpu or CPU), "memory": memory}, "limits": {"memory": memory}},
        read_only_root=True,
        startup_period_seconds=1,
        startup_failures=120,
        readiness_period_seconds=2,
        grace_seconds=30,
    )
