"""Who is measured: this gateway, the one of an earlier commit, nginx, LiteLLM, and the stub behind all of them."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from hack.bench.gatewaybench.asking import KEY
from hack.bench.gatewaybench.processes import python, started
from hack.bench.gatewaybench.report import Unavailable, say
from hack.devtools import venv

from localkube.report import Failure

ROOT = Path(__file__).resolve().parents[3]
LITELLM = ROOT / "hack/environments/litellm.txt"
LITELLM_START_SECONDS = 120.0
SOURCES = ("images/common", "images/server")


@dataclass(frozen=True)
class Contender:
    """A running proxy, or the stub itself.

    Attributes:
        stream_port: where it is asked for streams.
    """

    name: str
    port: int
    stream_port: int
    pid: int


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def stub(folder: Path) -> AsyncIterator[Contender]:
    """The engine."""
    port = free_port()
    command = python("-m", "hack.bench.gatewaybench", "--stub", str(port))
    async with started(command, port, folder / "stub.log") as pid:
        yield Contender("stub", port, port, pid)


@contextlib.asynccontextmanager
async def gateway(folder: Path, name: str, engine: int, source: Path = ROOT) -> AsyncIterator[Contender]:
    """The gateway of the checkout at `source`, before the engine on this port."""
    keys, routes, port = folder / f"{name}-keys", folder / f"{name}.yaml", free_port()
    keys.mkdir()
    (keys / "bench").write_text(KEY)
    routes.write_text(json.dumps([{"model": "m", "endpoints": [f"127.0.0.1:{engine}"], "key": "engine"}]))
    command = python("-m", "qwen3vl_server.gateway", "--host=127.0.0.1", f"--port={port}", f"--routes={routes}")
    command += [f"--keys-dir={keys}", "--drain-seconds=0", "--finish-seconds=1", "--log-level=error"]
    if "metrics-port" in (source / "images/server/qwen3vl_server/gateway/settings.py").read_text():
        command.append(f"--metrics-port={free_port()}")
    environment = {"PYTHONPATH": os.pathsep.join(str(source / part) for part in SOURCES)}
    async with started(command, port, folder / f"{name}.log", environment) as pid:
        yield Contender(name, port, port, pid)


def _check_out(revision: str, target: Path) -> None:
    archive = subprocess.run(["git", "-C", ROOT, "archive", revision, *SOURCES], capture_output=True)
    if archive.returncode != 0:
        why = archive.stderr.decode(errors="replace").strip()
        raise Unavailable(f"no commit {revision} in this clone ({why}); a shallow one needs: git fetch --unshallow")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as opened:
        opened.extractall(target, filter="data")


@contextlib.asynccontextmanager
async def previous(folder: Path, engine: int, revision: str) -> AsyncIterator[Contender]:
    """The gateway of an earlier commit, run by the same Python.

    Raises:
        Unavailable: this clone does not have the commit, or its gateway does not run by today's packages.
    """
    source = folder / "previous"
    await asyncio.to_thread(_check_out, revision, source)
    async with gateway(folder, "previous", engine, source) as contender:
        yield contender


NGINX = """daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
{user}
events {{ worker_connections 20000; }}
http {{
  access_log off;
  client_max_body_size 64m;
  # Buffered whole, as by default, but not in a file: a proxy that writes each picture to the disk is no floor.
  client_body_buffer_size 256k;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  upstream engine {{ server 127.0.0.1:{engine}; keepalive 64; keepalive_requests 1000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://engine; }} }}
  server {{
    listen 127.0.0.1:{stream_port} backlog=4096;
    location / {{ proxy_pass http://engine; proxy_buffering off; }}
  }}
}}
"""


@contextlib.asynccontextmanager
async def nginx(folder: Path, engine: int) -> AsyncIterator[Contender]:
    """Debian's nginx as a plain proxy: one worker, kept connections to the engine, no log.

    Raises:
        Unavailable: it is not installed.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise Unavailable("no nginx: apt-get install --no-install-recommends nginx-light")
    port, stream_port = free_port(), free_port()
    # Root's worker would give up root, and then could not enter the bench's folder.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, user=user, engine=engine, port=port, stream_port=stream_port))
    command = [program, "-e", f"{folder}/nginx-error.log", "-c", str(configuration)]
    async with started(command, port, folder / "nginx.log") as pid:
        yield Contender("nginx", port, stream_port, pid)


@contextlib.asynccontextmanager
async def litellm(folder: Path, engine: int) -> AsyncIterator[Contender]:
    """LiteLLM's proxy with one worker, in an environment of its own.

    Raises:
        Unavailable: its environment cannot be made, or it does not start.
    """
    try:
        interpreter = await asyncio.to_thread(venv.ensure_listed, LITELLM)
    except Failure as failure:
        raise Unavailable(f"LiteLLM: {failure}") from None
    port, configuration = free_port(), folder / "litellm.yaml"
    served = {"model": "openai/m", "api_base": f"http://127.0.0.1:{engine}/v1", "api_key": "engine"}
    configuration.write_text(json.dumps({"model_list": [{"model_name": "m", "litellm_params": served}]}))
    command = [str(interpreter.parent / "litellm"), "--config", str(configuration), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    # Without a list of prices from the internet; nothing of ours on its path.
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "PYTHONPATH": ""}
    environment["LITELLM_MASTER_KEY"] = KEY
    say("LiteLLM starts, which takes a while")
    async with started(command, port, folder / "litellm.log", environment, LITELLM_START_SECONDS) as pid:
        yield Contender("litellm", port, port, pid)
