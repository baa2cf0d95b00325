"""The benchmark of the operator as its user starts it: its line. The figures of so short a run mean nothing."""

import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MODELS = (
    "models apply_seconds cpu_ms_per_pass cpu_ms_per_pass_at_rest change_p50_ms change_p99_ms restart_seconds"
    " restart_writes idle_cpu_percent idle_writes_per_minute rss_mib rss_peak_mib probe_failures relook_seconds"
    " memory_limit_by goals_met"
)
NAV_TASKS = "navtasks writes_per_second lag_p99_ms stop_p99_ms"


def line(*arguments: str) -> dict[str, object]:
    """What the benchmark prints, read."""
    command = [str(ROOT / "hack/bench/operator"), *arguments, "--json", "--limit-seconds", "120"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr + done.stdout
    [text] = done.stdout.splitlines()
    read: dict[str, object] = json.loads(text)
    return read


def test_a_short_run_prints_one_line_with_all_fields() -> None:
    seconds = ("--relook-seconds", "3", "--rest-seconds", "1", "--transition-seconds", "1")
    told = line("--models", "3", "--edits", "4", "--navtasks", "4", *seconds)
    assert set(MODELS.split()) | set(NAV_TASKS.split()) <= set(told)
    assert (told["models"], told["navtasks"], told["relook_seconds"]) == (3, 4, 3.0)
    assert told["memory_limit_by"] in ("cgroup v2", "cgroup v1", "polling")
    assert told["probe_failures"] == 0 and told["restart_writes"] == 0


def test_nothing_to_measure_is_said() -> None:
    command = [str(ROOT / "hack/bench/operator"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "--models N, --navtasks M or both" in done.stderr


def test_an_operator_that_ends_fails_the_run_and_leaves_the_line(tmp_path: Path) -> None:
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    package = tmp_path / "operator/qwen3vl_operator"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text("raise SystemExit(3)")
    command = [str(ROOT / "hack/bench/operator"), "--models", "1", "--source", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert "ended by itself with status 3" in told["failed"]
    assert not told["goals_met"]["apply_seconds"]
