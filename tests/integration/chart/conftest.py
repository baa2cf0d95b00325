"""A real etcd and kube-apiserver with the definitions, for tests that install the chart by the real helm."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.chart.release import Release
from tests.integration.operator.api import Api, Namespace
from tests.integration.operator.conftest import install_crd

from localkube import binaries
from localkube.testing import ApiServer, api_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    binaries.ensure(["helm", "kubectl"])
    with api_server(tmp_path_factory.mktemp("apiserver")) as running:
        install_crd(Api(running.url, running.pki))
        yield running


@pytest.fixture
def release(server: ApiServer, tmp_path: Path) -> Release:
    """Not installed yet; its namespace and another one are there."""
    api = Api(server.url, server.pki)
    number = next(_numbers)
    home, other = (Namespace(api, f"{name}-{number}") for name in ("home", "other"))
    for namespace in (home, other):
        api.call("POST", "api/v1/namespaces", {"metadata": {"name": namespace.name}})
    return Release(server, home, other, tmp_path)
