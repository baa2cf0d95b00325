"""Pods that do not serve, with the events that say why, and what is told of each: tables for tests."""

from tests.unit.operator.vision_model.pod_samples import (
    BACK_OFF,
    BY_TAINT,
    GATE,
    LOADING,
    LOST,
    MARKED,
    SINCE,
    Object,
    container,
    crashed,
    deleted,
    notes,
    pod,
    ready,
    terminated,
    unscheduled,
    waiting,
    with_condition,
    with_init,
)

from qwen3vl_operator.vision_model.notes import Events
from qwen3vl_operator.vision_model.observed import Note
from qwen3vl_operator.vision_model.running import running
from qwen3vl_operator.vision_model.scheduling import scheduling
from qwen3vl_operator.vision_model.trouble import Trouble

GPU = "0/3 nodes are available: 1 Insufficient cpu, 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available"
SELECTOR = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
TAINT = "0/3 nodes are available: 3 node(s) had untolerated taint {gpu: yes}."
VOLUME = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found."
CONFLICT = "0/3 nodes are available: 3 node(s) had volume node affinity conflict."
CLAIM = 'persistentvolumeclaim "weights" not found'
NO_CLASS = 'storageclass.storage.k8s.io "fast" not found'
EXTERNAL = "Waiting for a volume to be created either by the external provisioner 'x' or manually by the administrator."
PULL = 'Back-off pulling image "registry.example/engine:1"'
NO_SECRET = 'MountVolume.SetUp failed for volume "robot-keys" : secret "no-such-secret" not found'
NO_MAP = 'MountVolume.SetUp failed for volume "settings" : configmap "no-such-map" not found'
NO_FOLDER = (
    'MountVolume.SetUp failed for volume "pv-weights" : hostPath type check failed: /mnt/weights is not a directory'
)
TOO_LONG = (
    "Unable to attach or mount volumes: unmounted volumes=[models], unattached volumes=[], "
    "failed to process volumes=[]: timed out waiting for the condition"
)
ATTACH = 'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = no such disk'
BLOCK = 'MapVolume.SetUpDevice failed for volume "pvc-1" : rpc error: no such device'
MULTI = 'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) old-0'
SANDBOX = 'Failed to create pod sandbox: rpc error: plugin type="bridge" failed (add): no addresses left'
AS_ROOT = 'container has runAsNonRoot and image will run as root (pod: "m-engine-0_robots(u)", container: engine)'
NO_PROGRAM = 'exec: "lmdeploy": executable file not found in $PATH: unknown'
CREATING = waiting("ContainerCreating")
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.32 GiB"
TIMED_OUT = terminated("Error", 137, started="2026-03-01T10:30:00Z", finished="2026-03-01T11:00:30Z")
SHUT = with_condition(MARKED, "Ready", "False", "ReadinessGatesNotReady", GATE)
AGAIN = {"running": {"startedAt": "2026-03-01T11:00:10Z"}}
MOUNTED = (("FailedMount", NO_FOLDER), ("Pulling", 'Pulling image "registry.example/engine:1"'))
CLAIMED = unscheduled(VOLUME, claims=["weights", "m-cache"])

