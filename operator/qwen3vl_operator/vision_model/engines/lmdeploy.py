"""LMDeploy's API server, version 0.18: its command line and environment."""

import re
from typing import TYPE_CHECKING

from qwen3vl_operator import names
from qwen3vl_operator.vision_model.engines import lmdeploy_flags as flag
from qwen3vl_operator.vision_model.engines.program import CACHE_MOUNT, MODELS_MOUNT, Engine, Program

if TYPE_CHECKING:
    from qwen3vl_operator.vision_model.spec import VisionModel

IMAGE = "docker.io/openmmlab/lmdeploy:v0.18.0-cu12.8"
TAG_RULE = re.compile(r"v\d+\.\d+\.\d+(\.post\d+)?-cu(12\.8|13\.0)")
"""LMDeploy's release workflow pushes its images with the CUDA version alone, never a bare version."""
CPU = "8"
MEMORY = "64Gi"
RAY_OBJECT_STORE_BYTES = 4 * 1024**3
"""Ray takes a share of the host's memory otherwise, not of the container's."""


def program(model: "VisionModel") -> Program:
    """The engine on `tensorParallel` GPUs.

    TurboMind does not know Qwen3-VL and would fall back with a warning: so the PyTorch engine is named. The model
    comes first and `--api-keys` not last, since that takes every word behind it up to the next flag.
    """
    engine, resources = model.spec.engine, model.spec.resources
    folder = model.spec.source.volume.path if model.spec.source else ""
    arguments = [
        "serve",
        "api_server",
        f"{MODELS_MOUNT}/{folder}".rstrip("/"),
        *(flag.API_KEYS, f"$({names.ENGINE_KEY_ENV})"),
        *(flag.BACKEND, "pytorch"),
        *(flag.HOST, "0.0.0.0"),  # noqa: S104 - a pod's own address is not known before
        *(flag.PORT, str(names.ENGINE_PORT)),
        *(flag.MODEL_NAME, model.served_name),
        *(flag.TENSOR_PARALLEL, str(engine.tensor_parallel)),
        *(flag.CONTEXT_LENGTH, str(engine.context_length)),
    ]
    if engine.gpu_memory_fraction is not None:
        arguments += [flag.GPU_MEMORY, str(engine.gpu_memory_fraction)]
    if engine.prefix_caching:
        arguments.append(flag.PREFIX_CACHING)
    gpus = str(engine.tensor_parallel)
    memory = str(resources.memory or MEMORY)
    return Program(
        command=("lmdeploy",),
        arguments=tuple(arguments),
        environment=(
            ("HOME", CACHE_MOUNT),
            # The numeric user has no entry in the image's /etc/passwd; Python's getpass asks here first.
            ("USER", "engine"),
            ("HF_HOME", f"{CACHE_MOUNT}/huggingface"),
            ("HF_HUB_OFFLINE", "1"),
            ("XDG_CACHE_HOME", f"{CACHE_MOUNT}/xdg"),
            ("TRITON_CACHE_DIR", f"{CACHE_MOUNT}/triton"),
            ("TORCHINDUCTOR_CACHE_DIR", f"{CACHE_MOUNT}/torchinductor"),
            ("RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", str(RAY_OBJECT_STORE_BYTES)),
            ("RAY_USAGE_STATS_ENABLED", "0"),
        ),
        resources={
            "requests": {"cpu": str(resources.cpu or CPU), "memory": memory, resources.gpu: gpus},
            "limits": {"memory": memory, resources.gpu: gpus},
        },
        shared_memory=True,
    )


ENGINE = Engine(
    name="lmdeploy",
    title="LMDeploy on GPUs",
    program=program,
    image=IMAGE,
    tag_rule=TAG_RULE,
    uses_gpus=True,
    needs_source=True,
    owned_flags=flag.RENDERED_FLAGS - {flag.ALLOW_TERMINATE},
    refused_flags=frozenset({flag.ALLOW_TERMINATE}),
)
