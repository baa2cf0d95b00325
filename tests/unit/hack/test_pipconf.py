"""The pip settings that builds get as a secret."""

import configparser
from pathlib import Path

from hack.imagebuild.pipconf import config_files, render, write


def _settings(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return dict(parser["global"])


def test_later_files_and_then_the_environment_win(tmp_path: Path) -> None:
    system, user = tmp_path / "system.conf", tmp_path / "user.conf"
    system.write_text(
        "[global]\nindex-url = https://system.example/simple\ntimeout = 5\nproxy = http://proxy.example\n"
    )
    user.write_text("[global]\nindex_url = https://user.example/simple\n[install]\ntrusted-host = user.example\n")
    environment = {"PIP_TIMEOUT": "60", "HOME": "/nobody"}
    assert _settings(render([system, user, tmp_path / "absent.conf"], environment, None)) == {
        "index-url": "https://user.example/simple",
        "timeout": "60",
        "proxy": "http://proxy.example",
        "trusted-host": "user.example",
    }


def test_a_password_with_a_percent_sign_survives() -> None:
    index = "https://robot:s%40cret@index.example/simple"
    assert _settings(render([], {"PIP_INDEX_URL": index}, None)) == {"index-url": index}


def test_only_how_packages_are_reached_is_taken() -> None:
    environment = {"PIP_TARGET": "/elsewhere", "PIP_FIND_LINKS": "/opt/wheels", "PIP_CERT": "/host/ca.pem"}
    assert _settings(render([], environment, None)) == {}
    assert _settings(render([], environment, "/image/ca.crt")) == {"cert": "/image/ca.crt"}


def test_default_timeout_is_pips_other_name_for_timeout() -> None:
    assert _settings(render([], {"PIP_DEFAULT_TIMEOUT": "180"}, None)) == {"timeout": "180"}


def test_files_are_read_in_pips_order(tmp_path: Path) -> None:
    files = config_files({"PIP_CONFIG_FILE": "/mine.conf", "XDG_CONFIG_HOME": "/config"}, Path("/home/me"))
    assert files == [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/home/me/.pip/pip.conf"),
        Path("/config/pip/pip.conf"),
        Path("/mine.conf"),
    ]
    assert config_files({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path) == []


def test_the_secret_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    write(tmp_path / "pip.conf", "[global]\n")
    assert (tmp_path / "pip.conf").stat().st_mode & 0o777 == 0o600
