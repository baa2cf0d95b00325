"""The VisionModel resource as typed values. The CRD's schema, its documentation and every default come from here."""

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from qwen3vl_common.navigation.settings import BlindMeters, LinearSpeed, PlanAge, TurnRate
from qwen3vl_common.parts import Part, rules
from qwen3vl_operator import names
from qwen3vl_operator.kube.fields import PassedThrough, Quantity
from qwen3vl_operator.vision_model.engines import DEFAULT, ENGINES
from qwen3vl_operator.vision_model.engines import Engine as EngineKind

SERVED_NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"


LEAST_NAVIGATION_CONTEXT = 1024
"""Tokens; with fewer a VLN API's question about one small picture does not fit in each language and form of answer."""


class VolumeSource(Part):
    """Weights that lie already on a PersistentVolumeClaim of the namespace; mounted read-only."""

    claim_name: str = Field(min_length=1, max_length=253, description="Name of the PersistentVolumeClaim.")
    path: str = Field(
        default="",
        max_length=512,
        description="Folder of the weights inside the volume; empty means its root.",
        json_schema_extra=rules(
            ("!self.startsWith('/') && !self.split('/').exists(p, p == '..')", "is a relative path without '..'")
        ),
    )


class Source(Part):
    """Where the weights come from."""

    volume: VolumeSource = Field(description="Weights that lie already on a volume.")


class Cache(Part):
    """A volume for what the engine computes once and wants again after a restart: compiled kernels, tuning results."""

    size: Quantity = Field(default="100Gi", description="Size to ask for.")
    storage_class_name: str | None = Field(default=None, description="Storage class; absent means the default one.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(
        default="ReadWriteOnce", description="ReadWriteMany when several replicas share it."
    )
    on_delete: Literal["Retain", "Delete"] = Field(
        default="Retain", description="What happens to the volume claim when the VisionModel is deleted."
    )


class EnvironmentVariable(Part):
    """One environment variable of the engine's container."""

    name: str = Field(min_length=1, max_length=253, description="Name.")
    value: str | None = Field(default=None, description="Value.")
    value_from: PassedThrough | None = Field(default=None, description="Source of the value, as in a pod.")


class SimulatorSettings(Part):
    """How fast the simulator answers, and what it makes of a robot's pictures."""

    first_token_millis: int = Field(default=50, ge=0, le=600_000, description="Milliseconds until the first token.")
    tokens_per_second: float = Field(default=100, gt=0, le=100_000, description="Tokens a second after that.")
    policy: Literal["Still", "Drive"] = Field(
        default="Still",
        description="How a robot is led: not at all, or by looking for what the instruction names in the picture.",
    )


def _known(name: str) -> str:
    if name not in ENGINES:
        raise ValueError(f"there is no engine {name}; there are: {', '.join(ENGINES)}")
    return name


def _flag_rules() -> list[tuple[str, str]]:
    """For each engine, what its arguments may not repeat. Parsers take a shortened flag for the whole one."""
    result = []
    for engine in ENGINES.values():
        flags = sorted(engine.owned_flags | engine.refused_flags)
        if flags:
            taken = f"!{flags!r}.exists(f, f.startsWith(a.split('=')[0]))"
            result.append(
                (
                    f"self.name != '{engine.name}' || !has(self.args) || "
                    f"self.args.all(a, !a.matches('^--.') || {taken})",
                    f"engine.args repeats a flag that the operator sets from the spec: {', '.join(flags)}",
                )
            )
    return result


