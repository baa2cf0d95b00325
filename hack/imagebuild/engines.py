"""Two programs that build images from Dockerfiles: Docker where a daemon answers, else buildah with its own store."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hack.imagebuild import base

from localkube import packages
from localkube.report import Failure, say, step

LABEL = "io.qwen3vl.inputs"
CA_IN_IMAGE = "/etc/ssl/certs/ca-certificates.crt"
BUILD_PACKAGES = {"buildah": "buildah", "mmdebstrap": "mmdebstrap", "runc": "runc", "newuidmap": "uidmap"}


@dataclass(frozen=True)
class Job:
    """One build: where the context and its Dockerfile are, what the result is called, and the hash it carries."""

    reference: str
    context: Path
    dockerfile: str
    inputs: str
    pipconf: Path
    log: Path


class Engine(Protocol):
    """What builds images."""

    def base_id(self) -> str:
        """Id of the image that builds start from, made here if need be; a name where it comes from a registry."""
        ...

    def describe(self, reference: str) -> dict[str, str] | None:
        """`id`, `inputs` and `user` of a built image; None when it is not there."""
        ...

    def build(self, job: Job) -> None: ...

    def size(self, reference: str) -> str: ...

    def export(self, reference: str, folder: Path) -> None:
        """Write the image as an OCI layout below `folder`."""
        ...


def choose(store: Path, ca_bundle: Path | None) -> Engine:
    """Docker when its daemon answers (the command alone proves nothing), else buildah."""
    if shutil.which("docker"):
        answer = subprocess.run(["docker", "info"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        if answer.returncode == 0:
            return Docker()
    if os.geteuid() != 0:
        raise Failure("no Docker daemon answers, and buildah needs root here", "start Docker, or run this as root")
    packages.ensure(BUILD_PACKAGES)
    return Buildah(store, ca_bundle)


class Docker:
    """The daemon's own store and cache; the base is the Dockerfiles' default, from the hub."""

    def base_id(self) -> str:
        return "docker.io/library/python:3.11-slim"

    def describe(self, reference: str) -> dict[str, str] | None:
        done = subprocess.run(["docker", "image", "inspect", reference], capture_output=True, text=True)
        if done.returncode != 0:
            return None
        image = json.loads(done.stdout)[0]
        return _description(image["Id"], image["Config"])

    def build(self, job: Job) -> None:
        command = ["docker", "build", "--progress=plain", *_common(job), str(job.context)]
        _logged(command, job.log, os.environ | {"DOCKER_BUILDKIT": "1"})

    def size(self, reference: str) -> str:
        # One line per name that the image has.
        return _output(["docker", "images", "--format", "{{.Size}}", reference]).split("\n")[0]

    def export(self, reference: str, folder: Path) -> None:
        folder.mkdir(parents=True)
        archive = folder.with_suffix(".tar")
        _output(["docker", "save", "--output", str(archive), reference])
        shutil.unpack_archive(archive, folder, filter="data")
        archive.unlink()


class Buildah:
    """A store below `store`, never the machine's; base from distribution packages. One build at a time (see `main`)."""

    def __init__(self, store: Path, ca_bundle: Path | None) -> None:
        self._store = store
        self._ca_bundle = ca_bundle
        store.mkdir(parents=True, exist_ok=True)
        driver = "overlay" if _overlay_works(store) else "vfs"
        if driver == "vfs":
            say("warning: overlay mounts do not work here; vfs copies every layer: minutes, not seconds")
        places = ["--root", str(store / driver), "--runroot", str(store / "run"), "--storage-driver", driver]
        self._buildah = ["buildah", *places]
        self._clean_up()

    def _clean_up(self) -> None:
        """Remove what a killed build left: processes whose root lies in our store, and working containers."""
        for pid in _processes_rooted_below(self._store):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if _output([*self._buildah, "containers", "--quiet"]):
            say("removing what an interrupted build left behind")
            _output([*self._buildah, "rm", "--all"])

    def base_id(self) -> str:
        reference = f"{base.NAME}:{base.TAG}-{base.recipe_hash()}"
        known = self._id(reference)
        if known is None:
            with step("making the base image from distribution packages (about half a minute)"):
                self._make_base(reference)
            known = self._id(reference)
            if known is None:
                raise Failure(f"{reference} is not in the store that it was built in", "run it again with --fresh")
        _output([*self._buildah, "tag", reference, f"{base.NAME}:{base.TAG}"])
        return known

    def _make_base(self, reference: str) -> None:
        work = self._store / "base"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        base.make_root(work / "rootfs.tar", self._store / "base.log")
        (work / "Containerfile").write_text(base.CONTAINERFILE)
        bud = [*self._buildah, "bud", "--isolation", "chroot", "--network", "host", "--timestamp", base.EPOCH]
        _output([*bud, "--tag", reference, "--file", str(work / "Containerfile"), str(work)])
        shutil.rmtree(work)

    def _id(self, reference: str) -> str | None:
        found = self.describe(reference)
        return found["id"] if found else None

    def describe(self, reference: str) -> dict[str, str] | None:
        done = subprocess.run([*self._buildah, "inspect", "--type", "image", reference], capture_output=True, text=True)
        if done.returncode != 0:
            return None
        image = json.loads(done.stdout)
        return _description(image["FromImageID"], image["OCIv1"].get("config") or {})

    def build(self, job: Job) -> None:
        command = [*self._buildah, "bud", "--isolation", "chroot", "--network", "host", "--layers", "--force-rm"]
        command += ["--pull-never", "--build-arg", f"BASE={base.NAME}:{base.TAG}"]
        if self._ca_bundle is not None:
            # Over the file that the base has: what is mounted is in no layer.
            command += ["--volume", f"{self._ca_bundle}:{CA_IN_IMAGE}:ro"]
        _logged([*command, *_common(job), str(job.context)], job.log, dict(os.environ))

    def size(self, reference: str) -> str:
        # One line per name that the image has.
        return _output([*self._buildah, "images", "--format", "{{.Size}}", reference]).split("\n")[0]

    def export(self, reference: str, folder: Path) -> None:
        _output([*self._buildah, "push", "--quiet", reference, f"oci:{folder}:{reference}"])

    def remove(self, reference: str) -> None:
        """Remove an image from the store."""
        _output([*self._buildah, "rmi", reference])


