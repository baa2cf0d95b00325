"""The `current` backend: the cluster of the kubeconfig's current context. Nothing is started; images come from the
registry that the chart's values name."""

import shutil
import subprocess

from localkube.report import Failure, say


def program(name: str) -> str:
    """The program of that name on PATH.

    Raises:
        Failure: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise Failure(
            f"{name} is not on PATH", f"install {name}; the local cluster (QWEN3VL_CLUSTER=local) builds its own"
        )
    return path


def up() -> None:
    """Check that the cluster answers."""
    context = _kubectl("config", "current-context").strip()
    version = _kubectl("version", "--output=yaml")
    server = next((line.split()[-1] for line in version.splitlines()[::-1] if "gitVersion" in line), "?")
    say(f"context {context} answers, Kubernetes {server}")


def _kubectl(*arguments: str) -> str:
    done = subprocess.run([program("kubectl"), *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(
            f"kubectl {' '.join(arguments)}: {done.stderr.strip()}", "choose a context: kubectl config use-context"
        )
    return done.stdout


def load_image() -> None:
    """Say where this backend's images come from."""
    say("no image is loaded: this cluster pulls what the chart's values operator.image and server.image name")
