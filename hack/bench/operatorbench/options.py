"""The bench's command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

DESCRIPTION = """What many VisionModels and NavTasks cost the operator.

A private etcd and kube-apiserver, the chart as helm renders it, and the operator as a process with the chart's rights,
memory limit and probes, which are asked as a kubelet asks them. There is no kubelet: no pod ever starts. One line of
JSON says what was measured; docs/operator.md says what each field means. The exit status is 1 when the operator did
not survive the run or the time was over; the line then says `failed` and holds what was measured until then.
"""


@dataclass(frozen=True)
class Options:
    """What is to be measured.

    Attributes:
        source: the checkout whose operator and chart are measured.
        compare: another one that is measured first.
        relook_seconds: re-look period of the operator.
        edits: changes of a model's spec, one after another.
        rest_seconds: how long the operator is watched with nothing to do.
        transition_seconds: how long NavTasks' transitions are offered.
        limit_seconds: after so long a run is given up, each source's for itself.
    """

    models: int
    replicas: int
    navtasks: int
    source: Path
    compare: Path | None
    relook_seconds: float
    edits: int
    rest_seconds: float
    transition_seconds: float
    limit_seconds: float
    as_json: bool


def _checkout(text: str) -> Path:
    folder = Path(text).resolve()
    if not (folder / "operator/qwen3vl_operator").is_dir():
        raise argparse.ArgumentTypeError(f"{folder} is no checkout: it has no operator/qwen3vl_operator")
    return folder


def parse(arguments: Sequence[str] | None = None) -> Options:
    """The options of a command line; ends the process when it is wrong."""
    parser = argparse.ArgumentParser(
        "hack/bench/operator", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--models", type=int, default=0, metavar="N", help="VisionModels on the simulator")
    add("--replicas", type=int, default=0, help="of each model; no pod starts")
    add("--navtasks", type=int, default=0, metavar="M", help="NavTasks of one model, on a stand-in of its VLN API")
    add("--source", type=_checkout, default=ROOT, metavar="DIR", help="the checkout to measure (default: this one)")
    add("--compare", type=_checkout, metavar="DIR", help="also measure this checkout, first: field `before`")
    add("--relook-seconds", type=float, default=120.0, help="re-look period of the operator")
    add("--edits", type=int, default=500, help="changes of one model after another")
    add("--rest-seconds", type=float, default=40.0, help="how long the operator is watched with nothing to do")
    add("--transition-seconds", type=float, default=60.0, help="how long transitions of NavTasks are offered, 15/s")
    add("--limit-seconds", type=float, default=1800.0, help="give a run up after so long")
    add("--json", action="store_true", dest="as_json", help="one line instead of an indented text")
    options = Options(**vars(parser.parse_args(arguments)))
    if options.models <= 0 and options.navtasks <= 0:
        parser.error("nothing to measure: --models N, --navtasks M or both")
    return options
