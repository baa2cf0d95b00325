"""etcd, kube-apiserver, controller-manager and scheduler: their command lines, as functions of where things are."""

import json
from dataclasses import dataclass
from pathlib import Path

from localkube import layout


@dataclass(frozen=True)
class Endpoints:
    """Addresses of one control plane. Client address of etcd and secure address of the apiserver."""

    etcd_port: int
    etcd_peer_port: int
    api_address: str
    api_port: int

    @property
    def api_url(self) -> str:
        return f"https://{self.api_address}:{self.api_port}"


LOCAL = Endpoints(2379, 2380, layout.NODE_ADDRESS, layout.API_PORT)


def certificate_subjects(api_address: str) -> dict[str, tuple[str, str]]:
    """Subjects and alternative names of every certificate of a control plane and its first node."""
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names.append(f"kubernetes.default.svc.{layout.CLUSTER_DOMAIN}")
    addresses = sorted({"127.0.0.1", api_address, layout.KUBERNETES_SERVICE_ADDRESS})
    serving = ",".join([*(f"IP:{address}" for address in addresses), *(f"DNS:{name}" for name in names)])
    node = f"IP:{layout.NODE_ADDRESS},DNS:{layout.NODE_NAME}"
    return {
        "apiserver": ("/CN=kube-apiserver", serving),
        "admin": ("/O=system:masters/CN=admin", ""),
        "kubelet-client": ("/O=system:masters/CN=apiserver-kubelet-client", ""),
        "controller-manager": ("/CN=system:kube-controller-manager", ""),
        "scheduler": ("/CN=system:kube-scheduler", ""),
        "proxy": ("/CN=system:kube-proxy", ""),
        "node": (f"/O=system:nodes/CN=system:node:{layout.NODE_NAME}", node),
        "front-proxy": ("/CN=front-proxy-client", ""),
    }


def etcd_config(data: Path, at: Endpoints) -> str:
    """etcd's configuration file (JSON is YAML). Without fsync: this cluster's data is not worth a disk's patience."""
    client, peer = f"http://127.0.0.1:{at.etcd_port}", f"http://127.0.0.1:{at.etcd_peer_port}"
    return json.dumps(
        {
            "name": "local",
            "data-dir": str(data),
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"local={peer}",
            "log-level": "warn",
            "unsafe-no-fsync": True,
        }
    )


def apiserver_arguments(pki: Path, at: Endpoints) -> list[str]:
    """Flags of kube-apiserver, with aggregation, RBAC and the node authorizer."""
    return [
        f"--etcd-servers=http://127.0.0.1:{at.etcd_port}",
        f"--bind-address={at.api_address}",
        f"--secure-port={at.api_port}",
        f"--advertise-address={at.api_address}",
        f"--service-cluster-ip-range={layout.SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/sa.key",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
    ]


def _client_flags(kubeconfig: Path) -> list[str]:
    names = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [*(f"--{name}={kubeconfig}" for name in names), "--bind-address=127.0.0.1", "--leader-elect=false"]


def controller_manager_arguments(pki: Path, kubeconfig: Path, controllers: tuple[str, ...] = ("*",)) -> list[str]:
    """Flags of kube-controller-manager; generous client limits, so that tests wait for nothing but the work.

    Args:
        controllers: those that run, by the names of its flag `--controllers`.
    """
    return [
        *_client_flags(kubeconfig),
        f"--controllers={','.join(controllers)}",
        f"--service-account-private-key-file={pki}/sa.key",
        f"--root-ca-file={pki}/ca.crt",
        "--use-service-account-credentials=true",
        f"--cluster-signing-cert-file={pki}/ca.crt",
        f"--cluster-signing-key-file={pki}/ca.key",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={layout.CLUSTER_CIDR}",
        f"--service-cluster-ip-range={layout.SERVICE_CIDR}",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def scheduler_arguments(kubeconfig: Path) -> list[str]:
    """Flags of kube-scheduler."""
    return _client_flags(kubeconfig)
