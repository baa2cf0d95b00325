"""A gateway that is there to be attacked."""

from collections.abc import Iterator

import pytest
from tests.support.fuzzing import Target
from tests.support.gateway_process import gateway_running, stub_engine_beside


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("gateway")
    with stub_engine_beside() as engine, gateway_running(folder, engine.address, "--log-level=error") as gateway:
        yield Target(gateway, engine)
