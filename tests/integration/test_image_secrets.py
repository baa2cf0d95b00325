"""What a build needs of its host (pip's settings, a private certificate authority) is seen by it and then gone."""

import gzip
import os
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hack.imagebuild import engines, pipconf
from hack.imagebuild.__main__ import exclusive

from localkube.layout import cache_dir

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="building without Docker needs root"),
    pytest.mark.timeout(600),
]
REFERENCE = "localhost/qwen3vl/secrets-test:test"
# New in each run, so that no cached layer answers for a build.
INDEX, AUTHORITY = (f"{name}-{secrets.token_hex(8)}" for name in ("index", "authority"))


def _pattern(word: str) -> str:
    """A grep pattern that finds `word` without being it: the command itself stands in the image's history."""
    return f"{word[:-1]}[{word[-1]}]"


DOCKERFILE = f"""\
ARG BASE
FROM ${{BASE}}
RUN --mount=type=secret,id=pipconf,target=/etc/pip.conf grep -q {_pattern(INDEX)} /etc/pip.conf \\
    && grep -q {_pattern(AUTHORITY)} {engines.CA_IN_IMAGE} \\
    && echo done > /outcome
USER 65532:65532
"""


@pytest.fixture
def exported(tmp_path: Path) -> Iterator[Path]:
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(f"{AUTHORITY}\n")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    index = {"PIP_INDEX_URL": f"https://robot:{INDEX}@index.example/simple"}
    pipconf.write(tmp_path / "pip.conf", pipconf.render([], index, engines.CA_IN_IMAGE))
    with exclusive():
        engine = engines.Buildah(cache_dir() / "images", bundle)
        base = engine.base_id()
        job = engines.Job(REFERENCE, context, "Dockerfile", base, tmp_path / "pip.conf", tmp_path / "build.log")
        engine.build(job)
        try:
            engine.export(REFERENCE, tmp_path / "oci")
        finally:
            engine.remove(REFERENCE)
    yield tmp_path / "oci"


def _contents(layout: Path) -> Iterator[tuple[str, bytes]]:
    """Everything in an image: its documents, and the names and contents of all files of all layers."""
    for blob in layout.glob("blobs/*/*"):
        raw = blob.read_bytes()
        if not raw.startswith(b"\x1f\x8b"):
            yield blob.name, raw
            continue
        with gzip.open(blob) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                yield member.name, content.read() if content else b""


def test_neither_secret_is_in_the_image(exported: Path) -> None:
    names = []
    for name, content in _contents(exported):
        names.append(name)
        assert INDEX.encode() not in content, name
        assert AUTHORITY.encode() not in content, name
    # The build did see both: it wrote this file only after it had found them.
    assert "outcome" in names
