"""The LMDeploy example on a node without GPUs, then with 4: what is waited for is said in the scheduler's words."""

import json
import time
from collections.abc import Iterator

import pytest
import yaml
from tests.support.cluster import ROOT, Namespace, Object, kubectl
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import Release

NAME = "qwen3-vl-32b"
GPU = "nvidia.com/gpu"


def _set_gpus(node: str, count: str | None) -> None:
    patch = {"status": {"capacity": {GPU: count}, "allocatable": {GPU: count}}}
    kubectl("patch", "node", node, "--subresource=status", "--type=merge", f"--patch={json.dumps(patch)}")


@pytest.fixture
def node_without_gpus() -> Iterator[str]:
    """A node's name; whatever GPUs the test gives it are taken away again."""
    node = json.loads(kubectl("get", "nodes", "--output=json"))["items"][0]
    if GPU in node["status"]["capacity"]:
        pytest.fail(f"node {node['metadata']['name']} has GPUs: this test is for one without")
    yield node["metadata"]["name"]
    _set_gpus(node["metadata"]["name"], None)


@pytest.fixture
def weights(release: Release) -> Iterator[Namespace]:
    """The release's namespace with the claim that the example reads its weights from."""
    volume = f"{release.namespace.name}-weights"
    size, modes = {"storage": "1Gi"}, ["ReadWriteMany"]
    claim: Object = {"accessModes": modes, "storageClassName": volume, "resources": {"requests": size}}
    path = {"path": f"/var/tmp/{volume}", "type": "DirectoryOrCreate"}
    persistent = {"capacity": size, "accessModes": modes, "storageClassName": volume, "hostPath": path}
    release.namespace.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": persistent},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"}, "spec": claim},
    )
    eventually(
        lambda: release.namespace.get("persistentvolumeclaims", "weights")["status"].get("phase") == "Bound",
        60,
        "the claim of the weights is bound",
    )
    yield release.namespace
    release.namespace.delete("persistentvolumeclaims", "weights")
    kubectl("delete", "persistentvolume", volume, "--wait=false")


def test_four_gpus_are_waited_for_then_the_image(weights: Namespace, node_without_gpus: str, figure: Figures) -> None:
    example = yaml.safe_load((ROOT / "examples/lmdeploy.yaml").read_text())
    # The example as it is, but for CPU and memory: the node of a test is smaller than one with 4 GPUs.
    example["spec"]["resources"] |= {"cpu": "50m", "memory": "64Mi", "sharedMemory": "16Mi"}
    weights.apply(example)
    try:
        scheduled = weights.wait_condition(NAME, "Scheduled", 30, status="False", reason="InsufficientGPU")
        assert f"Insufficient {GPU}" in scheduled["message"]
        ready = weights.condition(NAME, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "InsufficientGPU")

        _set_gpus(node_without_gpus, "4")
        begun = time.monotonic()
        weights.wait_condition(NAME, "Scheduled", 60, status="True")
        figure("GPUs appear until Scheduled=True", time.monotonic() - begun, "s")
        pulled = weights.wait_condition(NAME, "EngineReady", 60, status="False", reason="ImagePullError")
        pod = weights.list("pods", model=NAME)[0]
        image = pod["spec"]["containers"][0]["image"]
        assert image in pulled["message"] and "lmdeploy" in image
        assert pod["spec"]["containers"][0]["resources"]["limits"][GPU] == "4"
    finally:
        weights.kubectl("delete", "visionmodel", NAME)
        eventually(lambda: not weights.list("pods", model=NAME), 60, "its pod is gone")
