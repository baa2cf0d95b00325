"""Reading Prometheus' text format, and what kube-apiserver counts in it. No I/O."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_KEPT = frozenset(
    {"leases", "endpoints", "endpointslices", "flowschemas", "prioritylevelconfigurations", "apiservices"}
)
_INSTALLED = frozenset({"customresourcedefinitions", "namespaces", "serviceaccounts", "roles", "rolebindings"})
_RIGHTS = frozenset({"clusterroles", "clusterrolebindings", "subjectaccessreviews", "tokenreviews"})
NOT_THE_OPERATORS = _KEPT | _INSTALLED | _RIGHTS | {"servicecidrs", "ipaddresses"}
"""Resources that the apiserver writes to by itself, or the bench while it installs."""

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    """One line of the format."""

    labels: dict[str, str]
    value: float


def samples(text: str, name: str) -> Iterator[Sample]:
    """The samples of one metric."""
    for line in text.splitlines():
        if line.startswith(name) and (match := _SAMPLE.match(line)) and match[1] == name:
            yield Sample(dict(_LABEL.findall(match[2] or "")), float(match[3]))


@dataclass(frozen=True)
class Requests:
    """What an apiserver has answered so far: a number for each verb, resource and subresource."""

    counts: dict[tuple[str, str, str], float]

    @classmethod
    def read(cls, text: str) -> "Requests":
        """From the text of its /metrics."""
        counts: dict[tuple[str, str, str], float] = {}
        for sample in samples(text, "apiserver_request_total"):
            key = (sample.labels["verb"], sample.labels["resource"], sample.labels["subresource"])
            counts[key] = counts.get(key, 0.0) + sample.value
        return cls(counts)

    def since(self, before: "Requests") -> "Requests":
        """What was answered after `before`."""
        return Requests({key: count - before.counts.get(key, 0.0) for key, count in self.counts.items()})

    def writes(self) -> int:
        """Requests that change something and may be the operator's."""
        return self._sum(lambda verb, resource, _: verb in WRITES and resource not in NOT_THE_OPERATORS)

    def lists(self) -> int:
        """LISTs of children that the operator reads. Models are also listed to see whether they can be."""
        children = ("statefulsets", "services", "deployments", "persistentvolumeclaims", "horizontalpodautoscalers")
        return self._sum(lambda verb, resource, _: verb == "LIST" and resource in children)

    def list_waves(self) -> int:
        """How often everything was listed: there are few of these objects, so they are one page."""
        return self.of("horizontalpodautoscalers", frozenset({"LIST"}))

    def of(self, resource: str, verbs: frozenset[str], subresource: str = "") -> int:
        """Requests of these verbs for one resource."""
        return self._sum(lambda verb, name, sub: verb in verbs and (name, sub) == (resource, subresource))

    def _sum(self, wanted: Callable[[str, str, str], bool]) -> int:
        return int(sum(count for key, count in self.counts.items() if wanted(*key)))
