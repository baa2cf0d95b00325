"""Command line of hack/images: build the images whose inputs changed and bring them into the local cluster."""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hack.imagebuild import engines, load, pipconf
from hack.imagebuild.inputs import IMAGES, Image, input_hash, stage

from localkube import processes
from localkube.__main__ import backend
from localkube.layout import cache_dir
from localkube.report import Failure, say

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = tuple(image.name for image in IMAGES)
# runAsNonRoot is checked by number.
NUMERIC_USER = re.compile(r"[1-9]\d*(:\d+)?")


def ca_bundle() -> Path | None:
    """The certificates that this machine trusts, where it says so; a private authority may be among them."""
    for candidate in (os.environ.get("SSL_CERT_FILE"), os.environ.get("PIP_CERT"), engines.CA_IN_IMAGE):
        if candidate and Path(candidate).is_file():
            return Path(candidate).resolve()
    return None


def _build(engine: engines.Engine, image: Image, reference: str, base: str, work: Path) -> str:
    """Build one image unless it is there with the same inputs; return its id."""
    try:
        inputs = input_hash(image, ROOT, base)
    except FileNotFoundError as missing:
        raise Failure(
            f"the {image.name} image needs {missing}, which is not there", "is the checkout complete?"
        ) from None
    found = engine.describe(reference)
    if found is None or found["inputs"] != inputs:
        say(f"{image.name}: building")
        context = work / image.name
        stage(image, ROOT, context)
        logs = cache_dir() / "logs"
        logs.mkdir(exist_ok=True)
        log = logs / f"image-{image.name}.log"
        engine.build(engines.Job(reference, context, image.dockerfile, inputs, work / "pip.conf", log))
        found = engine.describe(reference)
        if found is None:
            raise Failure(f"{reference} is not there after its build", "run it again with --fresh", log)
    if not NUMERIC_USER.fullmatch(found["user"]):
        raise Failure(
            f"{reference} runs as {found['user'] or 'root'!r}",
            f"say USER 65532:65532 in {image.dockerfile}",
        )
    return found["id"]


def _bring(engine: engines.Engine, reference: str, identity: str, work: Path) -> str:
    if load.is_loaded(reference, identity):
        return "the node has it"
    folder = work / "oci"
    shutil.rmtree(folder, ignore_errors=True)
    engine.export(reference, folder)
    load.load(folder, reference, identity, work / "image.tar")
    return "loaded"


def _run(options: argparse.Namespace) -> None:
    store = cache_dir() / "images"
    if options.fresh:
        say("removing the image store")
        shutil.rmtree(store, ignore_errors=True)
    bundle = ca_bundle()
    engine = engines.choose(store, bundle)
    into_node = not options.no_load and backend() == "local"
    if into_node and not processes.find("containerd"):
        raise Failure("the local cluster does not run", "hack/cluster/up first, or hack/images --no-load")
    base = engine.base_id()
    with tempfile.TemporaryDirectory(prefix="qwen3vl-images-", dir=cache_dir()) as folder:
        work = Path(folder)
        trusted = engines.CA_IN_IMAGE if bundle is not None and isinstance(engine, engines.Buildah) else None
        settings = pipconf.render(pipconf.config_files(os.environ, Path.home()), os.environ, trusted)
        pipconf.write(work / "pip.conf", settings)
        for image in (image for image in IMAGES if not options.images or image.name in options.images):
            started = time.monotonic()
            reference = image.reference(options.tag)
            identity = _build(engine, image, reference, base, work)
            built = time.monotonic()
            state = _bring(engine, reference, identity, work) if into_node else "not loaded"
            took = f"build {built - started:.1f} s, load {time.monotonic() - built:.1f} s"
            say(f"{image.name}: {reference} {identity[:12]}, {engine.size(reference)}, {state} ({took})")
    if not options.no_load and backend() == "current":
        say("nothing was loaded: this cluster pulls what the chart's values name; push these images where it can")


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the image store: a build cleans up after killed ones, and must not take a living one for such."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "images.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another hack/images")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache_dir().glob("qwen3vl-images-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def main(arguments: list[str]) -> None:
    """Build and load; one run at a time per cache folder.

    Raises:
        Failure: something could not be built or loaded.
    """
    parser = argparse.ArgumentParser(prog="hack/images", description=__doc__)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"of {', '.join(NAMES)}; default all")
    parser.add_argument("--no-load", action="store_true", help="only build")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--fresh", action="store_true", help="throw the image store away first (buildah)")
    options = parser.parse_args(arguments)
    if unknown := set(options.images) - set(NAMES):
        parser.error(f"no image {', '.join(sorted(unknown))}")
    with exclusive():
        _run(options)


def _terminated(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminated)
    try:
        main(sys.argv[1:])
    except Failure as failure:
        sys.exit(f"\n{failure}")
    except subprocess.TimeoutExpired as late:
        sys.exit(f"\n{late}; run it again")
    except KeyboardInterrupt:
        sys.exit(130)
