"""Entry point of hack/bench/gateway: see its --help."""

import json
import os
import sys

import uvloop
from hack.bench.gatewaybench import stub
from hack.bench.gatewaybench.figures import rounded
from hack.bench.gatewaybench.options import parse
from hack.bench.gatewaybench.report import Unavailable
from hack.bench.gatewaybench.run import measure


def main() -> None:
    """Measure and print; exit 1 when this gateway cannot be measured."""
    if sys.argv[1:2] == ["--stub"]:
        uvloop.run(stub.serve(int(sys.argv[2])))
        return
    options = parse()
    before = os.getloadavg()[0]
    try:
        figures = rounded(uvloop.run(measure(options)))
    except Unavailable as why:
        sys.exit(f"not measured: {why}")
    figures |= {"cores": os.cpu_count(), "load_before": round(before, 2)}
    if options.as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<40} {'-' if value is None else format(value, ',.2f'):>12}")


if __name__ == "__main__":
    main()
