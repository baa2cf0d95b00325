"""One certificate authority and a client certificate per component, by openssl."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localkube.report import Failure

VALID_DAYS = "365"


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"openssl {arguments[0]}: {done.stderr.strip()}", "is openssl installed?")


def ensure(folder: Path, subjects: Mapping[str, tuple[str, str]]) -> None:
    """Make a CA (ca.crt), a service-account key (sa.key) and NAME.crt/NAME.key for each subject, once.

    Args:
        subjects: name → (openssl subject, subjectAltName or empty).
    """
    if (folder / ".complete").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    ca, ca_key = str(folder / "ca.crt"), str(folder / "ca.key")
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", ca_key)
    _openssl("req", "-x509", "-new", "-key", ca_key, "-subj", "/CN=qwen3vl-local", "-days", VALID_DAYS, "-out", ca)
    _openssl("genrsa", "-out", str(folder / "sa.key"), "2048")
    for name, (subject, alternatives) in subjects.items():
        key, request = str(folder / f"{name}.key"), str(folder / f"{name}.csr")
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        _openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        with tempfile.NamedTemporaryFile("w", suffix=".cnf") as extensions:
            extensions.write("extendedKeyUsage=serverAuth,clientAuth\n")
            extensions.write(f"subjectAltName={alternatives}\n" if alternatives else "")
            extensions.flush()
            signing = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", VALID_DAYS)
            output = ("-out", str(folder / f"{name}.crt"), "-extfile", extensions.name)
            _openssl("x509", "-req", "-in", request, *signing, *output)
    (folder / ".complete").touch()


def write_kubeconfig(path: Path, *, server: str, pki: Path, client: str) -> None:
    """A kubeconfig for one client certificate (JSON is YAML)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    user = {"client-certificate": str(pki / f"{client}.crt"), "client-key": str(pki / f"{client}.key")}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, "certificate-authority": str(pki / "ca.crt")}}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": client}}],
        "current-context": "local",
    }
    path.write_text(json.dumps(config, indent=1))
    path.chmod(0o600)
