"""A private cluster with the chart of a checkout in it: where the operator is started, once or again."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from hack.bench.operatorbench import chart
from hack.bench.operatorbench.cluster import Cluster, Object, connected
from hack.bench.operatorbench.failure import RunFailure, say
from hack.bench.operatorbench.memory import MemoryLimit, memory_limit
from hack.bench.operatorbench.operator_process import OperatorProcess, operating
from hack.bench.operatorbench.probes import Probing

from localkube.testing import ApiServer

NAMESPACE = "bench"
CRD_SECONDS = 30


@dataclass
class Installation:
    """See the module.

    Attributes:
        vln_url: where the operator finds the VLN APIs of all models.
        peak_mib: highest resident memory of any operator process so far.
    """

    source: Path
    cluster: Cluster
    release: chart.Release
    limit: MemoryLimit
    probing: Probing
    kubeconfig: Path
    vln_url: str = "http://127.0.0.1:9"
    peak_mib: float = 0.0
    _starts: int = 0
    _log: Path = field(init=False)

    def __post_init__(self) -> None:
        self._log = self.kubeconfig.with_name("operator.log")

    @contextlib.asynccontextmanager
    async def operator(self, *, look_again_seconds: float) -> AsyncIterator[OperatorProcess]:
        """The operator, ready; it ends with the block, and started again it is a restart."""
        self._starts += 1
        pod = f"{chart.POD}-{self._starts}"
        environment = {name: value.replace(chart.POD, pod) for name, value in self.release.environment.items()} | {
            "KUBECONFIG": str(self.kubeconfig),
            "QWEN3VL_LOOK_AGAIN_SECONDS": f"{look_again_seconds:g}",
            "QWEN3VL_FULL_LIST_SECONDS": f"{look_again_seconds / 2:g}",
            "QWEN3VL_VLN_URL": self.vln_url,
        }
        async with operating(
            self.source, environment, limit=self.limit, probing=self.probing, log=self._log
        ) as running:
            try:
                await self.probing.ready.wait()
                yield running
            finally:
                self.peak_mib = max(self.peak_mib, running.peak_mib)

    def log_tail(self, lines: int = 5) -> str:
        """The last lines of the operator's log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:]) if self._log.exists() else ""


async def _install(cluster: Cluster, release: chart.Release) -> None:
    await cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    await asyncio.to_thread(cluster.apply, release.objects)
    async with asyncio.timeout(CRD_SECONDS):
        for one in release.objects:
            if one["kind"] == "CustomResourceDefinition":
                await _served(cluster, one)


async def _served(cluster: Cluster, crd: Object) -> None:
    name, group = crd["spec"]["names"]["plural"], crd["spec"]["group"]
    while True:
        try:
            await cluster.call(
                "GET", f"/apis/{group}/{crd['spec']['versions'][0]['name']}/namespaces/{NAMESPACE}/{name}"
            )
        except RunFailure:
            await asyncio.sleep(0.1)
        else:
            return


async def _kubeconfig(cluster: Cluster) -> str:
    """The text of a kubeconfig of the account that the chart gives the operator."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 86400}}
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{chart.OPERATOR}/token"
    token = (await cluster.call("POST", account, request))["status"]["token"]
    server = cluster.server
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": server.url, "certificate-authority": str(server.pki / "ca.crt")}}
        ],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    return json.dumps(config)


@contextlib.asynccontextmanager
async def installed(source: Path, server: ApiServer) -> AsyncIterator[Installation]:
    """The chart of the checkout at `source`, installed into an empty cluster."""
    release = await asyncio.to_thread(chart.render, source, NAMESPACE)
    async with connected(server) as cluster:
        await _install(cluster, release)
        kubeconfig = server.directory / "operator.kubeconfig"
        await asyncio.to_thread(kubeconfig.write_text, await _kubeconfig(cluster))
        with memory_limit(release.memory_bytes) as limit:
            say(f"installed the chart of {source}; {limit.limit_bytes >> 20} MiB by {limit.by}")
            yield Installation(source, cluster, release, limit, Probing(release.probes), kubeconfig)
