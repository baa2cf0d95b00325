"""The simulator: an engine on a CPU that speaks the same protocol, from the installation's own server image."""

from typing import TYPE_CHECKING

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.engines.program import CACHE_MOUNT, Engine, Program

if TYPE_CHECKING:
    from qwen3vl_operator.vision_model.spec import VisionModel

CPU = "50m"
MEMORY = "512Mi"


def program(model: "VisionModel") -> Program:
    """The simulator."""
    engine, resources, settings = model.spec.engine, model.spec.resources, model.spec.engine.simulator_settings
    memory = str(resources.memory or MEMORY)
    return Program(
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


ENGINE = Engine(
    name="simulator",
    title="a stand-in on a CPU for tests",
    program=program,
    image=None,
    tag_rule=None,
    uses_gpus=False,
    needs_source=False,
    owned_flags=frozenset(
        {"--host", "--port", "--model-name", "--context-length", "--first-token-millis", "--tokens-per-second"}
    ),
)
