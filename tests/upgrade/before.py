"""The release before: its chart and its images, made from the commit that it was."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.support.cluster import ROOT, Object

COMMIT = "93406eb69a7e"
TAG = "before"
"""Of its images; the present ones have `dev`."""
IMAGES = ("operator", "server", "vln")


def is_here() -> bool:
    """Whether the clone has the commit; a shallow one may not."""
    look = subprocess.run(["git", "cat-file", "-e", f"{COMMIT}^{{commit}}"], cwd=ROOT, capture_output=True)
    return look.returncode == 0


def unpack(folder: Path) -> None:
    """Write the commit's files into a folder."""
    packed = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def build_images(folder: Path) -> None:
    """Build its images by its own script and bring them into the node; what is there already is left."""
    command = [str(folder / "hack/images"), "--tag", TAG, *IMAGES]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, f"the images of {COMMIT} were not built:\n{done.stdout[-3000:]}"


def values(*namespaces: str) -> Object:
    """Values of its chart, for these watched namespaces."""
    images = {part: {"repository": f"localhost/qwen3vl/{part}", "tag": TAG, "pullPolicy": "Never"} for part in IMAGES}
    return {"watchNamespaces": list(namespaces), **{part: {"image": image} for part, image in images.items()}}
