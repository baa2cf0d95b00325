"""What the paths to one VLN API share: whose it is, what is wanted of it, what it said, and who is told."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from qwen3vl_operator.kube.key import Key
from qwen3vl_operator.nav_task.desired_tasks import DesiredTasks, Entry
from qwen3vl_operator.nav_task.vln_records import VlnRecords


@dataclass(frozen=True)
class OneVlnApi:
    """See the module.

    Attributes:
        notify: told the key of every NavTask about which something new is known.
    """

    namespace: str
    model: str
    book: DesiredTasks
    notify: Callable[[Key], None]
    records: VlnRecords = field(default_factory=VlnRecords)

    def entries(self) -> Iterator[tuple[Key, Entry]]:
        """NavTasks of the model."""
        return self.book.of_model(self.namespace, self.model)

    def stops(self) -> Mapping[str, Key]:
        """Ids of tasks that are to be stopped, with their NavTasks."""
        return self.book.stops(self.namespace, self.model)

    def must_stop(self, key: Key, task_id: str) -> None:
        """It has a task that is to be stopped."""
        self.book.must_stop(key, self.model, task_id)

    def stopped(self, task_id: str) -> None:
        """A stop is confirmed."""
        self.book.stopped(self.namespace, self.model, task_id)
