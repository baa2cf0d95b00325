"""The arithmetic of the operator's benchmark: what is counted, and how a cost is taken apart."""

from pathlib import Path

import pytest
from hack.bench.operatorbench.chart import Probe, probe, quantity
from hack.bench.operatorbench.exposition import Requests, samples
from hack.bench.operatorbench.failure import RunFailure
from hack.bench.operatorbench.goals import goals_met
from hack.bench.operatorbench.idle import Moment, idle_cost
from hack.bench.operatorbench.memory import roots
from hack.bench.operatorbench.quantiles import quantile_ms
from hack.bench.operatorbench.transitions import planned

METRICS = """
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",resource="services",subresource="",verb="PATCH"} 4
apiserver_request_total{code="409",resource="services",subresource="",verb="PATCH"} 1
apiserver_request_total{code="200",resource="visionmodels",subresource="status",verb="APPLY"} 7
apiserver_request_total{code="200",resource="visionmodels",subresource="",verb="LIST"} 8
apiserver_request_total{code="200",resource="services",subresource="",verb="LIST"} 2
apiserver_request_total{code="200",resource="leases",subresource="",verb="PUT"} 9
apiserver_request_total_other{resource="services",verb="PATCH"} 100
"""


def test_writes_are_those_of_the_operator_only() -> None:
    requests = Requests.read(METRICS)
    assert requests.writes() == 4 + 1 + 7
    assert requests.lists() == 2
    assert requests.of("visionmodels", frozenset({"APPLY"}), "status") == 7
    assert requests.since(requests).writes() == 0


def test_a_sample_is_read_with_and_without_labels() -> None:
    text = 'passes_count{result="a \\"b\\"",kind="VisionModel"} 3\npasses_count 2.5e1\n'
    assert [(one.labels.get("kind"), one.value) for one in samples(text, "passes_count")] == [
        ("VisionModel", 3.0),
        (None, 25.0),
    ]


def test_rest_passes_and_lists_are_told_apart() -> None:
    """10 ms a second at rest, 2 ms a pass, 5 passes a second, and two LIST waves of 200 ms in the 21st second."""
    moments = [
        Moment(
            at=float(second), cpu=second * (0.010 + 5 * 0.002) + (0.4 if second > 20 else 0.0), lists=int(second > 20)
        )
        for second in range(121)
    ]
    cost = idle_cost(moments, passes=600, list_waves=2, rest_rate=0.010)
    assert cost.per_pass == pytest.approx(0.002)
    assert cost.list_wave == pytest.approx(0.2)
    assert cost.percent(models=600) == pytest.approx(100 * (0.010 + (600 * 0.002 + 0.2) / 600))


@pytest.mark.parametrize(("text", "size"), [("512Mi", 512 << 20), ("1G", 10**9), ("4096", 4096)])
def test_a_quantity_is_bytes(text: str, size: int) -> None:
    assert quantity(text) == size


def test_what_is_no_quantity_is_refused() -> None:
    with pytest.raises(RunFailure, match="512Mi is one"):
        quantity("a lot")


def test_a_probe_has_kubernetes_defaults() -> None:
    assert probe({"httpGet": {"path": "/healthz"}, "periodSeconds": 20}) == Probe(
        "/healthz", initial_delay_seconds=0, period_seconds=20, timeout_seconds=1, failure_threshold=3
    )


def test_memory_may_be_limited_by_version_2_or_the_memory_tree_of_version_1() -> None:
    mounts = """cgroup /cg/cpu cgroup rw,cpu 0 0
cgroup /cg/memory cgroup rw,relatime,memory 0 0
cgroup2 /cg/unified cgroup2 rw 0 0
tmpfs /tmp tmpfs rw 0 0
"""
    assert list(roots(mounts)) == [("cgroup v2", Path("/cg/unified")), ("cgroup v1", Path("/cg/memory"))]


def test_a_quantile_is_one_of_the_values() -> None:
    seconds = [number / 1000 for number in range(1, 101)]
    assert (quantile_ms(seconds, 0.5), quantile_ms(seconds, 0.99), quantile_ms([0.2], 0.99)) == (50.0, 99.0, 200.0)


def test_transitions_begin_before_they_end_and_come_evenly() -> None:
    plan = planned(40, per_second=15, seconds=4)
    begun = [one.task for one in plan if one.phase == "Running"]
    ended = [one.task for one in plan if one.phase == "Succeeded"]
    assert len(plan) == len(begun) + len(ended) and len(ended) > 0
    assert len(set(begun)) == len(begun) and len(set(ended)) == len(ended)
    for one in plan:
        if one.phase == "Succeeded":
            assert any(other.task == one.task and other.at < one.at for other in plan if other.phase == "Running")
    assert [one.at for one in plan] == pytest.approx([turn / 15 for turn in range(len(plan))])


def test_more_models_have_other_goals_and_what_is_not_measured_is_not_met() -> None:
    assert goals_met({"models": 5000, "rss_peak_mib": 400, "probe_failures": 0}) == {
        "rss_peak_mib": True,
        "probe_failures": True,
    }
    usual = goals_met({"models": 1000, "apply_seconds": 61, "probe_failures": 0})
    assert usual["probe_failures"] and not usual["apply_seconds"] and not usual["change_p99_ms"]
