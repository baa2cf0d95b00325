"""The local backend: bring a whole Kubernetes up on this machine, say how it is, take it away."""

import fcntl
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localkube import (
    archive,
    binaries,
    certificates,
    control_plane,
    dns,
    layout,
    network,
    node,
    packages,
    processes,
    sysctl,
)
from localkube.api import Api, wait_until
from localkube.report import Failure, say, step

PROCESSES = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
)
START_SECONDS = 120


def _api() -> Api:
    return Api(control_plane.LOCAL.api_url, layout.state_dir() / "pki")


def kubeconfig() -> Path:
    """The administrator's kubeconfig; works from the host's own network namespace, through the link."""
    return layout.state_dir() / "kubeconfig" / "admin"


@contextmanager
def _alone() -> Iterator[None]:
    """Let one `up` or `down` work at a time; the second waits. The kernel frees the lock of a killed one."""
    # Of the machine, not of a cache or state folder: the network namespace is one for all of them.
    path = Path("/run/lock/qwen3vl-cluster")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another up or down is at work: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up() -> None:
    """Bring the cluster up. Healthy already: nothing happens. Anything in between is taken down first."""
    _require_root()
    with _alone():
        _up()


def _up() -> None:
    packages.ensure(packages.NODE_PACKAGES)
    binaries.ensure()
    if healthy():
        say(f"the cluster is up: {control_plane.LOCAL.api_url}")
        return
    if network.exists() and not sysctl.is_saved():
        raise Failure(
            f"the network namespace {layout.NETNS} is in use by a cluster with another state folder",
            f"take that one down with its QWEN3VL_STATE; if there is none: ip netns del {layout.NETNS}",
        )
    if any(layout.state_dir().glob("pid/*")) or network.exists():
        with step("clearing what an earlier try left"):
            _down(purge=False)
    state = layout.state_dir()
    state.mkdir(parents=True, exist_ok=True)
    sysctl.save()
    with step("network namespace and certificates"):
        network.ensure()
        certificates.ensure(state / "pki", control_plane.certificate_subjects(layout.NODE_ADDRESS))
        for client in ("admin", "controller-manager", "scheduler", "proxy", "node"):
            certificates.write_kubeconfig(
                state / "kubeconfig" / client, server=control_plane.LOCAL.api_url, pki=state / "pki", client=client
            )
    with step("control plane"):
        _start_control_plane(state)
    with step("node"):
        _start_node(state)
    with step("cluster DNS"):
        apply(dns.manifests())
        path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
        _wait(lambda: bool((_get(path).get("status") or {}).get("readyReplicas")), "kubelet", "CoreDNS is not ready")
    say(f"the cluster is up: {control_plane.LOCAL.api_url}; try hack/cluster/kubectl get pods -A")


def _require_root() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise Failure(
            "the local cluster needs Linux and root: it makes network namespaces, mounts and cgroups",
            "run it as root, or use a cluster you have: QWEN3VL_CLUSTER=current (flag --cluster current of hack/demo)",
        )


def _get(path: str) -> dict[str, Any]:
    status, body = _api().get(path)
    return body if status == 200 and isinstance(body, dict) else {}


def _wait(ready: Callable[[], bool], process: str, failure: str) -> None:
    log = processes.log_path(process)
    advice = f"read {log}; then run hack/cluster/down and hack/cluster/up again"
    alive = lambda: processes.find(process) is not None  # noqa: E731
    wait_until(ready, seconds=START_SECONDS, alive=alive, failure=Failure(failure, advice, log))


def _start(program: str, arguments: list[str]) -> None:
    processes.start(program, [str(binaries.path_of(program)), *arguments])


def _start_control_plane(state: Path) -> None:
    pki = state / "pki"
    (state / "etcd.yaml").write_text(control_plane.etcd_config(state / "etcd", control_plane.LOCAL))
    _start("etcd", ["--config-file", str(state / "etcd.yaml")])
    _start("kube-apiserver", control_plane.apiserver_arguments(pki, control_plane.LOCAL))
    _wait(lambda: _api().get("/readyz")[0] == 200, "kube-apiserver", "kube-apiserver does not become ready")
    # These two end at once when RBAC's bootstrap roles are not there yet: so they come after /readyz.
    kubeconfigs = state / "kubeconfig"
    manager = control_plane.controller_manager_arguments(pki, kubeconfigs / "controller-manager")
    _start("kube-controller-manager", manager)
    _start("kube-scheduler", control_plane.scheduler_arguments(kubeconfigs / "scheduler"))
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    _wait(lambda: bool(_get(account)), "kube-controller-manager", "the controller manager does not work")


