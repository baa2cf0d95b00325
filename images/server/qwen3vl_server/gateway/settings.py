"""The gateway's command line; every flag has an environment variable QWEN3VL_<FLAG> behind it."""

import argparse
import os
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """The command line's parser."""
    result = argparse.ArgumentParser(prog="python -m qwen3vl_server.gateway", description=__doc__)

    def option(name: str, kind: type, default: object, text: str) -> None:
        variable = f"QWEN3VL_{name.upper().replace('-', '_')}"
        value = os.environ.get(variable, default)
        result.add_argument(f"--{name}", type=kind, default=value, help=f"{text} (default {default}; {variable})")

    option("host", str, "0.0.0.0", "address to listen on")  # noqa: S104 - a pod's own address is not known before
    option("port", int, 8000, "port to listen on")
    option("metrics-port", int, 8001, "port of /metrics, and of /health and /ready for the kubelet")
    option("keys-dir", Path, None, "folder of users' keys, one file a client")
    result.add_argument("--no-auth", action="store_true", help="ask for no key; only for a closed network")
    option("internal-key-file", Path, None, "file of the secret that engine keys are derived from")
    option("namespaces", str, "", "namespaces whose EndpointSlices are watched, separated by commas")
    option("routes", Path, None, "YAML file with routes, outside Kubernetes")
    option("max-body-bytes", int, 33_554_432, "longest body of a request")
    option("max-bytes-in-flight", int, 100_663_296, "bytes of bodies held at a time; a key has half of it")
    option("max-unknown-connections", int, 1_000, "connections that have not shown a valid key")
    option("max-unknown-connections-per-address", int, 100, "of these, those of one address")
    option("max-image-pixels", int, 33_554_432, "largest picture, in pixels")
    option("max-total-pixels", int, 134_217_728, "pixels of all pictures in one request")
    option("max-images", int, 16, "most pictures in one request")
    result.add_argument(
        "--allow-special-tokens", action="store_true", help="let texts hold the model's own marks, as <|im_start|>"
    )
    option("connect-timeout-seconds", float, 2, "patience for a connection to an engine")
    option("first-byte-timeout-seconds", float, 600, "patience for the first byte of an answer")
    option("idle-timeout-seconds", float, 120, "patience between two chunks of a stream")
    option("drain-seconds", float, 5, "after SIGTERM: time to be taken out of routing before the socket closes")
    option("finish-seconds", float, 300, "after that: time for open answers to end")
    option("log-level", str, "info", "debug, info, warning or error")
    return result


def parse(arguments: list[str]) -> argparse.Namespace:
    """Settings from arguments and environment; ends the program with status 2 and a reason when they do not fit."""
    commands = parser()
    options = commands.parse_args(arguments)
    if bool(options.namespaces) == bool(options.routes):
        commands.error("say where the models are: either --namespaces (in Kubernetes) or --routes FILE")
    if options.keys_dir is None and not options.no_auth:
        commands.error("--keys-dir is missing; --no-auth serves without keys")
    if options.namespaces and options.internal_key_file is None:
        commands.error("--internal-key-file is missing: engines ask for a key derived from it")
    for path in filter(None, (options.keys_dir, options.internal_key_file, options.routes)):
        if not path.exists():
            commands.error(f"{path} does not exist")
    return options
