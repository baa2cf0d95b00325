"""No line of Python is unseen by ruff and mypy, and no script hides what it is written in."""

import subprocess
import sys
from pathlib import Path

import pytest
from hack.devtools.lint import ROOT, files, interpreter, shell_scripts
from mypy.main import process_options


@pytest.fixture(scope="module")
def python_files() -> set[Path]:
    """Every file of the repository that holds Python."""
    found = {file for file in files() if file.suffix == ".py" or "python" in interpreter(ROOT / file)}
    assert len(found) > 400
    return found


def test_a_script_without_an_ending_is_a_shell_s() -> None:
    others = {str(file): interpreter(ROOT / file) for file in files() if file.suffix != ".py"}
    others = {name: program for name, program in others.items() if program not in ("", "sh", "bash")}
    assert not others, "move them to modules, behind a wrapper of three lines as hack/eval is"


def test_ruff_looks_at_every_python_file(python_files: set[Path]) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--show-files", "."]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert not python_files - {Path(line).relative_to(ROOT) for line in shown}


def test_mypy_looks_at_every_python_file(python_files: set[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sources, options = process_options([])
    looked_at = {Path(source.path or "") for source in sources}
    assert not python_files - looked_at
    assert options.disallow_untyped_defs and options.warn_unused_ignores and not options.ignore_errors
    blanket = [module for module, changed in options.per_module_options.items() if changed.get("ignore_errors")]
    assert not blanket, "relax single options, with a comment that says why"


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("#!/usr/bin/env python3\n", "python3"),
        ("#!/usr/bin/env -S bash -c 'exec python3 $0'\n", "-S bash -c 'exec python3 $0'"),
        ("#!/bin/sh\n", "sh"),
        ("# no script\n", ""),
        ("", ""),
    ],
)
def test_a_script_s_program_is_in_its_first_line(tmp_path: Path, line: str, program: str) -> None:
    file = tmp_path / "script"
    file.write_text(line + "import os\n")
    assert interpreter(file) == program


def test_every_command_is_read_by_bash() -> None:
    assert {"hack/lint", "hack/python", "hack/bench/vln", "examples/clients/curl.sh"} <= set(shell_scripts())
