"""The real gateway before the simulator, for programs of others."""

from collections.abc import Iterator

import pytest
from tests.support.gateway_process import GatewayProcess, gateway_running, simulator_running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with simulator_running() as engine, gateway_running(folder, engine) as running:
        yield running
