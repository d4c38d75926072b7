"""One node by itself: a container of the bench's node image with systemd and containerd, no Kubernetes."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aks_wasm.shims.installer.node import node_script
from e2e.archives import Image, write_archive
from e2e.artefacts import Recipe, folder_of
from e2e.places import CHECKOUT, Places
from e2e.recipes.go_programs import CONTAINERD
from e2e.recipes.node_programs import CONTAINERD_1_7, CONTAINERD_2_2, CRI
from tests.e2e.machine import Machine

RELEASES: Mapping[str, Recipe | None] = {"1.6": None, "1.7": CONTAINERD_1_7, "2.2": CONTAINERD_2_2, "2.3": CONTAINERD}
PROBE = "bench.local/probe:1"
WEB = "bench.local/web:1"
BINARY = "containerd-shim-wasmtime-v1"
SOURCES = Path(__file__).parent / "configurations"
SECONDS = 200
READY = """
for _ in $(seq 300); do
    if systemctl is-active --quiet containerd && ctr version >/dev/null 2>&1; then exit 0; fi
    sleep 0.1
done
systemctl status containerd; exit 1
"""
_FILES = """
cd /
find etc/containerd opt ! -path 'opt/cni*' -printf '%p %y %m %u %l\\n' | sort
find etc/containerd opt -type f ! -path 'opt/cni*' -exec sha256sum {} + | sort -k 2
"""


@dataclass(frozen=True)
class Ran:
    """How a program in the node ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """What the script's last line names."""
        last = (self.err.splitlines() or [""])[-1]
        assert self.code == 1, self
        assert last.startswith("aks-wasm: error: "), self.err
        return last.removeprefix("aks-wasm: error: ")


@dataclass(frozen=True)
class Node:
    """A running node; `given` is a folder of this machine that it sees as /given."""

    machine: Machine
    name: str
    given: Path

    def run(self, *command: str, **environment: str) -> Ran:
        words = [word for key, value in environment.items() for word in ("--env", f"{key}={value}")]
        done = subprocess.run(
            ["docker", "exec", *words, self.name, *command],
            env=self.machine.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str) -> str:
        done = self.run("bash", "-euc", script)
        assert done.code == 0, f"{script}\n{done.out}\n{done.err}"
        return done.out

    def script(self, verb: str, *lines: str, shell: str = "sh", **environment: str) -> Ran:
        """Run the node script; for `install` the lines are the list."""
        if verb == "install":
            (self.given / "shims.tsv").write_text("".join(f"{line}\n" for line in lines))
        told = {"NODE_NAME": self.name, **environment}
        return self.run(*shell.split(), "/given/node-script.sh", verb, "/given", **told)

    def report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.script("check").out)
        return document

    def configure(self, text: str | None, drop_ins: Mapping[str, str] | None = None) -> None:
        """Give it another configuration and restart containerd; None takes the file away."""
        folder = self.given / "etc-containerd"
        subprocess.run(["rm", "-rf", folder], check=True)
        folder.mkdir()
        if text is not None:
            (folder / "config.toml").write_text(text)
        if drop_ins is not None:
            (folder / "conf.d").mkdir()
            for name, content in drop_ins.items():
                (folder / "conf.d" / name).write_text(content)
        keep = "find /etc/containerd -mindepth 1 ! -name cri-base.json -delete"
        self.sh(f"{keep}; cp -r /given/etc-containerd/. /etc/containerd/; chown -R root: /etc/containerd")
        self.sh(f"systemctl restart containerd; {READY}")

    @property
    def pause(self) -> str:
        """The sandbox image that is in the node."""
        return self.sh("ctr --namespace k8s.io images list -q | grep /pause:").split()[0]

    def files(self) -> str:
        """Return what lies in the folders that the script may write to, with modes, owners and sums."""
        return self.sh(_FILES)

    def dump(self) -> str:
        """Return containerd's effective configuration; 1.7 names imported files in another order each time."""
        return self.sh("containerd config dump | grep -v ^imports")

    def handlers(self) -> set[str]:
        return set(re.findall(r"containerd\.runtimes\.([\w-]+)\]", self.dump()))

    def cri(self, *words: str) -> Ran:
        return self.run("/given/cri", *words)

    def wasm(self, handler: str) -> str:
        """Run the probe through a handler; return what it printed."""
        done = self.cri("run", handler, PROBE)
        assert done.code == 0, done
        return done.out.strip()

    def state(self, name: str) -> str:
        """Return state and process of a container that was started."""
        return self.cri("state", name).out.strip()

    def run_by(self, place: str) -> str:
        """Return the command lines of the processes whose program is below a folder."""
        listed = f"ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's,.*/proc/\\([0-9]*\\)/exe -> {place}.*,\\1,p'"
        return self.sh(f"for pid in $({listed}); do ps -o pid=,ppid=,args= -p $pid; cat /proc/$pid/cgroup; done")

    def containerd(self) -> str:
        """Return what tells one run of containerd from the next."""
        return self.sh("systemctl show -p MainPID,ActiveState containerd | sort").replace("\n", " ").strip()

    def line(self, handler: str = "aks-wasm-test-v1", version: str = "v1", **changed: str) -> str:
        """Return the list's line for the bench's shim."""
        file = self.given / BINARY
        fields = {
            "name": "test", "version": version, "handler": handler, "binary": BINARY, "os": "linux", "arch": "amd64",
            "location": f"file:///given/{BINARY}", "sha256": sum_of(file),
        }  # fmt: skip
        return "\t".join((fields | changed).values())


