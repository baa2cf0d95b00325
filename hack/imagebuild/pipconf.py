"""The host's pip settings as one file that a build sees as a secret: where packages come from is the host's business,
may hold a password, and must not become part of an image."""

import configparser
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

# Only what says how packages are reached. `find-links` of the host names folders that a build does not see.
SETTINGS = (
    "index-url",
    "extra-index-url",
    "no-index",
    "trusted-host",
    "proxy",
    "timeout",
    "retries",
)
SECTIONS = ("global", "install", "download")


def config_files(environment: Mapping[str, str], home: Path) -> list[Path]:
    """pip's configuration files in the order in which later ones win."""
    explicit = environment.get("PIP_CONFIG_FILE")
    if explicit == os.devnull:
        return []
    config_home = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    system = [Path(folder) / "pip" / "pip.conf" for folder in reversed(_config_dirs(environment))]
    files = [*system, Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config_home / "pip" / "pip.conf"]
    return [*files, Path(explicit)] if explicit else files


def _config_dirs(environment: Mapping[str, str]) -> list[str]:
    return (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")


def render(files: Iterable[Path], environment: Mapping[str, str], ca_bundle: str | None) -> str:
    """The text of the pip.conf that builds get.

    Args:
        files: configuration files, later ones win; those that do not exist are skipped, as pip does.
        environment: `PIP_*` variables win over files, as with pip.
        ca_bundle: path, as the build sees it, of the certificates to trust; None leaves pip's own.
    """
    merged: dict[str, str] = {}
    for section in SECTIONS:
        for file in files:
            parser = configparser.RawConfigParser()
            parser.read(file)
            if parser.has_section(section):
                merged |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    merged |= {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith("PIP_")
    }
    if "default-timeout" in merged:
        # pip takes both names.
        merged.setdefault("timeout", merged["default-timeout"])
    written = configparser.RawConfigParser()
    written["global"] = {key: merged[key] for key in SETTINGS if key in merged}
    if ca_bundle is not None:
        written["global"]["cert"] = ca_bundle
    text = io.StringIO()
    written.write(text)
    return text.getvalue()


def write(target: Path, text: str) -> None:
    """Write the secret so that nobody else can read it, not even for a moment."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
