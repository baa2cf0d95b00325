"""`python -m qwen3vl_operator`: options from the environment, then the operator until the pod is told to stop."""

import asyncio
import contextlib
import datetime
import logging
import os
import signal
import sys
from typing import NoReturn

from qwen3vl_common.logs import configure
from qwen3vl_operator.kube.namespaces import FULL_LIST_SECONDS
from qwen3vl_operator.operator import VLN_URL, Operator, Options
from qwen3vl_operator.vision_model.desired import Settings
from qwen3vl_operator.vision_model.reconcile import LOOK_AGAIN_SECONDS
from qwen3vl_operator.watch import watch


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        sys.exit(f"environment variable {name} is not set; the chart sets it")
    return value


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        return float(text) if text else default
    except ValueError:
        sys.exit(f"environment variable {name} is {text!r}, which is no number")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def options_from_environment() -> Options:
    """The options as the chart gives them (docs/development.md names the variables)."""
    release_namespace = _required("QWEN3VL_RELEASE_NAMESPACE")
    listed = os.environ.get("QWEN3VL_NAMESPACES") or release_namespace
    settings = Settings(
        server_image=_required("QWEN3VL_SERVER_IMAGE"),
        server_image_pull_policy=os.environ.get("QWEN3VL_SERVER_IMAGE_PULL_POLICY") or "IfNotPresent",
        vln_image=_required("QWEN3VL_VLN_IMAGE"),
        vln_image_pull_policy=os.environ.get("QWEN3VL_VLN_IMAGE_PULL_POLICY") or "IfNotPresent",
        gateway_url=_required("QWEN3VL_GATEWAY_URL"),
        image_registry=os.environ.get("QWEN3VL_IMAGE_REGISTRY", "").strip(),
    )
    return Options(
        namespaces=tuple(sorted({name.strip() for name in listed.split(",") if name.strip()})),
        release_namespace=release_namespace,
        settings=settings,
        user_keys_secret=os.environ.get("QWEN3VL_USER_KEYS_SECRET", "").strip(),
        max_concurrent_upgrades=max(1, int(_number("QWEN3VL_UPGRADE_MAX_CONCURRENT", 1))),
        vln_url=os.environ.get("QWEN3VL_VLN_URL") or VLN_URL,
        look_again_seconds=_number("QWEN3VL_LOOK_AGAIN_SECONDS", LOOK_AGAIN_SECONDS),
        full_list_seconds=_number("QWEN3VL_FULL_LIST_SECONDS", FULL_LIST_SECONDS),
        health_port=int(_number("QWEN3VL_HEALTH_PORT", 8080)),
        metrics_port=int(_number("QWEN3VL_METRICS_PORT", 9090)),
    )


async def _run(operator: Operator) -> None:
    running = asyncio.create_task(operator.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    except Exception as error:  # noqa: BLE001 - the process ends
        _end_at_once(error)


def _end_at_once(error: Exception) -> NoReturn:
    """End the process, to be started anew. kopf has logged the error already, with its traceback where that helps.

    Not by the end of the event loop: after an error kopf leaves watches running that no cancellation ends, and a
    process that neither watches nor ends is worse than none.
    """
    print(f"the operator ends: {error}", file=sys.stderr, flush=True)
    logging.shutdown()
    os._exit(1)


def main() -> None:
    """Run until SIGTERM; exit 1 with one clear line when the operator cannot go on."""
    configure(os.environ.get("QWEN3VL_LOG_LEVEL") or "info")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    operator = Operator(options_from_environment(), now=_now, watch=watch)
    asyncio.run(_run(operator))


if __name__ == "__main__":
    main()
