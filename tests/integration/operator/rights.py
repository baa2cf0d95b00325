"""The rights that the chart gives the operator, and the token it has them by."""

import json
import re
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from tests.integration.operator.api import Api, Namespace

ROOT = Path(__file__).resolve().parents[3]
GROUP = "rbac.authorization.k8s.io"
ACCOUNT = "qwen3vl-operator"


def chart_rules() -> list[list[dict[str, Any]]]:
    """The rules of the chart's Roles for the operator: of each watched namespace, and of the release's besides."""
    text = (ROOT / "charts/qwen3vl/templates/operator/rbac.yaml").read_text()
    blocks = re.findall(r"^rules:\n((?:  .*\n)+)", text, flags=re.MULTILINE)
    return [yaml.safe_load(block) for block in blocks]


def grant(namespace: Namespace, release: Namespace) -> None:
    """What the operator of that release may do in a watched namespace."""
    watched, internal = chart_rules()
    wanted = {"operator": watched} | ({"operator-internal": internal} if namespace.name == release.name else {})
    for name, rules in wanted.items():
        namespace.create("roles", {"metadata": {"name": name}, "rules": rules})
        bind(namespace, release, name)


def bind(namespace: Namespace, release: Namespace, role: str = "operator") -> None:
    """Give the operator of that release the Role."""
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": release.name}],
    }
    namespace.create("rolebindings", binding)


def kubeconfig(release: Namespace, url: str, pki: Path, path: Path) -> Path:
    """A kubeconfig with the token of the operator's account, and nothing else."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    account = f"api/v1/namespaces/{release.name}/serviceaccounts/{ACCOUNT}/token"
    token = release.api.call("POST", account, request)["status"]["token"]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    return path


class AsOperator(Api):
    """The apiserver as the owner of a token sees it."""

    def __init__(self, url: str, pki: Path, config: Path) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._token = json.loads(config.read_text())["users"][0]["user"]["token"]

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}
