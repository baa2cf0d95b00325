"""What each image is made of. The build context is a copy of these files and no others, so that the hash of the inputs
cannot forget one: a Dockerfile that copies something undeclared fails."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = ("pyproject.toml", "constraints.txt", "hack/devtools/requirements.py", "LICENSE")
IGNORED = ("__pycache__", ".mypy_cache", ".ruff_cache")
# Equal content gives equal layers in every clone, whatever time git wrote its files at.
CONTEXT_MTIME = 1_735_689_600


@dataclass(frozen=True)
class Image:
    """One image: its short name and, relative to the repository, its Dockerfile and its inputs (files or folders)."""

    name: str
    dockerfile: str
    inputs: tuple[str, ...]

    def reference(self, tag: str) -> str:
        """The name a pod says; without `localhost/` a node would look for a public registry."""
        return f"localhost/qwen3vl/{self.name}:{tag}"

    def files(self, root: Path) -> list[Path]:
        """Every file of the context, relative to `root`, sorted.

        Raises:
            FileNotFoundError: a declared input is not there.
        """
        return sorted({file for declared in (self.dockerfile, *self.inputs) for file in _below(root, declared)})


IMAGES = (
    Image("operator", "operator/Dockerfile", (*REQUIREMENTS, "operator/qwen3vl_operator", "images/common")),
    Image("server", "images/server/Dockerfile", (*REQUIREMENTS, "images/server/qwen3vl_server", "images/common")),
    Image("vln", "images/vln/Dockerfile", (*REQUIREMENTS, "images/vln/qwen3vl_vln", "images/common")),
    Image("world", "evaluation/Dockerfile", (*REQUIREMENTS, "evaluation/qwen3vl_world", "client/qwen3vl_client")),
    Image("client", "examples/clients/python/Dockerfile", (*REQUIREMENTS, "examples/clients/python")),
)


def _below(root: Path, declared: str) -> Iterable[Path]:
    path = root / declared
    if not path.exists():
        raise FileNotFoundError(path)
    if path.is_file():
        return [Path(declared)]
    files = (file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return [file.relative_to(root) for file in files if not set(file.parts) & set(IGNORED)]


def input_hash(image: Image, root: Path, base: str) -> str:
    """Hash of names, modes and contents of an image's inputs and of the id of what it is built on."""
    digest = hashlib.sha256(f"{image.dockerfile}\0{base}".encode())
    for file in image.files(root):
        content = (root / file).read_bytes()
        digest.update(f"\0{file}\0{_mode(root / file):o}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:24]


def stage(image: Image, root: Path, context: Path) -> None:
    """Copy an image's inputs into the empty folder `context`, with times and modes that depend on content alone."""
    for file in image.files(root):
        target = context / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target)
        target.chmod(_mode(root / file))
        os.utime(target, (CONTEXT_MTIME, CONTEXT_MTIME))
    for folder in context.rglob("*/"):
        folder.chmod(0o755)
        os.utime(folder, (CONTEXT_MTIME, CONTEXT_MTIME))


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o100 else 0o644