class Engine(Part):
    """The program that runs the model."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.simulator) || self.name == 'simulator'", "engine.simulator is for engine.name: simulator"),
            (
                "self.tensorParallel in [1, 2, 4, 8, 16]",
                "engine.tensorParallel is 1, 2, 4, 8 or 16: it must divide the model's attention heads",
            ),
            (
                f"!has(self.env) || !self.env.exists(e, e.name == '{names.ENGINE_KEY_ENV}')",
                f"engine.env sets {names.ENGINE_KEY_ENV}, which the operator sets itself",
            ),
            *_flag_rules(),
        )
    )
    name: Annotated[str, AfterValidator(_known)] = Field(
        default=DEFAULT,
        json_schema_extra={"enum": list(ENGINES)},
        description="; ".join(f"{engine.name}: {engine.title}" for engine in ENGINES.values()) + ".",
    )
    image: str | None = Field(default=None, min_length=1, description="Image; absent means the engine's default one.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        default=None, description="As in a pod."
    )
    tensor_parallel: int = Field(default=4, ge=1, le=16, description="GPUs of one replica; the simulator uses none.")
    context_length: int = Field(default=8192, ge=256, le=1_048_576, description="Longest prompt plus answer, tokens.")
    gpu_memory_fraction: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Share of the GPU memory beside the weights that the KV cache takes.",
    )
    prefix_caching: bool = Field(default=True, description="Reuse the KV cache of equal prompt beginnings.")
    args: list[Annotated[str, Field(max_length=1024)]] = Field(
        default=[], max_length=64, description="Further arguments, appended last."
    )
    env: list[EnvironmentVariable] = Field(
        default=[],
        max_length=64,
        description="Further environment variables; they win over the operator's own.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    simulator: SimulatorSettings | None = Field(default=None, description="Settings of the simulator.")

    @property
    def simulator_settings(self) -> SimulatorSettings:
        return self.simulator or SimulatorSettings()

    @property
    def kind(self) -> EngineKind:
        """What the table of engines says of it."""
        return ENGINES[self.name]


class Resources(Part):
    """What one replica asks of its node."""

    gpu: str = Field(default="nvidia.com/gpu", max_length=253, description="Resource name of a GPU.")
    cpu: Quantity | None = Field(default=None, description="CPU request; absent means the engine's default.")
    memory: Quantity | None = Field(default=None, description="Memory request and limit; absent means the default.")
    shared_memory: Quantity = Field(default="16Gi", description="Size limit of /dev/shm, which counts as memory.")


class Pod(Part):
    """Where engine pods may run, and what they carry."""

    node_selector: dict[str, str] = Field(default={}, description="As in a pod.")
    tolerations: list[PassedThrough] = Field(default=[], max_length=64, description="As in a pod.")
    affinity: PassedThrough | None = Field(default=None, description="As in a pod.")
    priority_class_name: str | None = Field(default=None, description="As in a pod.")
    runtime_class_name: str | None = Field(default=None, description="As in a pod.")
    image_pull_secrets: list[PassedThrough] = Field(default=[], max_length=16, description="As in a pod.")
    labels: dict[str, str] = Field(default={}, description="Further labels; the operator's own win.")
    annotations: dict[str, str] = Field(default={}, description="Further annotations.")


class NavigationResources(Part):
    """What the VLN API asks of its node."""

    cpu: Quantity | None = Field(default=None, description="CPU request; absent means 100m.")
    memory: Quantity | None = Field(
        default=None, description="Memory request and limit; absent means a request of 256Mi and a limit of 1Gi."
    )


class Recordings(Part):
    """Where the VLN API keeps the recordings of tasks that want one; gone with its pod."""

    max_size: Quantity = Field(
        default="1Gi",
        description="All recordings together, at least 64Mi; a tenth of it is left free. The oldest go first.",
        json_schema_extra=rules(
            (
                "type(self) == int ? self >= 67108864 : quantity(self).compareTo(quantity('64Mi')) >= 0",
                "recordings.maxSize is at least 64Mi",
            )
        ),
    )


class Ceilings(Part):
    """What no task's limits exceed, whoever makes it; an absent one bounds nothing."""

    linear_meters_per_second: LinearSpeed | None = Field(default=None, description="Highest speed, m/s.")
    angular_radians_per_second: TurnRate | None = Field(default=None, description="Highest turn rate, rad/s.")
    blind_meters: BlindMeters | None = Field(
        default=None, description="Longest way since the picture that a plan was made from, m."
    )
    max_plan_age_seconds: PlanAge | None = Field(default=None, description="Oldest picture that a plan may have, s.")


def _network(text: str) -> str:
    """The same text, if it names a network or an address.

    Raises:
        ValueError: it does not.
    """
    ipaddress.ip_network(text)
    return text


Network = Annotated[str, Field(max_length=43, pattern=r"^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"), AfterValidator(_network)]


