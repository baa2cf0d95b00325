"""The goals that measured figures are held against: upper bounds, on two shared cores. docs/operator.md tells them."""

from typing import Any

USUAL = {
    "apply_seconds": 60,
    "cpu_ms_per_pass": 8,
    "cpu_ms_per_pass_at_rest": 1,
    "change_p50_ms": 150,
    "change_p99_ms": 1000,
    "restart_seconds": 20,
    "restart_writes": 0,
    "idle_cpu_percent": 1,
    "idle_writes_per_minute": 0,
    "rss_peak_mib": 250,
    "probe_failures": 0,
}
"""Up to 1,000 models."""
MANY = {"rss_peak_mib": 480, "probe_failures": 0}
"""Above: it converges."""
NAV_TASKS = {"lag_p99_ms": 2000, "stop_p99_ms": 1000, "navtasks_probe_failures": 0}
USUAL_MODELS = 1000


def goals_met(figures: dict[str, Any]) -> dict[str, bool]:
    """For each goal of such a run whether it was met; one that was not measured is not."""
    goals: dict[str, int] = {}
    if figures.get("models"):
        goals |= USUAL if figures["models"] <= USUAL_MODELS else MANY
    if figures.get("navtasks"):
        goals |= NAV_TASKS
    return {name: name in figures and figures[name] <= bound for name, bound in goals.items()}