# The pod, events by title ("" is the pod's own) → reason, words of the message.
UNSCHEDULED: dict[str, tuple[Object, dict[str, tuple[Note, ...]], str, tuple[str, ...]]] = {
    "scheduler has not looked": (pod(node=None), {}, "Creating", ("m-engine-0", "scheduler")),
    "no GPU": (unscheduled(GPU), {}, "InsufficientGPU", ("m-engine-0", GPU)),
    "no memory": (unscheduled("Insufficient memory."), {}, "InsufficientResources", ("memory",)),
    "selector": (unscheduled(SELECTOR), {}, "NodeSelectorMismatch", (SELECTOR,)),
    "taint": (unscheduled(TAINT), {}, "Tainted", (TAINT,)),
    "volume elsewhere": (unscheduled(CONFLICT), {}, "VolumeNodeConflict", (CONFLICT,)),
    "no claim": (unscheduled(CLAIM), {}, "ClaimNotFound", ('"weights" not found',)),
    "volume pending": (CLAIMED, {}, "VolumePending", (VOLUME,)),
    "volume pending, claim's event": (
        CLAIMED,
        {"PersistentVolumeClaim weights": notes(("ProvisioningFailed", NO_CLASS), ("ExternalProvisioning", EXTERNAL))},
        "VolumePending", ("PersistentVolumeClaim weights", EXTERNAL, VOLUME),
    ),
    "no storage class": (
        CLAIMED,
        {
            "PersistentVolumeClaim weights": notes(("ExternalProvisioning", EXTERNAL)),
            "PersistentVolumeClaim m-cache": notes(("ProvisioningFailed", NO_CLASS)),
        },
        "StorageClassNotFound", ("PersistentVolumeClaim m-cache", NO_CLASS),
    ),
    "no storage class, says the scheduler": (unscheduled(NO_CLASS), {}, "StorageClassNotFound", (NO_CLASS,)),
    "another's claim": (
        CLAIMED, {"PersistentVolumeClaim other": notes(("ProvisioningFailed", NO_CLASS))}, "VolumePending", (VOLUME,),
    ),
    "other": (unscheduled("out of luck"), {}, "Unschedulable", ("out of luck",)),
}  # fmt: skip
NOT_READY: dict[str, tuple[Object, tuple[Note, ...], str, tuple[str, ...]]] = {
    "no container yet": (pod(), (), "Starting", ("node-a",)),
    "container is being made": (CREATING, (), "Starting", ("node-a",)),
    "no sandbox": (CREATING, notes(("FailedCreatePodSandBox", SANDBOX)), "Starting", (SANDBOX,)),
    "folder is missing": (CREATING, notes(("FailedMount", NO_FOLDER)), "VolumeMountFailed", (NO_FOLDER,)),
    "block volume": (CREATING, notes(("FailedMapVolume", BLOCK)), "VolumeMountFailed", (BLOCK,)),
    "the cause before its summary": (
        pod(), notes(("FailedMount", NO_FOLDER), ("FailedMount", TOO_LONG)), "VolumeMountFailed", (NO_FOLDER,),
    ),
    "the summary alone": (pod(), notes(("FailedMount", TOO_LONG)), "VolumeMountFailed", ("unmounted volumes",)),
    "mounted meanwhile": (CREATING, notes(*MOUNTED), "Starting", ("node-a",)),
    "secret of a volume": (CREATING, notes(("FailedMount", NO_SECRET)), "SecretNotFound", ('"no-such-secret"',)),
    "secret of a variable": (
        waiting("CreateContainerConfigError", 'secret "hub" not found'), (), "SecretNotFound", ('"hub" not found',),
    ),
    "entry of a secret": (
        waiting("CreateContainerConfigError", "couldn't find key token in Secret robots/hub"), (),
        "SecretNotFound", ("robots/hub",),
    ),
    "config map of a volume": (CREATING, notes(("FailedMount", NO_MAP)), "ConfigMapNotFound", ('"no-such-map"',)),
    "config map of a variable": (
        waiting("CreateContainerConfigError", 'configmap "env" not found'), (), "ConfigMapNotFound", ('"env"',),
    ),
    "attach": (
        CREATING, notes(("FailedAttachVolume", ATTACH), ("FailedMount", TOO_LONG)), "VolumeAttachFailed", (ATTACH,),
    ),
    "attached elsewhere": (CREATING, notes(("FailedAttachVolume", MULTI)), "VolumeAttachFailed", ("old-0",)),
    "attached meanwhile": (
        CREATING, notes(("FailedAttachVolume", ATTACH), ("SuccessfulAttachVolume", "AttachVolume.Attach succeeded")),
        "Starting", ("node-a",),
    ),
    "image": (waiting("ImagePullBackOff", PULL), (), "ImagePullError", ("registry.example/engine:1",)),
    "image runs as root": (waiting("CreateContainerConfigError", AS_ROOT), (), "ImageUserError", ("as root",)),
    "no such user": (
        waiting("CreateContainerError", "unable to find user x: no matching entries in passwd file"), (),
        "ImageUserError", ("user x",),
    ),
    "cannot be made": (waiting("CreateContainerError", "the name is reserved"), (), "ConfigError", ("reserved",)),
    "no such program": (crashed(NO_PROGRAM, reason="StartError", code=128), (), "ConfigError", (NO_PROGRAM,)),
    "loading": (LOADING, (), "Loading", ("m-engine-0", "/health", f"since {SINCE}", "until 2026-03-01T11:20:00Z")),
    "loading since unknown": (pod(containerStatuses=container({"running": {}})), (), "Loading", ("runs; /health",)),
    "does not answer any more": (
        pod(containerStatuses=container({"running": {"startedAt": SINCE}}, started=True)), (),
        "Unhealthy", ("had started", "/health"),
    ),
    "startup": (
        pod(containerStatuses=container(AGAIN, last=TIMED_OUT)), (),
        "StartupTimeout", ("1800 s", "runs again since 2026-03-01T11:00:10Z"),
    ),
    "startup, for a reason": (
        pod(containerStatuses=container(AGAIN, last={"terminated": TIMED_OUT["terminated"] | {"message": OOM}})), (),
        "OutOfGPUMemory", (OOM,),
    ),
    "crash": (crashed(code=3), (), "CrashLoop", ("exit code 3", "4 restarts", "see its log")),
    "crash, last line": (crashed("a\nValueError: odd\n"), (), "CrashLoop", ("exit code 1", "ValueError: odd")),
    "crash, runs again": (pod(containerStatuses=container(AGAIN, last=terminated("Error", 1))), (), "Loading", ()),
    "crash, nothing is known of it": (pod(containerStatuses=container(BACK_OFF)), (), "CrashLoop", ("exit code ?",)),
    "killed after hours": (crashed(code=137), (), "CrashLoop", ("exit code 137",)),
    "memory": (crashed(reason="OOMKilled", code=137), (), "OutOfMemory", ("resources.memory",)),
    "GPU memory": (crashed(OOM), (), "OutOfGPUMemory", ("exit code 1", "4 restarts", OOM)),
    "GPU memory, runs again": (
        pod(containerStatuses=container(AGAIN, last=terminated("Error", 1, message=OOM))), (),
        "OutOfGPUMemory", (OOM, "runs again since"),
    ),
    "not its last death": (
        pod(containerStatuses=container(AGAIN, last=terminated("Error", 1, message=OOM), started=True)), (),
        "Unhealthy", ("had started",),
    ),
    "KV cache": (crashed("ValueError: No available memory for the cache blocks."), (), "KVCacheTooSmall", ("blocks",)),
    "argument": (crashed("x: error: unrecognized arguments: --tq 4"), (), "BadArgument", ("--tq 4",)),
    "weights": (crashed("OSError: Can't load tokenizer for '/models/q'"), (), "WeightsMissing", ("/models/q",)),
    "damaged": (crashed("SafetensorError: Error while deserializing header: x"), (), "WeightsDamaged", ("header",)),
    "checksum, of an init container": (
        with_init(terminated("Error", 1, message="ChecksumMismatch: a.safetensors")), (),
        "ChecksumMismatch", ("init container preflight", "a.safetensors"),
    ),
    "architecture": (crashed("does not recognize this architecture"), (), "UnsupportedArchitecture", ("recognize",)),
    "CUDA": (crashed("RuntimeError: No CUDA GPUs are available"), (), "CudaError", ("No CUDA GPUs",)),
    "NCCL": (crashed("RuntimeError: NCCL error: unhandled system error"), (), "NcclInitFailed", ("NCCL error",)),
    "shared memory": (crashed("failed to extend /dev/shm/nccl-x to 33 bytes"), (), "SharedMemoryTooSmall", ("nccl-x",)),
    "disk": (crashed("OSError: No space left on device: '/cache/x'"), (), "DiskFull", ("/cache/x",)),
    "permission": (crashed("PermissionError: Permission denied: '/x'"), (), "PermissionDenied", ("'/x'",)),
    "port": (crashed("[Errno 98] address already in use"), (), "PortInUse", ("already in use",)),
    "init container runs": (
        with_init({"running": {"startedAt": SINCE}}), (), "Starting", ("init container preflight", SINCE),
    ),
    "init container's image": (with_init({"waiting": {"reason": "ErrImagePull"}}), (), "ImagePullError", ("image i",)),
    "init container ended well": (with_init(terminated("Completed", 0)), (), "Starting", ("node-a",)),
    "evicted": (
        pod(reason="Evicted", message="The node was low on resource: memory."), (), "Evicted", ("low on resource",),
    ),
    "driven off a node that answers": (
        deleted(with_condition(ready(), *BY_TAINT)), (), "Evicted", ("NoExecute taint", "kubectl describe node node-a"),
    ),
    "driven off while it loaded": (deleted(with_condition(LOADING, *BY_TAINT)), (), "Evicted", ("NoExecute taint",)),
    "node lost": (LOST, (), "NodeLost", ("node-a", "out-of-service")),
    "node lost, the taint is named": (
        deleted(with_condition(LOADING, *BY_TAINT[:3], "node.kubernetes.io/unreachable:NoExecute")), (),
        "NodeLost", ("out-of-service",),
    ),
    "node lost, as long ago": (pod(reason="NodeLost"), (), "NodeLost", ("out-of-service",)),
    "node not ready": (
        MARKED, notes(("NodeNotReady", "Node is not ready")), "NodeNotReady", ("node-a", SINCE, "Node is not ready"),
    ),
    "node was not ready before": (
        MARKED, notes(("NodeNotReady", "Node is not ready"), start="2026-03-01T10:4{}:00Z"),
        "PodNotReady", ("containers are ready",),
    ),
    "not ready, nobody says why": (MARKED, (), "PodNotReady", ("does not say why",)),
    "gate is shut": (SHUT, (), "ReadinessGateNotReady", (GATE,)),
    "gate has no condition yet": (
        MARKED | {"spec": MARKED["spec"] | {"readinessGates": [{"conditionType": "example.com/balanced"}]}}, (),
        "ReadinessGateNotReady", ("example.com/balanced",),
    ),
}  # fmt: skip


def told(thing: Object, events: Events) -> Trouble | None:
    return scheduling(thing, "nvidia.com/gpu", events) or running(thing, events=events)


def check(found: Trouble | None, reason: str, words: tuple[str, ...]) -> None:
    assert found is not None
    assert found.reason == reason
    for word in words:
        assert word in found.message
