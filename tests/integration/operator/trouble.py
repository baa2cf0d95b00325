"""What goes wrong around an operator: webhooks that nobody or somebody silent stands behind, quotas, loose schemas."""

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.operator.api import GROUPS, Api, Namespace, Refused, eventually

WEBHOOKS = "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
FAILED_WEBHOOK = "failed calling webhook"
"""The apiserver's words."""


@dataclass
class Silence:
    """A listener that takes every connection and never says a word."""

    held: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.held.append(self._listener.accept()[0])
            except OSError:
                return

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self.held:
            one.close()


@contextlib.contextmanager
def silence() -> Iterator[Silence]:
    made = Silence()
    try:
        yield made
    finally:
        made.end()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def webhook(namespace: Namespace, pki: Path, *plurals: str, behind: Silence | None = None) -> Iterator[None]:
    """A webhook with failurePolicy Fail for these kinds in one namespace, in force until the block ends.

    Args:
        plurals: such as "statefulsets" or "visionmodels/status".
        behind: who answers; None: nobody listens there.
    """
    port = closed_port() if behind is None else behind.port
    name = f"{namespace.name}.{'.'.join(plurals).replace('/', '-')}.example"
    hook = {
        "name": name,
        "clientConfig": {
            "url": f"https://127.0.0.1:{port}/",
            "caBundle": base64.b64encode((pki / "ca.crt").read_bytes()).decode(),
        },
        "rules": [
            {
                "apiGroups": [_group(plural)],
                "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE"],
                "resources": [plural],
            }
            for plural in plurals
        ],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 30,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}},
    }
    api = namespace.api
    api.call("POST", WEBHOOKS, {"metadata": {"name": name}, "webhooks": [_probed(hook, plurals)]})
    try:
        eventually(lambda: _is_in_force(namespace, behind), 10)
        yield
    finally:
        api.call("DELETE", f"{WEBHOOKS}/{name}")


def _group(plural: str) -> str:
    path = GROUPS.get(plural.partition("/")[0], "api/v1")
    return path.split("/")[1] if path.startswith("apis/") else ""


def _probed(hook: dict[str, Any], plurals: tuple[str, ...]) -> dict[str, Any]:
    """With ConfigMaps too, which the operator does not make: so a test can ask whether it is in force."""
    probe = {"apiGroups": [""], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["configmaps"]}
    return hook | {"rules": [*hook["rules"], probe]}


def _is_in_force(namespace: Namespace, behind: Silence | None) -> bool:
    if behind is not None:
        threading.Thread(target=_dry_run, args=(namespace,), daemon=True).start()
        return bool(behind.held)
    return FAILED_WEBHOOK in _dry_run(namespace)


def _dry_run(namespace: Namespace) -> str:
    """What the apiserver says to a ConfigMap that is not to be made; empty when it takes it."""
    path = f"api/v1/namespaces/{namespace.name}/configmaps?dryRun=All"
    try:
        namespace.api.call("POST", path, {"metadata": {"generateName": "probe-"}})
    except (Refused, OSError) as error:
        return str(error)
    return ""


def quota(namespace: Namespace, name: str, **hard: str) -> None:
    """A quota in force: nobody here counts, so its status is written by hand.

    Args:
        hard: such as `{"count/statefulsets.apps": "0"}`.
    """
    namespace.create("resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard}})
    used = dict.fromkeys(hard, "0")
    namespace.merge("resourcequotas", name, {"status": {"hard": hard, "used": used}}, "status")


def loosen(api: Api, crds: str, name: str) -> dict[str, Any]:
    """Have a CustomResourceDefinition take any spec at all, as one of another version may; how it was before."""
    before = api.call("GET", f"{crds}/{name}")
    loose = api.call("GET", f"{crds}/{name}")
    schema = loose["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"] = {"x-kubernetes-preserve-unknown-fields": True}
    schema.pop("x-kubernetes-validations", None)
    loose["spec"]["versions"][0]["subresources"].pop("scale", None)
    api.call("PUT", f"{crds}/{name}", loose)
    return before
