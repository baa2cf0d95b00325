"""The environment's hash, the requirements list, the parts of hack/test and its summary."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hack.devtools import parts
from hack.devtools.benches import COMMANDS
from hack.devtools.parts import BUDGET_MINUTES, OPT_IN, Result, closing_line, split
from hack.devtools.venv import MARKER, environment_hash, stale

ROOT = Path(__file__).resolve().parents[3]


def _requirements(*extras: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "hack/requirements", *extras], capture_output=True, text=True)


def test_requirements_of_an_extra_are_printed_one_per_line() -> None:
    lines = _requirements("operator").stdout.splitlines()
    assert any(line.startswith("kopf") for line in lines)
    assert not any(line.startswith("fastapi") for line in lines)
    assert set(lines) <= set(_requirements("server", "operator").stdout.splitlines())


def test_an_unknown_extra_is_named_with_those_that_exist() -> None:
    done = _requirements("gateway")
    assert done.returncode != 0
    assert "'gateway'" in done.stderr
    assert "operator" in done.stderr


def test_each_ingredient_decides_the_environment() -> None:
    same = environment_hash("a", "b", "3.11")
    assert same == environment_hash("a", "b", "3.11")
    others = {
        environment_hash(*ingredients) for ingredients in (("x", "b", "3.11"), ("a", "x", "3.11"), ("a", "b", "x"))
    }
    assert len(others | {same}) == 4


def test_environments_that_nobody_uses_are_stale_and_those_of_another_checkout_are_not(tmp_path: Path) -> None:
    now = 1_000_000.0
    for name, used_at in (("old", now - 48 * 3600), ("current", now - 48 * 3600), ("another", now - 3600)):
        (tmp_path / name).mkdir()
        (tmp_path / name / MARKER).touch()
        os.utime(tmp_path / name / MARKER, (used_at, used_at))
    (tmp_path / "killed-while-made").mkdir()
    (tmp_path / "lock").touch()
    assert stale(tmp_path, "current", now) == [tmp_path / "killed-while-made", tmp_path / "old"]


@pytest.mark.parametrize(
    ("arguments", "expected", "pytest_arguments"),
    [
        ([], list(BUDGET_MINUTES), []),
        (["unit"], ["unit"], []),
        (["e2e", "lint"], ["lint", "e2e"], []),
        (["bench"], ["bench"], []),
        (["bench", "lint"], ["lint", "bench"], []),
        (["unit", "--", "-k", "e2e"], ["unit"], ["-k", "e2e"]),
        (["--", "-x"], list(BUDGET_MINUTES), ["-x"]),
    ],
)
def test_parts_run_in_their_order(arguments: list[str], expected: list[str], pytest_arguments: list[str]) -> None:
    assert split(arguments) == (expected, pytest_arguments)


def test_an_unknown_part_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=r"units.*lint unit integration e2e.*when named: bench fuzz upgrade"):
        split(["units"])


def test_the_upgrade_is_refused_where_it_has_no_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=r"needs the folder tests/upgrade"):
        split(["upgrade"])
    (tmp_path / "tests/upgrade").mkdir(parents=True)
    assert split(["upgrade"]) == (["upgrade"], [])


def test_a_whole_run_fits_into_55_minutes() -> None:
    assert sum(BUDGET_MINUTES.values()) < 55


def test_a_part_that_must_be_named_says_what_it_takes_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(parts, "_run", lambda command: (0, capsys.readouterr().out))
    assert OPT_IN["bench"].sentence() in parts.run_part("bench", []).figure
    for each in OPT_IN.values():
        assert "minutes" in each.sentence() and "of disk" in each.sentence()


def test_the_part_fuzz_tries_the_seeds_that_are_named_else_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QWEN3VL_FUZZ_SEEDS", raising=False)
    assert f"QWEN3VL_FUZZ_SEEDS={parts.FUZZ_SEEDS}" in parts._steps("fuzz", [])[-1]
    monkeypatch.setenv("QWEN3VL_FUZZ_SEEDS", "7")
    command = parts._steps("fuzz", ["-s"])[-1]
    assert "QWEN3VL_FUZZ_SEEDS=7" in command and command[-1] == "-s"
    assert (ROOT / parts.FUZZ_TESTS).is_file()


def test_the_part_fuzz_sends_random_requests_to_the_gateway_for_ten_minutes_or_as_long_as_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("QWEN3VL_GATEWAY_FUZZ_SECONDS", raising=False)
    command = parts._steps("fuzz", [])[0]
    assert "QWEN3VL_GATEWAY_FUZZ_SECONDS=600" in command
    assert all((ROOT / file).is_file() and file in command for file in parts.GATEWAY_FUZZ_TESTS)
    monkeypatch.setenv("QWEN3VL_GATEWAY_FUZZ_SECONDS", "20")
    assert "QWEN3VL_GATEWAY_FUZZ_SECONDS=20" in parts._steps("fuzz", [])[0]


@pytest.mark.parametrize("file", sorted((ROOT / "hack/environments").iterdir()), ids=lambda file: file.name)
def test_environments_of_other_programs_have_exact_versions_and_no_addresses(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_every_bench_is_among_those_that_run_together() -> None:
    commands = {
        str(file.relative_to(ROOT)) for file in (ROOT / "hack/bench").iterdir() if file.is_file() and not file.suffix
    }
    assert commands < {command[0] for command in COMMANDS}


@pytest.mark.parametrize(
    ("line", "figures"),
    [
        ("============================= 286 passed in 36.00s =============================", "286 passed in 36.00s"),
        ("=== 1 failed, 2 passed, 3 warnings in 0.1s ===\n", "1 failed, 2 passed, 3 warnings in 0.1s"),
        ("============================= no tests ran in 0.01s =============================", "no tests ran in 0.01s"),
        ("======================= figures: measured against goals ========================", None),
        ("tests/unit/a.py .... 4 passed", None),
    ],
)
def test_pytests_closing_line_is_recognised(line: str, figures: str | None) -> None:
    assert closing_line(line) == figures


def test_a_failed_part_stands_out_in_the_summary() -> None:
    assert "FAILED" in Result("unit", 1, 2.0, "1 failed").line()
    assert "FAILED" not in Result("unit", 0, 2.0, "1 passed").line()


@pytest.mark.parametrize(("seconds", "verdict"), [(60.0, "met"), (61.0, "missed")])
def test_the_unit_tests_together_have_a_goal_which_fails_nothing(seconds: float, verdict: str) -> None:
    result = Result("unit", 0, seconds, "1 passed")
    assert f"{seconds:.0f} s, goal <= 60 s: {verdict}" in result.line() and "FAILED" not in result.line()


@pytest.mark.parametrize("part", [*BUDGET_MINUTES, *OPT_IN])
def test_minutes_stand_beside_the_budget_and_too_many_are_told(part: str) -> None:
    budget = parts.budget_minutes(part)
    late = Result(part, 0, 60.0 * budget + 90, "2 passed").line()
    assert f"{budget + 1.5:.1f} of {budget:2} minutes" in late and "OVER ITS BUDGET by 1.5 minutes" in late
    assert "BUDGET" not in Result(part, 0, 60.0 * budget, "2 passed").line()


@pytest.mark.parametrize("part", ["e2e", "upgrade"])
@pytest.mark.parametrize(
    ("was_up", "ci", "failing", "taken_down"),
    [
        (True, "", None, False),
        (False, "", None, True),
        (True, "true", None, True),
        (False, "true", "hack/images", True),
    ],
)
def test_the_cluster_is_left_as_it_was_found(
    monkeypatch: pytest.MonkeyPatch, part: str, was_up: bool, ci: str, failing: str | None, taken_down: bool
) -> None:
    commands: list[str] = []

    def run(command: list[str]) -> tuple[int, str]:
        commands.append(command[0])
        return int(command[0] == failing), ""

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(parts, "_cluster_is_up", lambda: was_up)
    monkeypatch.setattr(parts, "_run", run)
    result = parts.run_part(part, [])
    assert (commands[-1] == "hack/cluster/down") is taken_down
    assert commands[:2] == ["hack/cluster/up", "hack/images"]
    assert (result.status != 0) is (failing is not None)
