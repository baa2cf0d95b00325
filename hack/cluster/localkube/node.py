"""One node: containerd, kubelet, kube-proxy and the pods' bridge; and taking all of it away again."""

import json
import shutil
import signal
import subprocess
import time
from os import kill
from pathlib import Path

from localkube import layout, network, processes
from localkube.report import Failure, say

CNI_PLUGINS = "/usr/lib/cni"
MAX_PODS = 60


def socket() -> Path:
    """containerd's socket; its path is also what marks the shims that are ours."""
    return layout.state_dir() / "containerd.sock"


def containerd_config(state: Path) -> str:
    """containerd's configuration. Without CAP_SYS_RESOURCE an oom_score_adj below our own cannot be set, hence the
    restriction; the pause image is our own, since no registry is asked."""
    return f"""version = 2
root = "{state}/containerd/root"
state = "{state}/containerd/state"
[grpc]
  address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{layout.PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def cni_config(state: Path) -> str:
    """A bridge with addresses from the node's pod network."""
    ranges = [[{"subnet": layout.POD_CIDR}]]
    ipam = {"type": "host-local", "dataDir": f"{state}/cni-ipam", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True, "ipam": ipam}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "qwen3vl", "plugins": [bridge, ports]})


def kubelet_config(state: Path) -> str:
    """The kubelet's configuration (JSON is YAML). No eviction: a full disk of a test machine is not a test result."""
    pki = f"{state}/pki"
    authentication = {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": f"{pki}/ca.crt"},
    }
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": layout.NODE_ADDRESS,
            "healthzBindAddress": "127.0.0.1",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "authentication": authentication,
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{pki}/node.crt",
            "tlsPrivateKeyFile": f"{pki}/node.key",
            "containerRuntimeEndpoint": f"unix://{state}/containerd.sock",
            "clusterDomain": layout.CLUSTER_DOMAIN,
            "clusterDNS": [layout.DNS_ADDRESS],
            "resolvConf": f"{state}/resolv.conf",
            "evictionHard": dict.fromkeys(
                ("memory.available", "nodefs.available", "imagefs.available", "nodefs.inodesFree"), "0%"
            ),
            "imageGCHighThresholdPercent": 100,
            "nodeStatusUpdateFrequency": "4s",
            "syncFrequency": "10s",
            "podLogsDir": f"{state}/pod-logs",
            "volumePluginDir": f"{state}/volume-plugins",
            "maxPods": MAX_PODS,
        }
    )


def proxy_config(state: Path) -> str:
    """kube-proxy's configuration, nftables mode."""
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": layout.NODE_ADDRESS,
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "clusterCIDR": layout.POD_CIDR,
            "hostnameOverride": layout.NODE_NAME,
            "clientConnection": {"kubeconfig": f"{state}/kubeconfig/proxy"},
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        }
    )


def ctr(*arguments: str, check: bool = True) -> str:
    """Run containerd's client in Kubernetes' namespace of images and containers.

    Raises:
        Failure: it failed and `check` is set.
    """
    command = ["ctr", "--address", str(socket()), "--namespace", "k8s.io", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failure(f"ctr {' '.join(arguments)}: {done.stderr.strip()}", "is the cluster up? see hack/cluster/status")
    return done.stdout


def load_image(archive: Path) -> None:
    """Import the images of a docker or OCI archive."""
    ctr("images", "import", str(archive))


def stop_containers() -> None:
    """Kill and remove every container of our containerd, then the shims that carry our socket."""
    if processes.find("containerd"):
        for task in ctr("tasks", "list", "--quiet", check=False).split():
            ctr("tasks", "kill", "--signal", "SIGKILL", "--all", task, check=False)
        for task in ctr("tasks", "list", "--quiet", check=False).split():
            ctr("tasks", "delete", "--force", task, check=False)
        for container in ctr("containers", "list", "--quiet", check=False).split():
            ctr("containers", "delete", container, check=False)
    for pid in our_shims():
        kill(pid, signal.SIGKILL)


def our_shims(proc: Path = Path("/proc")) -> list[int]:
    """Process ids of containerd shims started by our containerd: its socket's path stands in their arguments."""
    found = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "containerd-shim" in arguments[0] and str(socket()) in arguments:
            found.append(int(folder.name))
    return found


def mounts_below(folder: Path, mounts: Path = Path("/proc/mounts")) -> list[str]:
    """Mount points below the folder, deepest first."""
    points = [line.split()[1] for line in mounts.read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def remove_mounts() -> None:
    """Unmount all below the state folder."""
    for point in mounts_below(layout.state_dir()):
        subprocess.run(["umount", "--lazy", point], capture_output=True)


def pod_namespaces() -> list[str]:
    """Names of the network namespaces of our pods: those with an address of our pod network."""
    names = [line.split()[0] for line in network.run("ip", "netns", "list", check=False).splitlines() if line]
    prefix = layout.POD_CIDR.rpartition(".")[0]
    pods = [name for name in names if name.startswith("cni-")]
    return [name for name in pods if f"inet {prefix}." in network.run("ip", "-n", name, "addr", check=False)]


def remove_pod_networks() -> None:
    """Remove our pods' network namespaces and what the CNI plugins remember of them."""
    for name in pod_namespaces():
        network.run("ip", "netns", "del", name, check=False)
    for cached in Path("/var/lib/cni/results").glob("qwen3vl-*"):
        cached.unlink()


def remove_cgroups(root: Path = Path("/sys/fs/cgroup")) -> None:
    """Remove the cgroups of pods, once their processes are gone; both cgroup versions."""
    deadline = time.monotonic() + 10
    parents = [path for path in (root / layout.CGROUP_PARENT, *root.glob(f"*/{layout.CGROUP_PARENT}")) if path.is_dir()]
    while parents and time.monotonic() < deadline:
        for parent in parents:
            for folder in sorted((path for path in parent.rglob("*") if path.is_dir()), reverse=True):
                _rmdir(folder)
            _rmdir(parent)
        parents = [parent for parent in parents if parent.is_dir()]
        if parents:
            time.sleep(0.2)
    if parents:
        say(f"these cgroups are still in use: {', '.join(map(str, parents))}")


def _rmdir(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # still has members; the caller tries again


def remove_runtime_state() -> None:
    """Forget pods, containers and addresses, keep images: the next `up` starts from an empty node."""
    state = layout.state_dir()
    for name in ("etcd", "kubelet", "cni-ipam", "pod-logs", "containerd/state"):
        shutil.rmtree(state / name, ignore_errors=True)
