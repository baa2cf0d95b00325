import hashlib
import hmac
from pathlib import Path

import pytest

from qwen3vl_common.keys import KeyRing, bearer_key, derive, parse_entry


def test_a_derived_key_is_the_documented_hmac_and_differs_by_each_part() -> None:
    secret = bytes(range(32))
    key = derive(secret, "engine", "models", "qwen")
    assert key == hmac.new(secret, b"engine/models/qwen", hashlib.sha256).hexdigest()
    others = {derive(secret, "vln-to-gateway", "models", "qwen"), derive(secret, "engine", "other", "qwen")}
    others |= {derive(secret, "engine", "models", "other"), derive(bytes(32), "engine", "models", "qwen")}
    assert key not in others
    assert len(others) == 4


def test_both_generations_of_a_client_are_valid_during_a_rotation(tmp_path: Path) -> None:
    (tmp_path / "robot-lab").write_text("old-key\n")
    ring = KeyRing(tmp_path)
    assert ring.reload()
    assert not ring.reload(), "nothing changed"
    (tmp_path / "robot-lab").write_text(f"# new first\nsha256:{hashlib.sha256(b'new-key').hexdigest()}\nold-key\n")
    assert ring.reload()
    assert ring.client("old-key") == ring.client("new-key") == "robot-lab"
    (tmp_path / "robot-lab").write_text("new-key")
    ring.reload()
    assert ring.client("old-key") is None


def test_a_bad_entry_is_named_and_left_out_and_no_key_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good").write_text("good-key")
    (tmp_path / "bad").write_text("secret-1\nsecret-2\nsecret-3")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "..data").mkdir()
    ring = KeyRing(tmp_path)
    ring.reload()
    assert ring.clients == ("good",)
    assert {"'bad'", "'binary'", "'empty'"} <= {word for line in caplog.messages for word in line.split()}
    assert "secret-" not in caplog.text


@pytest.mark.parametrize("text", ["", "a\nb\nc", "sha256:xyz", "sha256:" + "A" * 64])
def test_what_is_not_an_entry_is_refused_with_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"one line per key|64 lower-case hex"):
        parse_entry(text)


@pytest.mark.parametrize(
    "line",
    [
        "robots:",
        "robots: []",
        "robots: go2-*",
        "robot: [go2-1]",
        "Robots: [go2-1]",
        "robots: [a b]",
        "robots: [a",
        "robots : [a]",
        "robots=[go2]",
        "robots [go2]",
        "- robots: [go2]",
        '"robots": [go2]',
        "{robots: [a]}",
    ],
)
def test_a_line_of_robots_that_cannot_be_read_is_no_key_and_frees_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "go2").write_text(f"the-key\n{line}\n")
    ring = KeyRing(tmp_path)
    ring.reload()
    assert ring.client("the-key") is None and ring.client(line) is None


def test_an_entry_may_say_which_robots_its_keys_are_for(tmp_path: Path) -> None:
    (tmp_path / "go2").write_text('old\nrobots: [go2-*, "spot-1"]\nnew\n')
    (tmp_path / "free").write_text("free-key")
    ring = KeyRing(tmp_path)
    ring.reload()
    assert ring.client("old") == ring.client("new") == "go2" and ring.client('robots: [go2-*, "spot-1"]') is None
    assert ring.robots("go2") == ("go2-*", "spot-1") and ring.robots("free") is None


def mount(folder: Path, generation: int, **entries: str) -> None:
    """The folder as the kubelet mounts a Secret: files are links by way of `..data`, which is swapped."""
    data = folder / f"..generation-{generation}"
    data.mkdir()
    for name, text in entries.items():
        (data / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..new").symlink_to(data.name)
    (folder / "..new").rename(folder / "..data")
    for path in folder.iterdir():
        if path.is_symlink() and not path.exists():
            path.unlink()


def test_with_a_prefix_only_its_entries_are_clients_named_by_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = {"qwen.default": "key-1", "qwen.page.view": "key-2", "qwen-robot.default": "key-3", "robot": "key-4"}
    mount(tmp_path, 1, **keys, **{"qwen.": "key-5", "other.default": "three\nbad\nkeys"})
    ring = KeyRing(tmp_path, "qwen.")
    assert ring.reload()
    assert ring.clients == ("default", "page.view")
    assert [ring.client(f"key-{number}") for number in range(1, 6)] == ["default", "page.view", None, None, None]
    assert "other" not in caplog.text, "another model's broken entry is not ours to tell"
    everything = KeyRing(tmp_path)
    everything.reload()
    assert everything.client("key-3") == "qwen-robot.default"


def test_a_mounted_folder_is_read_again_and_another_model_s_change_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mount(tmp_path, 1, **{"m.default": "old", "other.default": "theirs"})
    ring = KeyRing(tmp_path, "m.")
    ring.reload()
    mount(tmp_path, 2, **{"m.default": "old", "other.default": "changed", "other.new": "more"})
    assert not ring.reload()
    mount(tmp_path, 3, **{"m.default": "new", "m.bad": "", "other.default": "changed"})
    assert ring.reload()
    assert (ring.client("old"), ring.client("new"), ring.client("changed")) == (None, "default", None)
    assert "'m.bad'" in caplog.text, "named as its owner wrote it"
    mount(tmp_path, 4, **{"other.default": "changed"})
    assert ring.reload()
    assert (ring.clients, ring.client("new")) == ((), None)


@pytest.mark.parametrize(
    ("on_the_wire", "key"),
    [
        (b"Bearer abc", "abc"),
        (b"bearer  abc ", "abc"),
        ("Bearer schlüssel".encode(), "schlüssel"),
        ("Bearer schlüssel".encode("latin-1"), ""),
        ("Bearer voilà\t".encode(), "voilà"),
        ("Bearer ÅÅ".encode(), "ÅÅ"),
        (b"Basic abc", ""),
        (b"Bearer", ""),
        (b"", ""),
    ],
)
def test_the_key_of_a_header_is_utf8_on_the_wire(on_the_wire: bytes, key: str) -> None:
    assert bearer_key(on_the_wire.decode("latin-1")) == key
