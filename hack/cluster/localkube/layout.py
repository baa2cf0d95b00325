"""Where everything is: folders, names and addresses of the local cluster. One fact, one place."""

import os
from pathlib import Path

CLUSTER_DIR = Path(__file__).resolve().parent.parent
TOOLS_DIR = CLUSTER_DIR / "tools"

NETNS = "qwen3vl"
HOST_LINK = "qwen3vl-host"
NODE_LINK = "qwen3vl-node"
NODE_NAME = "node1"
NODE_ADDRESS = "10.200.0.1"
HOST_ADDRESS = "10.200.0.254"
LINK_PREFIX = 24
POD_CIDR = "10.201.0.0/24"
CLUSTER_CIDR = "10.201.0.0/16"
SERVICE_CIDR = "10.202.0.0/16"
KUBERNETES_SERVICE_ADDRESS = "10.202.0.1"
DNS_ADDRESS = "10.202.0.10"
API_PORT = 6443
CLUSTER_DOMAIN = "cluster.local"
PAUSE_IMAGE = "localhost/qwen3vl/pause:1"
COREDNS_IMAGE = "localhost/qwen3vl/coredns:1.14.7"
CGROUP_PARENT = "kubepods"


def cache_dir() -> Path:
    """Folder of what is built once: `$QWEN3VL_CACHE`, else below the user's cache folder. Safe to remove."""
    if explicit := os.environ.get("QWEN3VL_CACHE"):
        return Path(explicit)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qwen3vl"


def state_dir() -> Path:
    """Folder of the running cluster: `$QWEN3VL_STATE`, else below /var/lib. Removed by `down --purge`."""
    return Path(os.environ.get("QWEN3VL_STATE") or "/var/lib/qwen3vl")


def netns_path() -> Path:
    """The file by which the cluster's network namespace is entered."""
    return Path("/run/netns") / NETNS
