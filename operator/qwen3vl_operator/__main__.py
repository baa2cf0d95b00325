"""`python -m qwen3vl_operator`: settings from the environment, then kopf until the pod is told to stop."""

import asyncio
import datetime
import logging
import os
import sys

import kopf

from qwen3vl_common.logs import configure
from qwen3vl_operator.watch import VLN_URL, Operator

HEALTH_ENDPOINT = "http://0.0.0.0:8080/healthz"


def _required(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        sys.exit(f"environment variable {name} is not set; the chart sets it")
    return value


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def operator_from_environment() -> Operator:
    """The operator as the chart configures it (docs/development.md names the variables)."""
    release_namespace = _required("QWEN3VL_RELEASE_NAMESPACE")
    listed = os.environ.get("QWEN3VL_NAMESPACES") or release_namespace
    return Operator(
        namespaces=tuple(sorted({name.strip() for name in listed.split(",") if name.strip()})),
        release_namespace=release_namespace,
        server_image=_required("QWEN3VL_SERVER_IMAGE"),
        server_image_pull_policy=os.environ.get("QWEN3VL_SERVER_IMAGE_PULL_POLICY") or "IfNotPresent",
        vln_image=_required("QWEN3VL_VLN_IMAGE"),
        vln_image_pull_policy=os.environ.get("QWEN3VL_VLN_IMAGE_PULL_POLICY") or "IfNotPresent",
        gateway_url=_required("QWEN3VL_GATEWAY_URL"),
        owner_deployment=os.environ.get("QWEN3VL_OWNER_DEPLOYMENT") or None,
        now=_now,
        vln_url=os.environ.get("QWEN3VL_VLN_URL") or VLN_URL,
    )


def main() -> None:
    """Run until SIGTERM; exit 1 with one clear line when the operator cannot start."""
    configure(os.environ.get("QWEN3VL_LOG_LEVEL") or "info")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    operator = operator_from_environment()
    try:
        asyncio.run(
            kopf.operator(
                registry=operator.registry(),
                namespaces=list(operator.namespaces),
                standalone=True,
                liveness_endpoint=os.environ.get("QWEN3VL_HEALTH_ENDPOINT") or HEALTH_ENDPOINT,
            )
        )
    except Exception as error:  # noqa: BLE001 - the process ends
        # kopf has logged it already, with its traceback where that helps.
        sys.exit(f"the operator cannot start: {operator.fatal}" if operator.fatal else f"the operator ends: {error}")


if __name__ == "__main__":
    main()