def _start_node(state: Path) -> None:
    for name, text in {
        "containerd.toml": node.containerd_config(state),
        "cni/10-bridge.conflist": node.cni_config(state),
        "kubelet.yaml": node.kubelet_config(state),
        "proxy.yaml": node.proxy_config(state),
        "resolv.conf": f"nameserver {layout.DNS_ADDRESS}\n",
    }.items():
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).write_text(text)
    processes.start("containerd", ["containerd", "--config", str(state / "containerd.toml")])
    _wait(lambda: bool(node.ctr("version", check=False)), "containerd", "containerd does not answer")
    node.stop_containers()
    for image, program in ((layout.PAUSE_IMAGE, "pause"), (layout.COREDNS_IMAGE, "coredns")):
        target = state / "images" / f"{program}.tar"
        binary = binaries.path_of(program)
        archive.write(target, name=image, files={f"/{program}": binary}, entrypoint=[f"/{program}"])
        node.load_image(target)
        target.unlink()
    arguments = [
        f"--config={state}/kubelet.yaml",
        f"--kubeconfig={state}/kubeconfig/node",
        f"--root-dir={state}/kubelet",
        f"--cert-dir={state}/kubelet-pki",
        f"--hostname-override={layout.NODE_NAME}",
        f"--node-ip={layout.NODE_ADDRESS}",
    ]
    _start("kubelet", arguments)
    _start("kube-proxy", [f"--config={state}/proxy.yaml"])
    _wait(node_ready, "kubelet", "the node does not become ready")


def node_ready() -> bool:
    """Whether the node says Ready."""
    status = _get(f"/api/v1/nodes/{layout.NODE_NAME}").get("status")
    conditions = status.get("conditions", []) if isinstance(status, dict) else []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def apply(manifests: str) -> None:
    """`kubectl apply` of the text.

    Raises:
        Failure: kubectl says no.
    """
    command = [str(binaries.path_of("kubectl")), "--kubeconfig", str(kubeconfig()), "apply", "--filename", "-"]
    done = subprocess.run(command, input=manifests, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"kubectl apply: {done.stderr.strip()}", "read the log of kube-apiserver in the state folder")


def healthy() -> bool:
    """Whether every program runs, the API answers and the node is ready."""
    return all(processes.find(name) for name in PROCESSES) and network.exists() and node_ready()


def status() -> bool:
    """Print each part's state; True when all is well."""
    for name in PROCESSES:
        record = processes.find(name)
        print(f"{name:24} {f'running, process {record.pid}' if record else 'not running'}")
    print(f"{'network namespace':24} {'there' if network.exists() else 'not there'}")
    version = _get("/version").get("gitVersion") if (layout.state_dir() / "pki/admin.crt").exists() else None
    print(f"{'API':24} {f'{control_plane.LOCAL.api_url}, Kubernetes {version}' if version else 'no answer'}")
    ready = bool(version) and node_ready()
    print(f"{'node ' + layout.NODE_NAME:24} {'Ready' if ready else 'not ready'}")
    print(f"{'state, cache':24} {layout.state_dir()}, {layout.cache_dir()}")
    return bool(version) and healthy()


def down(*, purge: bool = False) -> None:
    """Take the cluster away: processes, containers, mounts, network, cgroups; kernel settings as before.

    Images stay in the state folder for the next `up`, unless `purge` removes it whole.
    """
    with _alone():
        _down(purge=purge)


def _down(*, purge: bool) -> None:
    for name in ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager"):
        processes.stop(name)
    node.stop_containers()
    processes.stop("containerd")
    # An apiserver asked to end after its etcd is gone never does: it goes first.
    processes.stop("kube-apiserver", patience_seconds=3)
    processes.stop("etcd")
    node.remove_mounts()
    if sysctl.is_saved():  # else the namespace, if there is one, is of another state folder's cluster
        node.remove_pod_networks()
        network.remove()
        node.remove_cgroups()
        sysctl.restore()
    node.remove_runtime_state()
    if purge:
        shutil.rmtree(layout.state_dir(), ignore_errors=True)
