"""Archives carry only the layers that the node lacks."""

import json
import tarfile
from pathlib import Path

import pytest
from hack.imagebuild.load import NAME_ANNOTATIONS, pack

REFERENCE = "localhost/qwen3vl/thing:dev"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    folder = tmp_path / "oci"
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for name, size in (("manifest", 3), ("old-layer", 1000), ("new-layer", 5)):
        (folder / "blobs/sha256" / name).write_bytes(b"x" * size)
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:manifest"}]}))
    return folder


@pytest.mark.parametrize(
    ("present", "blobs", "size"),
    [
        (set(), {"manifest", "old-layer", "new-layer"}, 1008),
        ({"sha256:old-layer"}, {"manifest", "new-layer"}, 8),
        ({"sha256:old-layer", "sha256:new-layer", "sha256:manifest"}, {"manifest"}, 3),
    ],
)
def test_layers_that_the_node_has_stay_out(layout: Path, present: set[str], blobs: set[str], size: int) -> None:
    archive = layout.with_suffix(".tar")
    assert pack(layout, REFERENCE, present, archive) == size
    with tarfile.open(archive) as tar:
        names = set(tar.getnames())
        index = json.load(tar.extractfile("index.json") or pytest.fail("no index"))
    assert names == {"oci-layout", "index.json", *(f"blobs/sha256/{blob}" for blob in blobs)}
    assert index["manifests"][0]["annotations"] == dict.fromkeys(NAME_ANNOTATIONS, REFERENCE)
