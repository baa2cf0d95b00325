"""Entry point of hack/bench/operator: see its --help."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hack.bench.operatorbench.failure import RunFailure, say
from hack.bench.operatorbench.goals import goals_met
from hack.bench.operatorbench.installation import Installation, installed
from hack.bench.operatorbench.models import ModelsRun
from hack.bench.operatorbench.navtasks import NavTasksRun
from hack.bench.operatorbench.options import Options, parse

from localkube.testing import api_server

Figures = dict[str, Any]
Scenario = Callable[[Installation], Awaitable[None]]


def _commit(source: Path) -> str:
    """The commit of a checkout, with a + when files differ from it."""
    command = ["git", "-C", str(source), "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group in a group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner


async def _run(source: Path, scenario: Scenario, figures: Figures, prefix: str, limit_seconds: float) -> str | None:
    """Install and run; what went wrong, if something did. SIGTERM ends it with everything that it started."""
    if (myself := asyncio.current_task()) is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, myself.cancel)
    with tempfile.TemporaryDirectory(prefix="operator-bench-") as folder, api_server(Path(folder)) as server:
        try:
            async with asyncio.timeout(limit_seconds), installed(source, server) as installation:
                figures["memory_limit_mib"] = installation.limit.limit_bytes >> 20
                figures["memory_limit_by"] = installation.limit.by
                try:
                    await scenario(installation)
                except BaseException:
                    print(installation.log_tail(), file=sys.stderr)
                    raise
                finally:
                    figures[f"{prefix}rss_peak_mib"] = round(installation.peak_mib)
                    figures[f"{prefix}probe_failures"] = installation.probing.failures
        except TimeoutError:
            return f"not done within {limit_seconds:g} s"
        except BaseExceptionGroup as group:
            error = _first(group)
            if not isinstance(error, RunFailure):
                raise
            return str(error)
        except RunFailure as error:
            return str(error)
    return None


def measure(source: Path, options: Options) -> Figures:
    """All figures of one checkout; `failed` among them says what went wrong."""
    say(f"measuring {_commit(source)}")
    figures: Figures = {"commit": _commit(source), "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}
    failed: list[str | None] = []
    if options.models:
        figures |= {"models": options.models, "replicas": options.replicas, "relook_seconds": options.relook_seconds}

        async def many_models(installation: Installation) -> None:
            await ModelsRun(installation, options, figures).run()

        failed.append(asyncio.run(_run(source, many_models, figures, "", options.limit_seconds)))
    if options.navtasks:
        figures |= {"navtasks": options.navtasks}

        async def many_tasks(installation: Installation) -> None:
            await NavTasksRun(installation, options, figures).run()

        failed.append(asyncio.run(_run(source, many_tasks, figures, "navtasks_", options.limit_seconds)))
    if any(failed):
        figures["failed"] = "; ".join(filter(None, failed))
        say(f"failed: {figures['failed']}")
    return figures | {"load_after": round(os.getloadavg()[0], 1), "goals_met": goals_met(figures)}


def main() -> None:
    """Measure, print the line; exit 1 when the run is not valid."""
    options = parse()
    try:
        before = {} if options.compare is None else {"before": measure(options.compare, options)}
        figures = measure(options.source, options) | before
    except asyncio.CancelledError:
        sys.exit("ended by SIGTERM")
    print(json.dumps(figures, indent=None if options.as_json else 2))
    sys.exit("failed" in figures)


if __name__ == "__main__":
    main()