class Navigation(Part):
    """The VLN API of this model: a robot's camera frames in, velocities out."""

    replicas: int = Field(default=1, ge=0, le=1, description="Pods; one keeps the tasks in its memory.")
    keys_secret: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        description="Secret with robots' keys, an entry a client; absent means entries <model>.<client> of the Secret"
        " qwen3vl-robot-keys, where <model>.default is made when the model has none.",
    )
    auth: Literal["Keys", "None"] = Field(
        default="Keys", description="None answers anybody who reaches the port; only for a closed network."
    )
    ceilings: Ceilings = Field(
        default=Ceilings(),
        description="What no task's limits exceed; holds for tasks under way within the kubelet's minute and a half.",
    )
    tasks_per_key: int = Field(
        default=32,
        ge=1,
        le=192,
        description="Unfinished tasks that belong to no NavTask, of one key from one address.",
    )
    trusted_proxies: list[Network] = Field(
        default=[],
        max_length=32,
        description="Proxies before the VLN API, as 10.0.0.0/8 or an address: the last address of their X-Forwarded-For"
        " is taken for a program's.",
    )
    resources: NavigationResources = Field(
        default=NavigationResources(), description="What the VLN API asks of its node."
    )
    recordings: Recordings = Field(
        default=Recordings(), description="Where tasks are recorded whose spec.recording.enabled says so."
    )


WITHOUT_WEIGHTS = [engine.name for engine in ENGINES.values() if not engine.needs_source]


class Spec(Part):
    """What is wanted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"has(self.source) || self.engine.name in {WITHOUT_WEIGHTS!r}",
                "source is required: say where the weights are (only engine.name: "
                f"{', '.join(WITHOUT_WEIGHTS)} runs without)",
            ),
            (
                "!has(self.cache) || self.cache.accessMode != 'ReadWriteOnce' || self.replicas <= 1",
                "a ReadWriteOnce cache serves one replica: set cache.accessMode: ReadWriteMany or replicas: 1",
            ),
            (
                f"!has(self.navigation) || self.engine.contextLength >= {LEAST_NAVIGATION_CONTEXT}",
                f"navigation needs engine.contextLength of at least {LEAST_NAVIGATION_CONTEXT}: a prompt, one small "
                "picture and the answer take about as much",
            ),
        )
    )
    served_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        pattern=SERVED_NAME_PATTERN,
        description="The name that requests use; absent means the object's name.",
    )
    paused: bool = Field(
        default=False,
        description="Change nothing: no object of the model is made, altered or removed while this is true; "
        "the status goes on, and so do its NavTasks and its deletion.",
    )
    source: Source | None = Field(default=None, description="Where the weights come from.")
    cache: Cache | None = Field(default=None, description="A volume for the engine's caches; absent: none is kept.")
    engine: Engine = Field(default=Engine(), description="The program that runs the model.")
    resources: Resources = Field(default=Resources(), description="What one replica asks of its node.")
    replicas: int = Field(default=1, ge=0, le=1000, description="Engine pods; also set by `kubectl scale`.")
    navigation: Navigation | None = Field(
        default=None, description="The VLN API, for robots that walk by this model; absent: there is none."
    )
    pod: Pod = Field(default=Pod(), description="Where engine pods may run, and what they carry.")


class VisionModel(BaseModel):
    """A parsed VisionModel: identity and spec."""

    model_config = ConfigDict(frozen=True)
    name: str
    namespace: str
    uid: str
    generation: int
    created: str
    spec: Spec

    @property
    def served_name(self) -> str:
        return self.spec.served_name or self.name

    @property
    def precedence(self) -> tuple[str, str]:
        """Sorts the oldest first: that one wins a name that two models claim."""
        return self.created, self.uid


def parse(body: dict[str, Any]) -> VisionModel:
    """The typed view of a VisionModel object.

    Raises:
        pydantic.ValidationError: the spec breaks the schema (an older or hand-changed CRD let it through).
    """
    metadata = body["metadata"]
    return VisionModel(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created=metadata.get("creationTimestamp", ""),
        spec=Spec.model_validate({} if body.get("spec") is None else body["spec"]),
    )
