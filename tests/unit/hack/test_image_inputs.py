"""What decides whether an image is built again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hack.imagebuild.inputs import IMAGES, Image, input_hash, stage

ROOT = Path(__file__).resolve().parents[3]
IMAGE = Image("thing", "thing/Dockerfile", ("thing/code", "constraints.txt"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "thing/code/__pycache__").mkdir(parents=True)
    (root / "thing/Dockerfile").write_text("FROM scratch\n")
    (root / "thing/code/main.py").write_text("print(1)\n")
    (root / "thing/code/__pycache__/main.cpython-311.pyc").write_bytes(b"1")
    (root / "constraints.txt").write_text("a==1\n")
    (root / "README.md").write_text("no input\n")
    return root


def _edit(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text)


@pytest.mark.parametrize(
    "change",
    [
        _edit("thing/code/main.py", "print(2)\n"),
        _edit("thing/code/new.py", ""),
        _edit("thing/Dockerfile", "FROM other\n"),
        _edit("constraints.txt", "a==2\n"),
        lambda root: (root / "thing/code/main.py").chmod(0o755),
        lambda root: (root / "thing/code/main.py").rename(root / "thing/code/other.py"),
    ],
    ids=["content", "new file", "Dockerfile", "pins", "mode", "name"],
)
def test_a_changed_input_changes_the_hash(tree: Path, change: Callable[[Path], object]) -> None:
    before = input_hash(IMAGE, tree, "base")
    change(tree)
    assert input_hash(IMAGE, tree, "base") != before


def test_a_changed_base_changes_the_hash(tree: Path) -> None:
    assert input_hash(IMAGE, tree, "one") != input_hash(IMAGE, tree, "other")


@pytest.mark.parametrize(
    "change",
    [
        _edit("README.md", "changed\n"),
        _edit("thing/code/__pycache__/main.cpython-311.pyc", "2"),
        lambda root: (root / "thing/code/main.py").touch(),
    ],
    ids=["other file", "byte code", "time"],
)
def test_what_is_no_input_does_not(tree: Path, change: Callable[[Path], object]) -> None:
    before = input_hash(IMAGE, tree, "base")
    change(tree)
    assert input_hash(IMAGE, tree, "base") == before


def test_the_context_is_exactly_the_inputs(tree: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    stage(IMAGE, tree, context)
    files = {str(file.relative_to(context)) for file in context.rglob("*") if file.is_file()}
    assert files == {"thing/Dockerfile", "thing/code/main.py", "constraints.txt"}
    assert len({file.stat().st_mtime for file in context.rglob("*")}) == 1


def test_a_missing_input_is_named(tree: Path) -> None:
    (tree / "constraints.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"constraints\.txt"):
        input_hash(IMAGE, tree, "base")


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_every_image_has_its_inputs_here(image: Image) -> None:
    assert Path(image.dockerfile) in image.files(ROOT)
    assert image.reference("dev") == f"localhost/qwen3vl/{image.name}:dev"
