"""A private etcd and kube-apiserver on loopback for integration tests: ready in seconds, gone with the `with` block."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localkube import binaries, certificates, packages
from localkube.api import Api, wait_until
from localkube.control_plane import (
    Endpoints,
    apiserver_arguments,
    certificate_subjects,
    controller_manager_arguments,
    etcd_config,
)
from localkube.report import Failure

PROGRAMS = ("etcd", "kube-apiserver")
CONTROLLERS = ("namespace-controller", "garbage-collector-controller", "serviceaccount-controller")
"""They empty a deleted namespace, delete what a deleted object owned, and give each namespace its account `default`."""


@dataclass
class ApiServer:
    """A running kube-apiserver. `kubeconfig` is an administrator's; `stop`/`start` make an outage of the apiserver."""

    directory: Path
    endpoints: Endpoints
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.endpoints.api_url

    @property
    def pki(self) -> Path:
        return self.directory / "pki"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "admin.kubeconfig"

    def start(self) -> None:
        """Start kube-apiserver and wait until it is ready."""
        log = self.directory / "kube-apiserver.log"
        arguments = [str(binaries.path_of("kube-apiserver")), *apiserver_arguments(self.pki, self.endpoints)]
        with log.open("ab") as sink:
            process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        self._process = process
        api = Api(self.url, self.pki)
        wait_until(
            lambda: api.get("/readyz")[0] == 200,
            seconds=90,
            alive=lambda: process.poll() is None,
            failure=Failure("kube-apiserver does not become ready", "see its log", log),
        )

    def stop(self) -> None:
        """Stop kube-apiserver; etcd keeps the data."""
        if self._process is not None:
            _end(self._process)
            self._process = None


@contextmanager
def api_server(directory: Path) -> Iterator[ApiServer]:
    """Start etcd and kube-apiserver with their state below `directory`; both end with the block, apiserver first."""
    packages.ensure({"openssl": "openssl"})
    binaries.ensure(PROGRAMS)
    ports = _free_ports(3)
    endpoints = Endpoints(ports[0], ports[1], "127.0.0.1", ports[2])
    server = ApiServer(directory, endpoints)
    certificates.ensure(server.pki, certificate_subjects(endpoints.api_address))
    certificates.write_kubeconfig(server.kubeconfig, server=server.url, pki=server.pki, client="admin")
    config = directory / "etcd.yaml"
    config.write_text(etcd_config(directory / "etcd", endpoints))
    with (directory / "etcd.log").open("ab") as sink:
        command = [str(binaries.path_of("etcd")), "--config-file", str(config)]
        etcd = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        _end(etcd)


@contextmanager
def controller_manager(server: ApiServer, controllers: tuple[str, ...] = CONTROLLERS) -> Iterator[None]:
    """Run these controllers of kube-controller-manager against the apiserver, until the block ends.

    Install CustomResourceDefinitions before: the garbage collector looks for new kinds only every 30 s.
    """
    binaries.ensure(["kube-controller-manager"])
    kubeconfig, log = (server.directory / f"controller-manager.{ending}" for ending in ("kubeconfig", "log"))
    certificates.write_kubeconfig(kubeconfig, server=server.url, pki=server.pki, client="controller-manager")
    # No port: it would be the same for all that run at once, and nobody asks it.
    flags = [*controller_manager_arguments(server.pki, kubeconfig, controllers), "--secure-port=0"]
    with log.open("ab") as sink:
        command = [str(binaries.path_of("kube-controller-manager")), *flags]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    try:
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
