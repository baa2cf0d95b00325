"""One installation for all of these tests: the chart in a namespace of its own, its example, a client pod."""

import time
from collections.abc import Iterator

import pytest
from tests.support.cluster import ROOT, Api, Namespace, namespace, proxy
from tests.support.figures import Figures
from tests.support.polling import eventually
from tests.support.release import Client, Release, Simulator, simulator_model, values
from tests.support.walk import MODEL, Walk


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    with proxy() as api:
        yield api


@pytest.fixture(scope="session")
def release(api: Api, figure: Figures) -> Iterator[Release]:
    """The chart with its example VisionModel `simulator` Ready. At the end no pod may have said `Traceback`."""
    with namespace(api, "serve") as target:
        release = Release(target)
        begun = time.monotonic()
        release.upgrade(values())
        figure("helm install until operator and gateway are Ready", time.monotonic() - begun, "s")
        begun = time.monotonic()
        target.kubectl("apply", f"--filename={ROOT}/examples/simulator.yaml")
        target.wait_ready(MODEL)
        figure("VisionModel applied until Ready (simulator)", time.monotonic() - begun, "s")
        yield release
        tracebacks = target.tracebacks()
        release.uninstall()
        assert not tracebacks


@pytest.fixture(scope="session")
def client(release: Release) -> Client:
    client = Client(release.namespace)
    client.start()
    return client


@pytest.fixture
def simulator(client: Client) -> Iterator[Simulator]:
    """The example's engine, without a fault after the test."""
    simulator = Simulator(client, MODEL)
    yield simulator
    simulator.fault("none")


@pytest.fixture(scope="session")
def bystander(release: Release) -> Namespace:
    """The release's namespace with a second VisionModel `bystander`, whose children tests may damage."""
    release.namespace.apply(simulator_model("bystander"))
    release.namespace.wait_ready("bystander")
    return release.namespace


@pytest.fixture
def walk(release: Release, client: Client, request: pytest.FixtureRequest) -> Iterator[Walk]:
    """A walk of the example's model, cleared away afterwards."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:40].strip("-")
    target = release.namespace
    target.wait_condition(MODEL, "Ready", 60, status="True")
    eventually(lambda: target.ready_pod("vln"), 60, "the VLN API is Ready")
    walk = Walk(target, name, MODEL, robot=name)
    yield walk
    walk.end()