def sum_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def node_of(machine: Machine, release: str, folder: Path, *options: str) -> Iterator[Node]:
    """Start a node with that containerd; its configuration is kind's. It is gone afterwards."""
    name = f"bare-node-{release.replace('.', '-')}-{folder.name[-6:].strip('_').lower()}"
    given = folder / "given"
    given.mkdir()
    node = Node(machine, name, given)
    _fill(node)
    docker = machine.docker
    docker("rm", "--force", "--volumes", name, check=False)
    docker("network", "rm", name, check=False)
    docker("network", "create", name)  # one of its own has the engine's resolver, which the node's entrypoint wants
    try:
        docker(
            "create", f"--network={name}", "--name", name, "--hostname", name, "--privileged", "--cgroupns=private",
            "--tty",
            "--tmpfs=/tmp", "--tmpfs=/run", "--volume=/var", "--volume=/lib/modules:/lib/modules:ro",
            f"--volume={given}:/given", "--volume=/dev/null:/etc/systemd/system/kubelet.service:ro", *options,
            machine.node_image("containerd1"),
        )  # fmt: skip
        recipe = RELEASES[release]
        if recipe:
            docker("cp", f"{folder_of(recipe, Places(machine.root))}/.", f"{name}:/usr/local/bin/")
        docker("start", name)
        node.sh(READY)
        node.sh(
            "for one in /given/*.tar; do ctr --namespace k8s.io images import --all-platforms --no-unpack $one; done"
        )
        yield node
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
        docker("network", "rm", name, check=False)


def _fill(node: Node) -> None:
    given = node.given
    (given / "node-script.sh").write_text(node_script())
    (given / "settings").write_text("turns=0\nlocal_image_pull=true\nnamespace=aks-wasm-system\n")
    (given / "shims.tsv").touch()
    subprocess.run(["cp", node.machine.shim, given / BINARY], check=True)
    subprocess.run(["cp", folder_of(CRI, Places(node.machine.root)) / "cri", given / "cri"], check=True)
    probe = CHECKOUT / "aks_wasm/hello/probe/probe.wasm"
    web = node.machine.apps / "web"
    write_archive(
        given / "images.tar",
        [
            Image(PROBE, {"app.wasm": probe}, "/app.wasm"),
            Image(WEB, {"web": web}, "/web"),
        ],
    )
