"""Images of one static binary, written without any image builder: a docker archive is three small files and a tar."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _layer(files: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, source in sorted(files.items()):
            info = tarfile.TarInfo(name.lstrip("/"))
            content = source.read_bytes()
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def write(target: Path, *, name: str, files: dict[str, Path], entrypoint: list[str]) -> None:
    """Write a docker archive that `ctr images import` takes. The same inputs give the same bytes.

    Args:
        files: path in the image → file whose bytes go there, mode 0755.
    """
    layer = _layer(files)
    config = json.dumps(
        {
            "architecture": GO_ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": entrypoint, "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
            "history": [{"created": "1970-01-01T00:00:00Z"}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w") as tar:
        for member, content in ((config_name, config), ("manifest.json", manifest), ("layer.tar", layer)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
