"""The node script by itself: dash, a folder for the node's root, and a containerd that only dumps its configuration.

The stand-in for containerd drops runtimes under a plugin id that its version does not know, as the real one does
(facts wasm.md 0.1, seen with 1.6, 2.2 and 2.3); the full proof is on real containerd.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import platform
import shutil
import struct
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from aks_wasm.shims.installer import node_script

MACHINES = {"x86_64": ("amd64", 62), "aarch64": ("arm64", 183)}
ARCH, MACHINE = MACHINES.get(platform.machine(), ("", 0))
DASH = shutil.which("dash") or ""

pytestmark = pytest.mark.skipif(not (DASH and ARCH), reason="needs dash on x86-64 or arm64 Linux")

AKS_2404 = """version = 2
oom_score = -999
[plugins."io.containerd.cri.v1.images"]
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "pause:3.6"
[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "runc"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    BinaryName = "/usr/bin/runc"
    SystemdCgroup = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.untrusted]
    runtime_type = "io.containerd.runc.v2"
[metrics]
  address = "0.0.0.0:10257\""""  # no end of line, as it can be

AKS_2204 = """version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "pause:3.6"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""

# Prints the runtimes of the file under the id that this "version" reads, in the shape of `containerd config dump`.
CONTAINERD = """#!/bin/sh
[ "$1" = -c ] && [ "$3 $4" = "config dump" ] || exit 2
if grep -q BROKEN "$2"; then echo "containerd: broken" >&2; exit 1; fi
id=$(cat "$AKS_WASM_ROOT/known-id")
echo "version = 4"
grep -E "^ *\\[plugins\\.\\"$id\\"\\.containerd\\.runtimes\\." "$2" |
    sed "s/\\"$id\\"/'$id'/; s/runtimes\\.\\"\\([^\\"]*\\)\\"/runtimes.\\1/"
grep SystemdCgroup "$2"
exit 0
"""

# Fails to start as often as the file says, and notes each restart.
SYSTEMCTL = """#!/bin/sh
case "$1" in
    restart)
        echo restart >>"$AKS_WASM_ROOT/restarts"
        if [ -f "$AKS_WASM_ROOT/refuse" ] && grep -q aks-wasm "$AKS_WASM_ROOT/etc/containerd/config.toml"; then
            exit 1
        fi
        ;;
esac
exit 0
"""


@dataclass
class Node:
    """A folder that looks like a node."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "etc/containerd/config.toml"

    @property
    def restarts(self) -> int:
        notes = self.root / "restarts"
        return len(notes.read_text().splitlines()) if notes.exists() else 0

    def binary(self, handler: str) -> Path:
        return self.root / "opt/aks-wasm/shims" / handler / "containerd-shim-test-v1"

    def run(self, *lines: str) -> subprocess.CompletedProcess[str]:
        (self.root / "shims.tsv").write_text("".join(f"{line}\n" for line in lines))
        environment = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "AKS_WASM_ROOT": str(self.root),
        }
        return subprocess.run(
            [DASH, "-s", "--", str(self.root / "shims.tsv")],
            input=node_script(),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def left_behind(self) -> list[str]:
        return [path.name for path in (self.root / "opt/aks-wasm/shims").glob(".*")] + [
            path.name for path in self.config.parent.glob("*.aks-wasm-new")
        ]


def make_node(root: Path, config: str, known_id: str) -> Node:
    node = Node(root)
    node.config.parent.mkdir(parents=True)
    node.config.write_text(config)
    (root / "known-id").write_text(known_id)
    (root / "bin").mkdir()
    for name, text in (("containerd", CONTAINERD), ("systemctl", SYSTEMCTL)):
        path = root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    return node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path, AKS_2404, "io.containerd.cri.v1.runtime")


def elf(machine: int = MACHINE) -> bytes:
    return b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HH", 2, machine) + b"\0" * 40


def archive(content: bytes, name: str = "./containerd-shim-test-v1") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def line(node: Node, content: bytes, *, handler: str = "aks-wasm-test-v1", sha256: str = "", arch: str = ARCH) -> str:
    download = node.root / f"download-{handler}"
    download.write_bytes(content)
    total = sha256 or hashlib.sha256(content).hexdigest()
    return "\t".join(
        ("test", "v1", handler, "containerd-shim-test-v1", "linux", arch, f"file:///{download.name}", total)
    )


