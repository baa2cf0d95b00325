"""From a build's store into the node of the local cluster. Layers that the node already has stay where they are: only
a changed program's few kilobytes travel."""

import json
import tarfile
from pathlib import Path

from localkube import layout, node
from localkube.report import Failure, say

NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


def record_path() -> Path:
    """What was loaded, in the cluster's state folder, so that it goes when the cluster's images go."""
    return layout.state_dir() / "loaded-images.json"


def is_loaded(reference: str, identity: str) -> bool:
    """Whether the node has this very image; asks the node, since somebody may have removed or replaced it."""
    known = _record().get(reference)
    return known is not None and known["id"] == identity and node_digest(reference) == known["digest"]


def node_digest(reference: str) -> str | None:
    """Digest of the image of that name in the node; None when it has none."""
    for line in node.ctr("images", "list", f"name=={reference}").splitlines()[1:]:
        fields = line.split()
        if fields and fields[0] == reference:
            return fields[2]
    return None


def remember(reference: str, identity: str) -> None:
    """Note that the node now has this image.

    Raises:
        Failure: it does not.
    """
    digest = node_digest(reference)
    if digest is None:
        raise Failure(f"the node does not list {reference} after loading it", "see hack/cluster/status")
    record = _record() | {reference: {"id": identity, "digest": digest}}
    record_path().write_text(json.dumps(record, indent=2))


def _record() -> dict[str, dict[str, str]]:
    try:
        record: dict[str, dict[str, str]] = json.loads(record_path().read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        # The second: a run that was killed while it wrote. Loading once more is all it costs.
        return {}
    return record


def node_blobs() -> set[str]:
    """Digests of all content that the node has."""
    return set(node.ctr("content", "list", "--quiet").split())


def pack(folder: Path, reference: str, present: set[str], archive: Path) -> int:
    """Write the OCI layout in `folder` as an archive without the blobs in `present`.

    Returns:
        Bytes of the blobs in it.
    """
    index = json.loads((folder / "index.json").read_text())
    for manifest in index["manifests"]:
        manifest["annotations"] = manifest.get("annotations", {}) | dict.fromkeys(NAME_ANNOTATIONS, reference)
    (folder / "index.json").write_text(json.dumps(index))
    size = 0
    with tarfile.open(archive, "w") as tar:
        tar.add(folder / "oci-layout", "oci-layout")
        tar.add(folder / "index.json", "index.json")
        named = {manifest["digest"] for manifest in index["manifests"]}
        for blob in sorted(folder.glob("blobs/*/*")):
            digest = f"{blob.parent.name}:{blob.name}"
            if digest in named or digest not in present:
                tar.add(blob, str(blob.relative_to(folder)))
                size += blob.stat().st_size
    return size


def load(folder: Path, reference: str, identity: str, archive: Path) -> None:
    """Bring the OCI layout in `folder` into the node under `reference`."""
    present = node_blobs()
    size = pack(folder, reference, present, archive)
    say(f"  {size / 1e6:.1f} MB travel to the node")
    try:
        node.load_image(archive)
    except Failure as failure:
        if not present:
            raise
        # The node's garbage collection may have taken a layer since it was listed.
        say(
            f"  loading without the layers that the node had failed ({str(failure).splitlines()[0][:200]}); loading all"
        )
        pack(folder, reference, set(), archive)
        node.load_image(archive)
    remember(reference, identity)
