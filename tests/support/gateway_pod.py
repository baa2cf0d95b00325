"""The gateway's pod as tests of its resilience see it: restarts, peak memory, and keys that change."""

import base64
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster import Namespace, Object
from tests.support.polling import eventually
from tests.support.release import Client

KEYS = "qwen3vl-keys"
_PEAK = "print(next(line for line in open('/proc/1/status') if line.startswith('VmHWM')).split()[1])"
_FORGET_PEAK = "open('/proc/1/clear_refs', 'w').write('5')"


@dataclass(frozen=True)
class GatewayPod:
    """The one gateway pod that runs in these tests."""

    namespace: Namespace

    def now(self) -> Object:
        """The pod, once it is Ready."""
        return eventually(lambda: self.namespace.ready_pod("gateway"), 60, "a gateway pod is Ready")

    def lives(self) -> tuple[str, int]:
        """The pod's uid and how often its container was started again; equal as long as nothing ended it."""
        pods = self.namespace.pods("gateway")
        assert len(pods) == 1, f"{len(pods)} gateway pods"
        statuses = pods[0]["status"].get("containerStatuses") or [{}]
        return str(pods[0]["metadata"]["uid"]), int(statuses[0].get("restartCount", 0))

    def _python(self, code: str) -> str:
        return self.namespace.kubectl("exec", self.now()["metadata"]["name"], "--", "python", "-c", code)

    def peak_rss_mib(self) -> float:
        """Most memory of the process since it began, or since `forget_peak`."""
        return int(self._python(_PEAK)) / 1024

    def forget_peak(self) -> None:
        self._python(_FORGET_PEAK)

    def set_keys(self, name: str, *keys: str) -> None:
        """Make these the keys of a client, or remove it without any, and have the kubelet bring them at once."""
        value = base64.b64encode("\n".join(keys).encode()).decode() if keys else None
        self.namespace.patch("secrets", KEYS, {"data": {name: value}})
        # It looks at a pod's Secrets when it looks at the pod: every minute or so, or when the pod changes.
        annotation = {"metadata": {"annotations": {"example.com/keys-changed": str(time.time_ns())}}}
        self.namespace.patch("pods", self.now()["metadata"]["name"], annotation)

    def wait_for_key(self, client: Client, key: str, *, valid: bool = True) -> None:
        """Wait until the gateway takes the key, or does not any more."""
        url, status = "http://qwen3vl-gateway/v1/models", 200 if valid else 401

        def as_wanted() -> bool:
            return bool(client("http", method="GET", url=url, key=key)["status"] == status)

        eventually(as_wanted, 100, f"the gateway answers {status} to a key that was changed")


def kill_container(namespace: Namespace, pod: Object) -> None:
    """End a pod's only container by SIGKILL, as the kernel does when memory is short.

    Where the node's processes are not ours to see, the pod is deleted without grace instead.
    """
    identity = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    ended = False
    for cgroup in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if identity in cgroup.read_text():
                os.kill(int(cgroup.parent.name), signal.SIGKILL)
                ended = True
        except (OSError, ProcessLookupError):
            continue
    if not ended:
        namespace.delete("pods", pod["metadata"]["name"], gracePeriodSeconds=0)
