"""Two ways to install and to upgrade: by helm, and by applying what helm renders, as GitOps tools do."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support.cluster import HELM, Namespace, Object, kubectl, run
from tests.support.release import CHART, RELEASE
from tests.upgrade.before import IMAGES

DEPLOYMENTS = ("qwen3vl-operator", "qwen3vl-gateway")
SECONDS = "180s"
NEW_TAGS = ",".join(f"{part}.image.tag=dev" for part in IMAGES)


class Way(Protocol):
    """One way, in the release's namespace."""

    @property
    def name(self) -> str: ...

    def install(self, chart: Path, chosen: Object) -> None:
        """Install that chart, and wait until operator and gateway are Ready."""

    def upgrade(self) -> None:
        """Bring the release to the present chart, keeping its values, and wait likewise."""

    def again(self) -> Mapping[str, Callable[[], None]]:
        """What people do later, by its name; nothing that runs may notice any of it."""


def _replace_operator(home: Namespace) -> None:
    """Delete its Deployment and make it anew, as Argo CD does with Replace."""
    deployment = home.kubectl("get", "deployment", DEPLOYMENTS[0], "--output=json")
    home.kubectl("replace", "--force", "--filename=-", text=deployment)
    _wait(home)


def _wait(home: Namespace) -> None:
    for name in DEPLOYMENTS:
        home.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={SECONDS}")


@dataclass(frozen=True)
class Helm:
    home: Namespace
    name: str = "helm"

    def install(self, chart: Path, chosen: Object) -> None:
        self._helm("upgrade", "--install", "--take-ownership", RELEASE, chart, "--values=-", "--wait", text=chosen)

    def upgrade(self) -> None:
        self._upgrade()

    def again(self) -> Mapping[str, Callable[[], None]]:
        return {
            "helm upgrade --force": lambda: self._upgrade("--force"),
            "operator's Deployment replaced": lambda: _replace_operator(self.home),
            "helm uninstall and install": self._reinstall,
        }

    def _upgrade(self, *options: str) -> None:
        kept = ("--reset-then-reuse-values", f"--set={NEW_TAGS}")
        self._helm("upgrade", RELEASE, CHART, *kept, *options, "--wait")

    def _reinstall(self) -> None:
        chosen = json.loads(run(HELM, "get", "values", RELEASE, "--output=json", "--namespace", self.home.name))
        self._helm("uninstall", RELEASE, "--wait")
        self._helm("install", RELEASE, CHART, "--take-ownership", "--values=-", "--wait", text=chosen)

    def _helm(self, *arguments: str | Path, text: Object | None = None) -> str:
        given = json.dumps(text) if text else ""
        return run(HELM, *arguments, "--namespace", self.home.name, "--timeout", SECONDS, text=given, timeout=240)


@dataclass
class Apply:
    """What helm renders, applied; the values are kept by whoever does it."""

    home: Namespace
    name: str = "helm template, kubectl apply"

    def install(self, chart: Path, chosen: Object) -> None:
        self._values = chosen
        self._apply(chart)

    def upgrade(self) -> None:
        images = {part: {"image": {**self._values[part]["image"], "tag": "dev"}} for part in IMAGES}
        self._values = {**self._values, **images}
        self._apply(CHART)

    def again(self) -> Mapping[str, Callable[[], None]]:
        return {
            "applied again": lambda: self._apply(CHART),
            "operator's Deployment replaced": lambda: _replace_operator(self.home),
        }

    def _apply(self, chart: Path) -> None:
        command = ("template", RELEASE, chart, "--skip-tests", "--values=-", "--namespace", self.home.name)
        # Without a namespace: each object names its own, and they are of two.
        kubectl("apply", "--filename=-", text=run(HELM, *command, text=json.dumps(self._values)))
        _wait(self.home)


WAYS: dict[str, Callable[[Namespace], Way]] = {"helm": Helm, "apply": Apply}
