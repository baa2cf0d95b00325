"""One request to the apiserver that has ended, as metrics see it: what was done to which kind, and how it ended."""

from typing import Literal, NamedTuple

CallResult = Literal["ok", "absent", "conflict", "throttled", "refused", "failed"]
WRITES = frozenset({"create", "apply", "apply-status", "patch", "delete"})
"""Verbs that change something."""


class Call(NamedTuple):
    """A request that has ended.

    Attributes:
        path: as it was asked for, without the query.
        content_type: of the body; it tells a server-side apply from other patches.
        status: the answer's HTTP status; 0 when none came.
    """

    method: str
    path: str
    content_type: str
    status: int
    seconds: float

    @property
    def _place(self) -> list[str]:
        """Plural, name and subresource, as far as the path has them."""
        parts = self.path.strip("/").split("/")
        parts = parts[3:] if parts[0] == "apis" else parts[2:]
        return parts[2:] if parts[:1] == ["namespaces"] and len(parts) > 2 else parts

    @property
    def plural(self) -> str:
        return self._place[0]

    @property
    def verb(self) -> str:
        """get, list, or one of WRITES."""
        if self.method == "GET":
            return "get" if len(self._place) > 1 else "list"
        if self.method != "PATCH":
            return {"POST": "create", "DELETE": "delete"}.get(self.method, self.method.lower())
        if not self.content_type.startswith("application/apply-patch"):
            return "patch"
        return "apply-status" if self._place[2:] == ["status"] else "apply"

    @property
    def result(self) -> CallResult:
        """absent: 404; conflict: 409; throttled: 429; refused: another 4xx; failed: 5xx, or no answer came."""
        if 0 < self.status < 400:
            return "ok"
        special: dict[int, CallResult] = {404: "absent", 409: "conflict", 429: "throttled"}
        return special.get(self.status, "refused" if 400 <= self.status < 500 else "failed")
