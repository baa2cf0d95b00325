"""The gateway's table follows a real apiserver: slices made, changed, deleted, very large, of two address families,
forbidden, and the apiserver away for a while."""

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client, config
from tests.integration.operator.api import Api
from tests.support.polling import until

from localkube import certificates
from localkube.testing import ApiServer, api_server
from qwen3vl_server.gateway.discovery import Directory, Patience, SliceWatch
from qwen3vl_server.gateway.discovery.apiserver import PAGE_SLICES, SliceApi
from qwen3vl_server.gateway.discovery.events import Expired, read_event
from qwen3vl_server.gateway.discovery.sources import DROP_SECONDS
from qwen3vl_server.gateway.metrics import Metrics

WATCHED_SECONDS = 30
SLICES = "apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("apiserver")) as running:
        admin = Api(running.url, running.pki)
        for name in ("one", "two"):
            admin.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
        yield running


async def _configuration(kubeconfig: Path) -> client.Configuration:
    configuration = client.Configuration()
    loaded = config.load_kube_config(str(kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]  # untyped library
    await loaded
    return configuration


@asynccontextmanager
async def _watching(kubeconfig: Path, found: Directory, metrics: Metrics | None = None) -> AsyncIterator[Directory]:
    """A directory that a watch of the namespaces one and two keeps."""
    # So short that many watches end and go on within a test.
    patience = Patience(watch=2, silence=5, steady=1)
    watch = SliceWatch(await _configuration(kubeconfig), ("one", "two"), found, metrics or Metrics(), patience)
    watching = asyncio.create_task(watch.run())
    try:
        await until(lambda: found.complete, WATCHED_SECONDS)
        yield found
        assert not watching.done()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@pytest.fixture
async def directory(server: ApiServer) -> AsyncIterator[Directory]:
    async with _watching(server.kubeconfig, Directory()) as found:
        yield found


def _slice(model: str, *addresses: str, ready: bool = True, served: str | None = None) -> dict[str, object]:
    labels = {"qwen3vl.io/model": model, "qwen3vl.io/engine": "simulator"}
    if served:
        labels["qwen3vl.io/served-name"] = served
    return {
        "metadata": {"name": f"{model}-engine-abc", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8000, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": ready}} for address in addresses],
    }


def _endpoints(directory: Directory, name: str) -> tuple[str, ...] | None:
    route = directory.routes.get(name)
    return None if route is None else route.endpoints


def _served(directory: Directory, prefix: str) -> set[str]:
    return {name for name in directory.routes if name.startswith(prefix)}


async def test_slices_are_followed_through_their_life_and_an_outage(
    server: ApiServer, directory: Directory, caplog: pytest.LogCaptureFixture
) -> None:
    admin = Api(server.url, server.pki)
    path = SLICES.format("one")
    admin.call("POST", SLICES.format("two"), _slice("unserved", "10.9.9.9"))
    admin.call("POST", path, _slice("m", served="nice"))
    await until(lambda: _endpoints(directory, "nice") == ())

    admin.call("PUT", f"{path}/m-engine-abc", _slice("m", "10.0.0.1", ready=False, served="nice"))
    admin.call("PUT", f"{path}/m-engine-abc", _slice("m", "10.0.0.1", "10.0.0.2", served="nice"))
    await until(lambda: _endpoints(directory, "nice") == ("10.0.0.1:8000", "10.0.0.2:8000"))
    assert set(directory.routes) == {"nice"}, "a slice without the label of the served name is no route"

    await asyncio.to_thread(server.stop)
    await until(lambda: any("EndpointSlices of one" in line and "again in" in line for line in caplog.messages))
    assert _endpoints(directory, "nice") == ("10.0.0.1:8000", "10.0.0.2:8000"), "the last table stays in force"
    await asyncio.to_thread(server.start)
    admin.call("POST", SLICES.format("two"), _slice("other", "10.0.1.1", served="other"))
    admin.call("PUT", f"{path}/m-engine-abc", _slice("m", "10.0.0.2", served="nice"))
    await until(lambda: _endpoints(directory, "other") == ("10.0.1.1:8000",))
    await until(lambda: _endpoints(directory, "nice") == ("10.0.0.2:8000",))

    admin.call("PUT", f"{path}/m-engine-abc", _slice("m", "10.0.0.2"))
    await until(lambda: _endpoints(directory, "nice") is None)
    admin.call("DELETE", f"{SLICES.format('two')}/other-engine-abc")
    await until(lambda: directory.routes == {})


def _large(model: str, count: int) -> dict[str, Any]:
    """A slice with everything as long as the API lets it be."""
    base = _slice(model, served=model)
    endpoints = [
        {
            "addresses": [f"10.20.{number // 250}.{number % 250 + 1}"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "hostname": f"{number:04}-" + "h" * 58,
            "nodeName": f"{number:04}." + ".".join(["n" * 60] * 4),
            "targetRef": {
                "kind": "Pod",
                "namespace": "one",
                "name": f"{number:04}." + ".".join(["p" * 60] * 4),
                "uid": f"00000000-0000-4000-8000-{number:012}",
            },
            "zone": "z" * 60,
            "hints": {"forZones": [{"name": "z" * 60}]},
        }
        for number in range(count)
    ]
    return base | {"endpoints": endpoints}


async def test_a_slice_of_a_thousand_endpoints_is_followed(server: ApiServer, directory: Directory) -> None:
    admin, path = Api(server.url, server.pki), SLICES.format("one")
    large = _large("large", 1000)
    assert len(json.dumps(large)) > 800_000
    admin.call("POST", path, large)
    await until(lambda: len(_endpoints(directory, "large") or ()) == 1000, WATCHED_SECONDS)
    for endpoint in large["endpoints"][:400]:
        endpoint["conditions"] = {"ready": False, "serving": True, "terminating": True}
    for endpoint in large["endpoints"][400:500]:
        endpoint["conditions"] = {"ready": False, "serving": False, "terminating": True}
    admin.call("PUT", f"{path}/large-engine-abc", large)
    await until(lambda: len(_endpoints(directory, "large") or ()) == 500, WATCHED_SECONDS)
    assert directory.gone_seconds("10.20.0.1:8000") == 0, "it ends, and still serves what it has"
    assert directory.gone_seconds("10.20.1.200:8000") > 0
    admin.call("DELETE", f"{path}/large-engine-abc")
    await until(lambda: _endpoints(directory, "large") is None)
    assert 0 < directory.gone_seconds("10.20.0.1:8000") < WATCHED_SECONDS


async def test_slices_of_two_address_families_are_one_replica_a_pod(server: ApiServer, directory: Directory) -> None:
    admin, path = Api(server.url, server.pki), SLICES.format("one")

    def listed(*pods: int, family: str, ready: bool = True) -> dict[str, Any]:
        addresses = {"IPv4": "10.30.0.{}", "IPv6": "fd00:30::{}"}
        base = _slice("dual", served="dual")
        base["metadata"] = {**base["metadata"], "name": f"dual-{family.lower()}"}  # type: ignore[dict-item]  # JSON
        endpoints = [
            {
                "addresses": [addresses[family].format(pod)],
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": f"dual-{pod}", "namespace": "one", "uid": f"uid-{pod}"},
            }
            for pod in pods
        ]
        return base | {"addressType": family, "endpoints": endpoints}

    admin.call("POST", path, listed(1, 2, family="IPv6"))
    await until(lambda: _endpoints(directory, "dual") == ("[fd00:30::1]:8000", "[fd00:30::2]:8000"))
    admin.call("POST", path, listed(1, 2, family="IPv4"))
    await until(lambda: _endpoints(directory, "dual") == ("10.30.0.1:8000", "10.30.0.2:8000"))
    admin.call("PUT", f"{path}/dual-ipv6", listed(1, 2, 3, family="IPv6"))
    await until(lambda: _endpoints(directory, "dual") == ("10.30.0.1:8000", "10.30.0.2:8000", "[fd00:30::3]:8000"))
    for name in ("dual-ipv4", "dual-ipv6"):
        admin.call("DELETE", f"{path}/{name}")
    await until(lambda: _endpoints(directory, "dual") is None)


async def test_a_list_of_several_pages_that_compaction_outruns_expires_and_is_read_anew(server: ApiServer) -> None:
    admin, path = Api(server.url, server.pki), SLICES.format("one")
    names = [f"page-{number}" for number in range(PAGE_SLICES + 5)]
    for number, name in enumerate(names):
        admin.call("POST", path, _slice(name, f"10.40.0.{number + 1}", served=name))
    async with client.ApiClient(await _configuration(server.kubeconfig)) as api:
        asked = SliceApi(api, "one")
        first = await asked.page()
        assert len(first.items) == PAGE_SLICES and first.token
        assert len((await asked.page(first.token)).items) == 5
        admin.call("DELETE", f"{path}/{names[-1]}-engine-abc")
        # The apiserver remembers the pages of a list that it has begun; the next one does not.
        await asyncio.to_thread(server.stop)
        _compact(server)
        await asyncio.to_thread(server.start)
        with pytest.raises(Expired):
            await asked.page(first.token)
        with pytest.raises(Expired):
            async for lines in asked.follow("1", seconds=5, silence_seconds=10, line_seconds=5):
                for line in lines:
                    read_event(line)
    async with _watching(server.kubeconfig, Directory()) as found:
        assert _served(found, "page-") == set(names[:-1])
    for name in names[:-1]:
        admin.call("DELETE", f"{path}/{name}-engine-abc")


def _compact(server: ApiServer) -> None:
    """Have etcd forget every version but the present one."""

    def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{server.endpoints.etcd_port}/v3/kv/{path}"
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode()), timeout=10) as answer:
            return dict(json.load(answer))

    revision = ask("range", {"key": "AA=="})["header"]["revision"]
    ask("compaction", {"revision": revision, "physical": True})


async def test_a_namespace_whose_role_binding_goes_is_unserved_alone(
    server: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    admin, metrics = Api(server.url, server.pki), Metrics()
    for namespace in ("one", "two"):
        rbac = f"apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        rules = [
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["get", "list", "watch"]}
        ]
        admin.call("POST", f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": rules})
        admin.call("POST", f"{rbac}/rolebindings", {"metadata": {"name": "reader"}, **_BINDING})
        admin.call("POST", SLICES.format(namespace), _slice(f"in-{namespace}", "10.50.0.1", served=f"in-{namespace}"))
    kubeconfig = server.directory / "restricted.kubeconfig"
    certificates.write_kubeconfig(kubeconfig, server=server.url, pki=server.pki, client="scheduler")
    later = 0.0
    async with _watching(kubeconfig, Directory(clock=lambda: time.monotonic() + later), metrics) as found:

        def healthy(namespace: str) -> float | None:
            labels = {"namespace": namespace}
            return metrics.registry.get_sample_value("qwen3vl_gateway_namespace_healthy", labels)

        assert _served(found, "in-") == {"in-one", "in-two"}
        binding = "apis/rbac.authorization.k8s.io/v1/namespaces/two/rolebindings"
        admin.call("DELETE", f"{binding}/reader")
        await until(lambda: healthy("two") == 0, WATCHED_SECONDS)
        assert _served(found, "in-") == {"in-one", "in-two"}, "an apiserver that begins refuses for a moment too"
        later = DROP_SECONDS
        await until(lambda: _served(found, "in-") == {"in-one"}, WATCHED_SECONDS)
        assert (healthy("one"), found.complete) == (1, True)
        assert len([line for line in caplog.messages if "EndpointSlices of two: apiserver answers 403" in line]) == 1
        admin.call("PUT", f"{SLICES.format('one')}/in-one-engine-abc", _slice("in-one", "10.50.0.2", served="in-one"))
        await until(lambda: _endpoints(found, "in-one") == ("10.50.0.2:8000",))
        admin.call("POST", binding, {"metadata": {"name": "reader"}, **_BINDING})
        await until(lambda: _endpoints(found, "in-two") == ("10.50.0.1:8000",), WATCHED_SECONDS)


_BINDING = {
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:kube-scheduler"}],
}
