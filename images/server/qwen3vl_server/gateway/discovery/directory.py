"""The routing table that requests are answered by, and the one of a file."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from qwen3vl_server.gateway.discovery.departures import Departures
from qwen3vl_server.gateway.routes import Route, table, table_from_entries
from qwen3vl_server.gateway.slices import ModelSlice


@dataclass
class Directory:
    """The present routing table; replaced as a whole, so that readers need no lock.

    Attributes:
        complete: whether every source was read once, or is known to be closed to us.
        clock: seconds of a clock that does not jump.
    """

    routes: dict[str, Route] = field(default_factory=dict)
    complete: bool = False
    clock: Callable[[], float] = time.monotonic
    _departures: Departures | None = None

    def publish(self, slices: Collection[ModelSlice]) -> None:
        """Make the table that of these slices, all there are."""
        self._departures = self._departures or Departures()
        self._departures.update((one for piece in slices for one in piece.endpoints), self.clock())
        self.routes = table(slices)

    def gone_seconds(self, address: str) -> float:
        """Seconds since the endpoint `host:port` was last serving; 0 while any slice says that it is.

        A pod that ends is serving for as long as it is ready to answer what it has. Of an endpoint that no slice listed
        in the last ten minutes this is ten minutes. Where no slices are watched, endpoints never leave: 0.
        """
        return 0.0 if self._departures is None else self._departures.gone_seconds(address, self.clock())


def from_file(path: Path) -> Directory:
    """The table of a YAML file.

    Raises:
        ValueError: it is not a list of routes.
        OSError: it cannot be read.
    """
    try:
        entries = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    return Directory(table_from_entries(entries, created=int(time.time())), complete=True)
