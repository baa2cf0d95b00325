"""Where the source lies is said to Python once, by hack/python; the tools that keep lists of their own say the same."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOLS: dict[str, Any] = PYPROJECT["tool"]


def printed_by(code: str, cwd: Path = ROOT) -> str:
    """What a program prints that hack/python runs in the folder `cwd`."""
    command = [str(ROOT / "hack/python"), "--bare", "-c", code]
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def source_folders() -> list[Path]:
    """The folders that hack/python puts on the path, in their order."""
    printed = printed_by("import os; print(os.environ['PYTHONPATH'])")
    return [Path(os.path.normpath(folder)) for folder in printed.split(":")]


@pytest.mark.parametrize("told", [TOOLS["pytest"]["ini_options"]["pythonpath"], TOOLS["mypy"]["mypy_path"]])
def test_pytest_and_mypy_have_the_folders_in_the_same_order(source_folders: list[Path], told: list[str]) -> None:
    folders = [ROOT / folder for folder in told]
    assert folders[: len(source_folders)] == source_folders
    # What follows are programs that stand alone, each with its own folder as its path.
    assert all(folder.is_relative_to(ROOT / "examples") for folder in folders[len(source_folders) :])


def test_ruff_sorts_imports_by_the_folders_of_packages(source_folders: list[Path]) -> None:
    assert [ROOT / folder for folder in TOOLS["ruff"]["src"]] == [each for each in source_folders if each != ROOT]


def test_what_is_installed_lies_in_the_folders(source_folders: list[Path]) -> None:
    assert {(ROOT / folder).parent for folder in TOOLS["setuptools"]["package-dir"].values()} <= set(source_folders)


def test_each_package_of_an_image_is_installed() -> None:
    found = set()
    for name, folder in TOOLS["setuptools"]["package-dir"].items():
        for file in (ROOT / folder).rglob("*.py"):
            found.add(".".join((name, *file.parent.relative_to(ROOT / folder).parts)))
    assert len(found) > 20
    assert sorted(TOOLS["setuptools"]["packages"]) == sorted(found)


def test_the_folder_that_one_stands_in_is_not_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('this is not the json of the standard library')")
    printed = printed_by("import json, hack.devtools; print(hack.devtools.__file__)", cwd=tmp_path)
    assert printed == str(ROOT / "hack/devtools/__init__.py")
