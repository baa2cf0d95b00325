"""The pure parts of the local cluster: what decides a build, which process is ours, what is put back."""

import ipaddress
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from localkube import archive, binaries, control_plane, dns, layout, node, packages, processes, sysctl
from localkube.__main__ import backend
from localkube.report import Failure


def test_every_program_of_the_cluster_is_built_from_a_module_with_sums() -> None:
    programs = {program for tool in binaries.TOOLS for program in tool.programs}
    assert programs >= {"etcd", "kube-apiserver", "kubelet", "kubectl", "coredns", "helm", "pause"}
    for tool in binaries.TOOLS:
        assert (tool.folder / "go.mod").exists()
        if tool.name != "pause":
            assert (tool.folder / "go.sum").stat().st_size > 0


def test_the_hash_changes_with_any_input_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "TOOLS_DIR", tmp_path)
    folder = tmp_path / "thing"
    folder.mkdir()
    (folder / "go.mod").write_text("module thing\n")
    tool = binaries.Tool("thing", ("thing",))
    first = binaries.input_hash(tool)
    assert binaries.input_hash(tool) == first
    (folder / "go.mod").write_text("module thing2\n")
    second = binaries.input_hash(tool)
    other_flags = binaries.input_hash(binaries.Tool("thing", ("thing",), flags=("a=b",)))
    assert len({first, second, other_flags}) == 3


def test_an_unknown_program_is_an_error() -> None:
    with pytest.raises(KeyError):
        binaries.path_of("no-such-program")


def test_a_process_is_known_by_more_than_its_number() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        ticks = processes.start_ticks(child.pid)
        assert ticks is not None
        record = processes.Record(child.pid, ticks, processes.boot_id())
        assert processes.is_alive(record)
        assert not processes.is_alive(processes.Record(child.pid, ticks + 1, processes.boot_id())), "number used again"
        assert not processes.is_alive(processes.Record(child.pid, ticks, "another boot"))
    finally:
        child.kill()
        child.communicate()
    assert not processes.is_alive(record)


def test_a_zombie_is_not_alive(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_text("7 (a (strange) name) Z 1 " + " ".join(["0"] * 30))
    assert processes.start_ticks(7, tmp_path) is None
    assert processes.start_ticks(8, tmp_path) is None


def test_a_broken_record_is_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3VL_STATE", str(tmp_path))
    (tmp_path / "pid").mkdir()
    (tmp_path / "pid/etcd.json").write_text("{half")
    assert processes.find("etcd") is None
    processes.stop("etcd")
    assert not (tmp_path / "pid/etcd.json").exists()


def test_kernel_settings_are_put_back_and_recorded_once(tmp_path: Path) -> None:
    root, record = tmp_path / "sys", tmp_path / "state/sysctl.json"
    for name, value in zip(sysctl.CHANGED_BY_KUBELET, ("0", "1", "0"), strict=True):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{value}\n")
    sysctl.save(root, record)
    (root / "kernel/panic").write_text("10")
    sysctl.save(root, record)  # a second `up` must not record the kubelet's value
    sysctl.restore(root, record)
    assert (root / "kernel/panic").read_text() == "1"
    assert not record.exists()
    sysctl.restore(root, record)


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read()


def test_an_image_archive_is_what_containerd_takes_and_the_same_each_time(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF")
    for name in ("one.tar", "two.tar"):
        archive.write(tmp_path / name, name="localhost/x:1", files={"/binary": binary}, entrypoint=["/binary"])
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        manifest = json.loads(_content(tar, "manifest.json"))[0]
        config = json.loads(_content(tar, manifest["Config"]))
        with tarfile.open(fileobj=tar.extractfile(manifest["Layers"][0])) as layer:
            assert layer.getmember("binary").mode == 0o755
    assert manifest["RepoTags"] == ["localhost/x:1"]
    assert config["config"]["User"] == "65532:65532", "numeric, or runAsNonRoot cannot be checked"


def test_mounts_are_found_below_the_folder_alone_and_deepest_first(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    lines = ("a /state/x ext4 rw 0 0", "b /state/x/y ext4 rw 0 0", "c /statement ext4 rw 0 0", "d / ext4 rw 0 0")
    mounts.write_text("\n".join(lines))
    assert node.mounts_below(Path("/state"), mounts) == ["/state/x/y", "/state/x"]


def test_addresses_of_pods_services_and_nodes_do_not_overlap() -> None:
    networks = [ipaddress.IPv4Network(cidr) for cidr in (layout.CLUSTER_CIDR, layout.SERVICE_CIDR)]
    networks.append(ipaddress.IPv4Interface(f"{layout.NODE_ADDRESS}/{layout.LINK_PREFIX}").network)
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)
    assert ipaddress.ip_address(layout.DNS_ADDRESS) in networks[1]
    assert ipaddress.IPv4Network(layout.POD_CIDR).subnet_of(networks[0])


def test_configurations_are_json_and_name_each_other(tmp_path: Path) -> None:
    for text in (node.kubelet_config(tmp_path), node.proxy_config(tmp_path), node.cni_config(tmp_path)):
        assert json.loads(text)
    items = {item["kind"]: item for item in json.loads(dns.manifests())["items"]}
    assert items["Service"]["spec"]["clusterIP"] == layout.DNS_ADDRESS
    assert json.loads(node.kubelet_config(tmp_path))["clusterDNS"] == [layout.DNS_ADDRESS]
    flags = control_plane.apiserver_arguments(tmp_path, control_plane.LOCAL)
    assert f"--etcd-servers=http://127.0.0.1:{control_plane.LOCAL.etcd_port}" in flags


def test_the_serving_certificate_has_every_name_that_pods_use() -> None:
    names = control_plane.certificate_subjects("10.1.2.3")["apiserver"][1]
    for part in ("IP:10.1.2.3", f"IP:{layout.KUBERNETES_SERVICE_ADDRESS}", "DNS:kubernetes.default.svc"):
        assert part in names.split(",")


def test_only_packages_whose_program_is_missing_are_installed() -> None:
    assert packages.missing({sys.executable: "python", "no-such-program-anywhere": "thing"}) == ["thing"]


def test_the_backend_is_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3VL_CLUSTER", "current")
    assert backend() == "current"
    monkeypatch.setenv("QWEN3VL_CLUSTER", "moon")
    with pytest.raises(Failure, match="moon") as caught:
        backend()
    assert "local, current" in str(caught.value)


def test_the_cache_and_state_folders_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QWEN3VL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("QWEN3VL_STATE", str(tmp_path / "state"))
    assert layout.cache_dir() == tmp_path / "cache"
    assert layout.state_dir() == tmp_path / "state"
    assert processes.log_path("etcd").parent == tmp_path / "state/log"


def test_a_failure_shows_the_end_of_the_log_and_what_to_do(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(str(number) for number in range(100)))
    text = str(Failure("it broke", "mend it", log))
    assert "it broke" in text
    assert "| 99" in text
    assert "| 10\n" not in text
    assert "what to do: mend it" in text
    assert os.fspath(log) in text