def test_a_shim_gets_onto_a_node_of_aks_2404(node: Node) -> None:
    done = node.run(
        line(node, archive(elf())),
        line(node, b"x", handler="other-arch", arch="riscv64").replace("other-arch", "aks-wasm-test-v1"),
    )
    assert done.returncode == 0, done.stderr
    text = node.config.read_text()
    assert text.startswith(AKS_2404 + "\n")
    assert '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes."aks-wasm-test-v1"]' in text
    assert 'runtime_type = "/opt/aks-wasm/shims/aks-wasm-test-v1/containerd-shim-test-v1"' in text
    assert text.rstrip().endswith("# end aks-wasm aks-wasm-test-v1")
    assert "SystemdCgroup = true\n# end" in text
    assert node.binary("aks-wasm-test-v1").read_bytes() == elf()
    assert os.access(node.binary("aks-wasm-test-v1"), os.X_OK)
    assert node.restarts == 1
    assert node.config.with_name("config.toml.aks-wasm-backup").read_text() == AKS_2404
    assert node.left_behind() == []


def test_an_older_node_gets_the_older_plugin_id_and_its_cgroup_driver(tmp_path: Path) -> None:
    node = make_node(tmp_path, AKS_2204, "io.containerd.grpc.v1.cri")
    assert node.run(line(node, archive(elf()))).returncode == 0
    text = node.config.read_text()
    assert '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes."aks-wasm-test-v1"]' in text
    assert "SystemdCgroup = false" in text


def test_a_second_run_changes_and_restarts_nothing(node: Node) -> None:
    wanted = (line(node, archive(elf())), line(node, archive(elf()), handler="aks-wasm-test-v2"))
    assert node.run(*wanted).returncode == 0
    before = node.config.read_text()
    again = node.run(*wanted)
    assert again.returncode == 0
    assert "as it should be" in again.stderr
    assert node.config.read_text() == before
    assert node.restarts == 1


def test_a_further_shim_leaves_the_earlier_one_in_place(node: Node) -> None:
    assert node.run(line(node, archive(elf()))).returncode == 0
    assert node.run(line(node, archive(elf()), handler="aks-wasm-test-v2")).returncode == 0
    text = node.config.read_text()
    assert text.count("# begin aks-wasm") == 2
    assert node.restarts == 2


def test_a_bare_binary_needs_no_archive(node: Node) -> None:
    assert node.run(line(node, elf())).returncode == 0
    assert node.binary("aks-wasm-test-v1").exists()


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (archive(elf()), {"sha256": "0" * 64}, "SHA-256 differs"),
        (archive(elf()), {"sha256": "12"}, "is not known"),
        (archive(elf(machine=243)), {}, "for another processor"),
        (archive(b"<html>not found</html>"), {}, "is not a Linux program"),
        (archive(elf(), "readme.txt"), {}, "is not in the archive"),
        (archive(elf()), {"arch": "riscv64"}, f"has no binary for {ARCH}"),
    ],
)
def test_a_bad_download_changes_nothing(node: Node, content: bytes, options: dict[str, str], said: str) -> None:
    done = node.run(line(node, content, **options))
    assert done.returncode == 1
    assert said in done.stderr
    assert node.config.read_text() == AKS_2404
    assert node.restarts == 0
    assert not node.binary("aks-wasm-test-v1").exists()
    assert node.left_behind() == []


def test_a_download_that_fails_changes_nothing(node: Node) -> None:
    text = line(node, archive(elf()))
    (node.root / "download-aks-wasm-test-v1").unlink()
    done = node.run(text)
    assert (done.returncode, node.restarts) == (1, 0)
    assert "cannot fetch" in done.stderr


def test_a_runtime_that_containerd_would_drop_is_noticed_before_any_restart(tmp_path: Path) -> None:
    node = make_node(tmp_path, AKS_2204, "io.containerd.cri.v1.runtime")
    done = node.run(line(node, archive(elf())))
    assert done.returncode == 1
    assert "would not have the runtime aks-wasm-test-v1" in done.stderr
    assert node.config.read_text() == AKS_2204
    assert node.restarts == 0


def test_a_node_whose_configuration_is_broken_already_is_left_alone(tmp_path: Path) -> None:
    node = make_node(tmp_path, AKS_2404 + "\n# BROKEN\n", "io.containerd.cri.v1.runtime")
    done = node.run(line(node, archive(elf())))
    assert done.returncode == 1
    assert "cannot read" in done.stderr
    assert node.restarts == 0


def test_a_containerd_that_does_not_come_back_gets_its_old_configuration(node: Node) -> None:
    (node.root / "refuse").touch()
    done = node.run(line(node, archive(elf())))
    assert done.returncode == 1
    assert "rolled back" in done.stderr
    assert node.config.read_text() == AKS_2404
    assert node.restarts == 2
    assert node.left_behind() == []


def test_a_node_without_a_configuration_gets_one(tmp_path: Path) -> None:
    node = make_node(tmp_path, "", "io.containerd.grpc.v1.cri")
    node.config.unlink()
    assert node.run(line(node, archive(elf()))).returncode == 0
    assert node.config.read_text().startswith("version = 2\n")
