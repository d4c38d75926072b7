"""What goes wrong on a real node: it keeps or gets back its old state, what runs goes on, and a second run succeeds."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.e2e.machine import Machine
from tests.e2e.nodes.node import BINARY, PROBE, READY, WEB, Node, node_of
from tests.e2e.nodes.test_matrix import AKS_2404, IMPORTS, V1

# A program before each tool in PATH: at the call that matches it ends the whole run, as a container's end does.
KILLER = """cat >/usr/local/sbin/{tool} <<'EOF'
#!/bin/sh
case "$*" in {pattern}) if [ -f /run/kill ]; then rm /run/kill; {first} pkill -KILL -s 0; fi ;; esac
exec /usr/bin/{tool} "$@"
EOF
chmod +x /usr/local/sbin/{tool}; touch /run/kill"""
AFTER = '/usr/bin/{tool} "$@";'
STEPS = {
    "checking a download": ("sha256sum", "*.work/download", ""),
    "placing a binary": ("mv", "*.work/binary*", ""),
    "after placing a binary": ("mv", "*.work/binary*", AFTER),
    "asking containerd": ("timeout", "*config.toml.aks-wasm-trial*", ""),
    "noting what is to change": ("cp", "-Rp*", ""),
    "handing over": ("systemd-run", "*", ""),
    "after handing over": ("systemd-run", "*", AFTER),
    "laying the new file beside the old": ("cp", "*config.toml.aks-wasm-new", AFTER),
    "swapping the file": ("mv", "*config.toml.aks-wasm-new*", ""),
    "after swapping the file": ("mv", "*config.toml.aks-wasm-new*", AFTER),
    "restarting": ("timeout", "*systemctl?restart*", ""),
    "after restarting": ("timeout", "*systemctl?restart*", AFTER),
    "waiting for containerd": ("timeout", "*plugins?ls*", ""),
    "telling the verdict": ("rm", "*state/pending*", ""),
}


class Server(BaseHTTPRequestHandler):
    """Serves files by name; `cut` in the path ends in the middle."""

    files: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        content = self.files.get(self.path.rpartition("/")[2])
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path.startswith("/cut/") else content)

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def node(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with node_of(machine, "2.3", tmp_path_factory.mktemp("faults")) as started:
        started.configure(AKS_2404.replace("@PAUSE@", started.pause))
        yield started


@pytest.fixture(scope="module")
def url(machine: Machine, node: Node) -> Iterator[str]:
    """Serve on the address that the engine's bridge has on this machine: what the node can reach, and nothing else."""
    template = "{{(index .IPAM.Config 0).Gateway}}"
    address = machine.docker("network", "inspect", "--format", template, node.name).strip()
    with ThreadingHTTPServer((address, 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://{address}:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def unharmed(node: Node) -> Iterator[Callable[[], None]]:
    """Look that a container lives on and the node is as before; at the end that an undisturbed run gets through."""
    files, dump = node.files(), node.dump()
    alive = node.cri("start", "alive", "-", WEB)
    assert alive.code == 0, alive

    def look() -> None:
        assert node.files() == files
        assert node.dump() == dump
        assert node.state("alive") == alive.out.strip()

    try:
        yield look
        second = node.script("install", node.line())
        assert second.code == 0, second.err
        assert node.wasm(V1) == "ok"
        removed = node.script("remove")
        assert removed.code == 0, removed.err
        look()
    finally:
        node.cri("end", "alive")


def test_a_download_from_a_server(node: Node, url: str, unharmed: Callable[[], None]) -> None:
    content = gzip.compress((node.given / BINARY).read_bytes(), 1)
    Server.files["shim.gz"] = content
    done = node.script("install", node.line(location=f"{url}/shim.gz", sha256=hashlib.sha256(content).hexdigest()))
    assert done.code == 0, done.err
    assert node.script("remove").code == 0
    unharmed()


@pytest.mark.parametrize(
    ("path", "changed", "code"),
    [
        ("shim", {"sha256": "0" * 64}, "HashMismatch: "),
        ("cut/shim", {}, "Truncated: "),
        ("absent", {}, "NotFound: "),
        ("arm64", {}, "WrongArchitecture: "),
        ("page", {}, "Unsupported: "),
    ],
)
def test_a_bad_download_changes_nothing(
    node: Node, url: str, unharmed: Callable[[], None], path: str, changed: dict[str, str], code: str
) -> None:
    shim = (node.given / BINARY).read_bytes()
    Server.files |= {"shim": shim, "arm64": shim[:18] + b"\xb7\0" + shim[20:], "page": b"<html>sign in</html>"}
    total = hashlib.sha256(Server.files.get(path, shim)).hexdigest()
    before = node.containerd()
    done = node.script("install", node.line(**{"location": f"{url}/{path}", "sha256": total} | changed))
    assert done.error.startswith(code)
    assert node.containerd() == before
    unharmed()


def test_what_still_runs_is_named_and_leaves_with_its_last_user(node: Node, unharmed: Callable[[], None]) -> None:
    assert node.script("install", node.line()).code == 0
    stays = node.cri("start", "stays", V1, PROBE, "stay")
    assert stays.code == 0, stays
    removed = node.script("remove")
    assert removed.code == 0, removed.err
    assert f"left until nothing runs it: test/v1/{BINARY} is still run by " in removed.err
    assert node.cri("end", "stays").code == 0
    assert node.script("remove").code == 0
    unharmed()


def test_a_full_disk_is_told_and_leaves_nothing_half_written(node: Node, unharmed: Callable[[], None]) -> None:
    node.sh("mkdir /opt/aks-wasm; mount -t tmpfs -o size=8m tmpfs /opt/aks-wasm")
    try:
        error = node.script("install", node.line()).error
        left = node.sh("ls -A /opt/aks-wasm")
    finally:
        node.sh("umount /opt/aks-wasm; rmdir /opt/aks-wasm")
    assert error == "DiskFull: no room left on the node's disk below /opt/aks-wasm/.work"
    assert left == ""
    unharmed()


def test_a_full_disk_of_the_configuration_is_told(node: Node, unharmed: Callable[[], None]) -> None:
    small = "mount -t tmpfs -o size=20k tmpfs /etc/containerd; cp -a /run/kept/. /etc/containerd/"
    node.sh(f"cp -a /etc/containerd /run/kept; {small}; head -c 20k /dev/zero >/etc/containerd/fill || true")
    try:
        error = node.script("install", node.line()).error
    finally:
        node.sh("umount /etc/containerd; rm -rf /run/kept; rm -rf /opt/aks-wasm")
    assert error == "DiskFull: no room left on the node's disk below /etc/containerd"
    unharmed()


def test_a_containerd_that_does_not_come_back_gets_its_old_configuration(
    node: Node, unharmed: Callable[[], None]
) -> None:
    folder = "/run/systemd/system/containerd.service.d"
    (node.given / "refusing.sh").write_text("! grep -rq 'begin aks-wasm' /etc/containerd\n")
    unit = "[Service]\\nExecStartPre=/bin/sh /given/refusing.sh\\n"
    node.sh(f"mkdir -p {folder}; printf '{unit}' >{folder}/x.conf")
    node.sh("systemctl daemon-reload")
    try:
        error = node.script("install", node.line()).error
    finally:
        node.sh(f"rm -r {folder}; systemctl daemon-reload")
    assert error.startswith("RolledBack: containerd did not come back with the new configuration (")
    node.sh("rm -rf /opt/aks-wasm")
    unharmed()


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_a_step_is_converged_by_the_next_run(node: Node, unharmed: Callable[[], None], step: str) -> None:
    tool, pattern, first = STEPS[step]
    node.sh(KILLER.format(tool=tool, pattern=pattern, first=first.format(tool=tool)))
    try:
        cut = node.script("install", node.line())
        killed = node.run("test", "-e", "/run/kill").code == 1
    finally:
        node.sh(f"rm -f /usr/local/sbin/{tool} /run/kill")
    assert killed, f"{step}: no call of {tool} matched {pattern}"
    assert cut.code != 0 or step == "telling the verdict"
    node.sh(READY)  # what was handed over goes on
    text = node.sh("cat /etc/containerd/config.toml")
    assert "# begin" not in text or "# end aks-wasm" in text
    second = node.script("install", node.line())
    assert second.code == 0, second.err
    assert node.report()["healthy"] is True
    assert node.script("remove").code == 0
    unharmed()


def test_a_node_that_comes_back_bare_is_healed(node: Node, figure: Callable[[str], None]) -> None:
    bare = node.sh("cat /etc/containerd/config.toml")
    assert node.script("install", node.line()).code == 0
    node.sh("NODE_NAME=n setsid sh /given/node-script.sh keep /given >/run/keep.log 2>&1 & echo $! >/run/keep.pid")
    try:
        _until(lambda: node.run("test", "-f", "/run/aks-wasm/healthy").code == 0)
        (node.given / "bare.toml").write_text(bare)
        node.sh("rm -rf /opt/aks-wasm; cp /given/bare.toml /etc/containerd/config.toml; systemctl restart containerd")
        began = time.monotonic()
        _until(lambda: V1 in node.handlers() and node.run("test", "-f", "/run/aks-wasm/healthy").code == 0)
        figure(f"a bare node healed by `keep`: {time.monotonic() - began:.0f} s (it looks every 30 s)")
        assert node.wasm(V1) == "ok"
    finally:
        node.sh("kill $(cat /run/keep.pid)")
    assert node.script("remove").code == 0


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_a_drop_in_that_is_cut_is_converged_too(node: Node, unharmed: Callable[[], None]) -> None:
    node.configure((IMPORTS + AKS_2404).replace("@PAUSE@", node.pause), {})
    files = node.files()
    node.sh(KILLER.format(tool="timeout", pattern="*systemctl?restart*", first=""))
    try:
        assert node.script("install", node.line()).code != 0
    finally:
        node.sh("rm -f /usr/local/sbin/timeout /run/kill")
    assert node.script("install", node.line()).code == 0
    assert node.script("remove").code == 0
    assert node.files() == files
    node.configure(AKS_2404.replace("@PAUSE@", node.pause))
