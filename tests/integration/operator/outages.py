"""What `steps` does to the installation: namespaces go, rights are taken, the operator is killed, the apiserver stops.
Methods have the names of the steps' actions."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.integration.operator.api import Namespace, Refused, eventually
from tests.integration.operator.conftest import Operator
from tests.integration.operator.rights import grant
from tests.integration.operator.steps import PLACES, Step

from localkube.testing import ApiServer

GONE_SECONDS = 90
READY_SECONDS = 60


@dataclass
class Outages:
    """Makes outages, and ends those that are left.

    Attributes:
        places: namespaces by letter; the first is the release's.
        start: starts the operator as a process.
        made_again: told the letter of a namespace that is empty again.
        ended: what is to be known of each process that ended by itself.
    """

    server: ApiServer
    places: dict[str, Namespace]
    start: Callable[[], Operator]
    made_again: Callable[[str], None]
    operator: Operator | None = None
    ended: list[str] = field(default_factory=list)
    _without_rights: set[str] = field(default_factory=set)
    _removed: set[str] = field(default_factory=set)

    def is_removed(self, letter: str) -> bool:
        """Whether that namespace is away: its apiserver may for a moment still take objects for it, which stay."""
        return letter in self._removed

    def note_end(self, before: str) -> None:
        """Note a process that ended although nobody killed it, and start another."""
        if self.operator is not None and self.operator.process.poll() is not None:
            self.ended.append(f"the operator ended with {self.operator.process.returncode} before step {before}")
            self.operator = self.start()

    def end_all(self) -> Operator:
        """End every outage; the operator, which may not be ready yet."""
        for letter in sorted(self._removed):
            self.make_namespace(Step(0, "make_namespace", letter))
        for letter in sorted(self._without_rights):
            self.give_rights(Step(0, "give_rights", letter))
        if self.operator is None:
            self.operator = self.start()
        return self.operator

    def remove_namespace(self, step: Step) -> None:
        place = self.places[step.place]
        place.api.call("DELETE", f"api/v1/namespaces/{place.name}")
        self._removed.add(step.place)
        self._without_rights.discard(step.place)

    def make_namespace(self, step: Step) -> None:
        """Made again by the name that it had, with the rights that the chart gives."""
        if step.place not in self._removed:
            return
        place = self.places[step.place]
        eventually(lambda: not place.is_there(), GONE_SECONDS)
        place.api.call("POST", "api/v1/namespaces", {"metadata": {"name": place.name}})
        self._removed.discard(step.place)
        self.made_again(step.place)
        self._grant(step.place)

    def take_rights(self, step: Step) -> None:
        if step.place not in self._removed:
            place = self.places[step.place]
            for plural in ("rolebindings", "roles"):
                for one in place.list(plural):
                    place.delete(plural, one["metadata"]["name"])
            self._without_rights.add(step.place)

    def give_rights(self, step: Step) -> None:
        if step.place in self._without_rights:
            self._grant(step.place)
            self._without_rights.discard(step.place)

    def _grant(self, letter: str) -> None:
        grant(self.places[letter], self.places[PLACES[0]])

    def kill_operator(self, step: Step) -> None:
        if self.operator is not None:
            self.operator.kill()
            self.operator = None

    def start_operator(self, step: Step) -> None:
        """With a detail that is true, wait until it is ready."""
        if self.operator is None:
            started = self.operator = self.start()
            if step.detail:
                eventually(lambda: started.health() == 200, READY_SECONDS)

    def restart_apiserver(self, step: Step) -> None:
        self.server.stop()
        self.server.start()
        eventually(self._serves_models, READY_SECONDS)

    def _serves_models(self) -> bool:
        try:
            self.places[PLACES[0]].list("visionmodels")
        except (OSError, Refused):
            return False
        return True

    def rest(self, step: Step) -> None:
        """Let the others do something."""
        time.sleep(step.detail)