def _common(job: Job) -> list[str]:
    named = ["--file", str(job.context / job.dockerfile), "--tag", job.reference, "--label", f"{LABEL}={job.inputs}"]
    return [*named, "--secret", f"id=pipconf,src={job.pipconf}"]


def _description(identity: str, config: dict[str, object]) -> dict[str, str]:
    labels = config.get("Labels") or {}
    inputs = labels.get(LABEL, "") if isinstance(labels, dict) else ""
    return {"id": identity.removeprefix("sha256:"), "inputs": str(inputs), "user": str(config.get("User") or "")}


def _overlay_works(store: Path) -> bool:
    trial = store / "overlay-trial"
    shutil.rmtree(trial, ignore_errors=True)
    for name in ("lower", "upper", "work", "merged"):
        (trial / name).mkdir(parents=True)
    options = f"lowerdir={trial}/lower,upperdir={trial}/upper,workdir={trial}/work"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(trial / "merged")]
    works = subprocess.run(mount, capture_output=True).returncode == 0
    if works:
        subprocess.run(["umount", str(trial / "merged")], check=True)
    shutil.rmtree(trial)
    return works


def _processes_rooted_below(store: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "root").readlink().is_relative_to(store.resolve()):
                found.append(int(process.name))
    return found


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Failure(
            f"{' '.join(command)} failed:\n{done.stderr[-1500:]}", "run it again, with --fresh if it fails again"
        )
    return done.stdout.strip()


def _logged(command: list[str], log: Path, environment: dict[str, str]) -> None:
    """Run a build: all of its output goes to `log`, its steps to the person who waits."""
    pipe = subprocess.PIPE
    with (
        log.open("w") as sink,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
        ) as build,
    ):
        try:
            for line in build.stdout or ():
                sink.write(line)
                if "STEP" in line or (line.startswith("#") and " [" in line):
                    say(f"  {line.strip()[:150]}")
        except BaseException:
            build.terminate()
            raise
        code = build.wait()
    if code != 0:
        raise Failure(f"building {' '.join(command[-1:])} failed", "see the log; is a package index reachable?", log)
