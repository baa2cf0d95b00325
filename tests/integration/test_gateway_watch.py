"""The gateway's table follows a real apiserver: slices made, changed, deleted, and the apiserver away for a while."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from kubernetes.aio import client, config
from tests.integration.operator.api import Api
from tests.support.polling import until

from localkube.testing import ApiServer, api_server
from qwen3vl_server.gateway.discovery import Directory, SliceWatch

WATCHED_SECONDS = 30
SLICES = "apis/discovery.k8s.io/v1/namespaces/{}/endpointslices"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("apiserver")) as running:
        admin = Api(running.url, running.pki)
        for name in ("one", "two"):
            admin.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
        yield running


@pytest.fixture
async def directory(server: ApiServer) -> AsyncIterator[Directory]:
    """A directory that a watch of the namespaces one and two keeps."""
    configuration = client.Configuration()
    loaded = config.load_kube_config(str(server.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]  # untyped library
    await loaded
    found = Directory()
    watching = asyncio.create_task(SliceWatch(configuration, ("one", "two"), found).run())
    try:
        await until(lambda: found.complete, WATCHED_SECONDS)
        yield found
        assert not watching.done()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


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
