"""A control plane with kube-controller-manager, for what the apiserver alone does not do: a deleted namespace becomes
empty and goes, and what a deleted object owned goes too. One of its own, so that no other test loses objects."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.operator.api import Api, Namespace, eventually

from localkube.testing import ApiServer, api_server, controller_manager

COLLECTED_SECONDS = 60
"""The garbage collector starts only when it has listed every kind."""


@dataclass
class ControlledCluster:
    """An apiserver whose namespaces and owned objects are tidied up by Kubernetes' own controllers."""

    server: ApiServer
    api: Api
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def make_namespace(self) -> Namespace:
        """A namespace with the account `default`, made by a controller, and the operator's, as the chart makes it."""
        namespace = Namespace(self.api, f"robots-{next(self._numbers)}")
        self.api.call("POST", "api/v1/namespaces", {"metadata": {"name": namespace.name}})
        eventually(lambda: namespace.find("serviceaccounts", "default"), COLLECTED_SECONDS)
        namespace.create("serviceaccounts", {"metadata": {"name": "qwen3vl-operator"}})
        return namespace

    def remove_namespace(self, namespace: Namespace, seconds: float = COLLECTED_SECONDS) -> None:
        """Delete a namespace and wait until it is gone with all that was in it."""
        self.api.call("DELETE", f"api/v1/namespaces/{namespace.name}")
        eventually(lambda: not namespace.is_there(), seconds)


@contextmanager
def controlled_cluster(directory: Path, install: Callable[[Api], None]) -> Iterator[ControlledCluster]:
    """Start it with its state below `directory`; `install` makes the CRDs before the controllers look."""
    with api_server(directory) as server:
        api = Api(server.url, server.pki)
        install(api)
        with controller_manager(server):
            yield ControlledCluster(server, api)
