"""A folder that looks like a node, for the script to work on: stand-ins for containerd, systemctl, ctr and kubectl.

The stand-ins keep state as the real ones do; the proof on the real ones is in tests/e2e/nodes.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from aks_wasm.shims.installer.node import node_script

STANDINS = Path(__file__).parent / "standins"
ELF_MACHINES = {"x86_64": ("amd64", 62), "aarch64": ("arm64", 183)}
ARCH, MACHINE = ELF_MACHINES.get(platform.machine(), ("", 0))
SHELL = shutil.which("dash") or ""
BINARY = "containerd-shim-test-v1"
NODE = "aks-wasm-1"

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
  address = "0.0.0.0:10257"
"""

AKS_2204 = """version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "pause:3.6"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
"""


@dataclass
class Node:
    """The node: its root, and what the script is told."""

    root: Path
    path: str = os.environ["PATH"]
    answers: ClassVar[Path]
    """For all tests of a worker: what the stand-in for containerd has worked out, and folders of programs."""

    @classmethod
    def of(cls, root: Path, config: str | None = AKS_2404, release: str = "2.3.4") -> Node:
        node = cls(root)
        for folder in ("etc/containerd", "usr/bin", "run", "opt", "folder", "etc/kubernetes"):
            (root / folder).mkdir(parents=True)
        if config is not None:
            node.config.write_text(config)
        (root / "release").write_text(release)
        (root / "etc/kubernetes/kubelet.conf").touch()
        for name in ("lease", "labels", "pods"):
            (root / name).touch()
        (root / "lease").write_text("1||\n")
        for file in STANDINS.iterdir():
            if file.is_file():
                text = file.read_text()
                head = "" if text.startswith("#!") else f"#!{sys.executable} -SEs\n"
                node.program(file.name, head + text)
        node.settings()
        return node

    def program(self, name: str, text: str) -> None:
        path = self.root / "usr/bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def settings(self, **settings: str) -> None:
        lines = {"turns": "0", "namespace": "aks-wasm-system", **settings}
        (self.folder / "settings").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))

    def fetches_with(self, name: str) -> None:
        """Leave of the programs that download only this one: `curl`, `wget`, or busybox's `busybox wget`."""
        tools = self.answers / name.replace(" ", "-")
        self.path = str(tools)
        if tools.exists():
            return
        program, _, applet = name.partition(" ")
        found = {file.name: file for place in reversed(os.environ["PATH"].split(":")) for file in Path(place).glob("*")}
        kept = {other: file for other, file in found.items() if other not in {"curl", "wget"} - {program}}
        if applet:
            kept[applet] = found[program]
        tools.mkdir()
        for other, file in kept.items():
            (tools / other).symlink_to(file)

    @property
    def folder(self) -> Path:
        return self.root / "folder"

    @property
    def config(self) -> Path:
        return self.root / "etc/containerd/config.toml"

    @property
    def restarts(self) -> int:
        notes = self.root / "restarts"
        return len(notes.read_text().splitlines()) if notes.exists() else 0

    def binary(self, version: str = "v1", name: str = "test") -> Path:
        return self.root / "opt/aks-wasm" / name / version / BINARY

    def drop_ins(self) -> Path:
        """Make the folder that `imports` names."""
        folder = self.root / "etc/containerd/conf.d"
        folder.mkdir()
        return folder

    def runs(self, pid: int, sandbox: str = "") -> Callable[[], None]:
        """Have a process that runs the binary, for a pod's sandbox or on its own; return what ends it."""
        process = self.root / f"proc/{pid}"
        process.mkdir(parents=True)
        (process / "exe").symlink_to(f"/opt/aks-wasm/test/v1/{BINARY}")
        words = [BINARY, "-namespace", "k8s.io", "-id", sandbox] if sandbox else [BINARY]
        (process / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))
        return partial(shutil.rmtree, process)

    def wants(self, *lines: str) -> None:
        (self.folder / "shims.tsv").write_text("".join(f"{line}\n" for line in lines))

    def run(self, verb: str, *lines: str, shell: str = SHELL, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a verb; the list becomes `lines` unless it is there and none are given."""
        if lines or not (self.folder / "shims.tsv").exists():
            self.wants(*lines)
        return subprocess.run(
            [*shell.split(), str(self.script()), verb, str(self.folder)],
            env=self.its_environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def script(self) -> Path:
        script = self.folder / "node-script.sh"
        script.write_text(node_script())
        return script

    def its_environment(self, **more: str) -> dict[str, str]:
        first = self.root / "usr/bin"
        own = {"AKS_WASM_ROOT": str(self.root), "AKS_WASM_ANSWERS": str(self.answers), "NODE_NAME": NODE}
        return {"PATH": f"{first}:{self.path}", **own, **more}

    def report(self) -> dict[str, Any]:
        """Return what `check` says."""
        document: dict[str, Any] = json.loads(self.run("check").stdout)
        return document

    def files(self) -> Mapping[str, tuple[bytes, int]]:
        """Return content and mode of the files that a node keeps, so that before and after can be compared."""
        kept = [path for top in ("etc", "opt") for path in (self.root / top).rglob("*")]
        return {
            str(path.relative_to(self.root)): (
                path.read_bytes() if path.is_file() else b"",
                stat.S_IMODE(path.stat().st_mode),
            )
            for path in kept
        }

    def download(self, content: bytes, name: str = "download") -> str:
        """Lay a file on the node; return its location."""
        (self.root / name).write_bytes(content)
        return f"file:///{name}"

    def line(self, content: bytes, handler: str = "test-v1", version: str = "v1", **changed: str) -> str:
        """Lay the file down and return the list's line for it."""
        fields = {
            "name": "test", "version": version, "handler": handler, "binary": BINARY, "os": "linux", "arch": ARCH,
            "location": self.download(content, f"download-{handler}"),
            "sha256": hashlib.sha256(content).hexdigest(),
        }  # fmt: skip
        return "\t".join((fields | changed).values())


def elf(machine: int = MACHINE, tail: bytes = b"") -> bytes:
    return b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack("<HH", 2, machine) + b"\0" * 40 + tail


def archive(content: bytes, *names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in names or (f"./{BINARY}",):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line, which names the cause."""
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("aks-wasm: error: "), done.stderr
    return last.removeprefix("aks-wasm: error: ")
