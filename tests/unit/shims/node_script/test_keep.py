"""The loop that looks after a node, and its turns and labels."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.shims.node_script.machines import BINARY, NODE, SHELL, Node, elf, error_of

SECONDS = 60  # only a run that fails takes them


@contextmanager
def keeping(node: Node) -> Iterator[Callable[[], dict[str, Any]]]:
    """Run `keep`; what it yields returns the next line it prints."""
    node.program("sleep", "#!/bin/sh\nexec /bin/sleep 0.05\n")
    process = subprocess.Popen(
        [SHELL, str(node.script()), "keep", str(node.folder)],
        env=node.its_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None

    def next_line() -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout else ""
        document: dict[str, Any] = json.loads(line)
        return document

    try:
        yield next_line
    finally:
        process.send_signal(signal.SIGTERM)
        _, words = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, words


def eventually(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_lost_is_mended_and_each_change_is_one_line(node: Node) -> None:
    healthy = node.root / "run/aks-wasm/healthy"
    node.wants(node.line(elf()))
    assert node.run("install").returncode == 0
    reimaged = node.config.read_text().partition("# begin")[0]
    with keeping(node) as line:
        first = line()
        assert first["healthy"] is True
        eventually(healthy.exists)
        node.config.write_text(reimaged)
        eventually(lambda: node.restarts == 2)
        eventually(lambda: "# begin aks-wasm" in node.config.read_text())
        node.binary().write_bytes(b"broken")
        eventually(lambda: node.binary().read_bytes() == elf())
        eventually(healthy.exists)
    assert not healthy.exists()
    assert node.restarts == 2


def test_a_node_that_cannot_be_mended_says_why(node: Node) -> None:
    content = node.line(elf())
    (node.root / "download-test-v1").unlink()
    node.wants(content)
    with keeping(node) as line:
        told = line()
    assert (told["healthy"], told["shims"][0]["ok"]) == (False, False)
    assert told["error"] == "NotFound: file:///download-test-v1 is not on this node"


def test_an_emptied_list_is_done_when_nothing_runs_any_more_and_says_who_still_does(node: Node) -> None:
    healthy = node.root / "run/aks-wasm/healthy"
    assert node.run("install", node.line(elf())).returncode == 0
    end_pod, end_other = node.runs(41, "sandbox-1"), node.runs(42)
    node.wants("")
    assert node.run("install").returncode == 0
    with keeping(node) as line:
        told = line()
        place = f"test/v1/{BINARY} is still run by"
        assert (told["healthy"], told["error"]) == (False, f"StillUsed: {place} pod shop/web-1; {place} process 42")
        end_pod()
        assert line()["error"] == f"StillUsed: {place} process 42"
        assert not healthy.exists()
        end_other()
        assert line()["healthy"] is True
        eventually(healthy.exists)
        assert not (node.root / "opt/aks-wasm").exists()


def test_what_still_runs_of_an_older_version_holds_up_nothing(node: Node) -> None:
    assert node.run("install", node.line(elf())).returncode == 0
    end = node.runs(41)
    node.wants(node.line(elf(tail=b"2"), "test-v2", "v2"))
    assert node.run("install").returncode == 0
    with keeping(node) as line:
        assert line()["healthy"] is True
        assert node.binary().exists()
        end()
        eventually(lambda: not node.binary().exists())


def test_labels_follow_the_probes_of_this_node(node: Node) -> None:
    labels, pods = node.root / "labels", node.root / "pods"
    labels.write_text("old-handler\n")
    pods.write_text("shim-probe-test-v1-abcde False\nshim-probe-other-x1y2z True\n")
    node.wants(node.line(elf()))
    assert node.run("install").returncode == 0
    with keeping(node):
        eventually(lambda: labels.read_text() == "")
        pods.write_text("shim-probe-test-v1-abcde True\n")
        eventually(lambda: labels.read_text() == "test-v1\n")
        pods.write_text("shim-probe-test-v1-abcde False\n")
        eventually(lambda: labels.read_text() == "")
        pods.write_text("shim-probe-test-v1-abcde True\n")
        eventually(lambda: labels.read_text() == "test-v1\n")
    calls = (node.root / "kubectl-calls").read_text()
    assert f"--field-selector spec.nodeName={NODE}" in calls
    assert "--kubeconfig " + str(node.root / "etc/kubernetes/kubelet.conf") in calls
    assert node.run("remove").returncode == 0
    assert labels.read_text() == ""


def with_turns(node: Node, lease: str) -> None:
    node.settings(turns="1")
    (node.root / "lease").write_text(lease + "\n")
    token = node.root / "var/lib/kubelet/pods/uid-1/volumes/kubernetes.io~projected/token"
    token.mkdir(parents=True)
    (token / "token").write_text("secret")


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def test_a_turn_is_taken_for_the_restart_and_given_back(node: Node) -> None:
    with_turns(node, "4||")
    systemctl = node.root / "usr/bin/systemctl"
    systemctl.rename(systemctl.with_name("real-systemctl"))
    keep = f'if [ "$1" = restart ]; then cp {node.root}/lease {node.root}/lease-at-restart; fi'
    node.program("systemctl", f'#!/bin/sh\n{keep}\nexec {systemctl.with_name("real-systemctl")} "$@"\n')
    done = node.run("install", node.line(elf()), POD_UID="uid-1")
    assert done.returncode == 0, done.stderr
    assert (node.root / "lease-at-restart").read_text().strip().endswith(f"|{NODE}")
    assert (node.root / "lease").read_text().strip().endswith("|")
    config = json.loads((node.root / "run/aks-wasm/turn.kubeconfig").read_text())
    assert config["users"][0]["user"]["tokenFile"].endswith("/kubernetes.io~projected/token/token")
    assert config["clusters"][0]["cluster"] == {"server": "https://api:443"}
    assert (node.root / "run/aks-wasm/turn.kubeconfig").stat().st_mode & 0o077 == 0


def test_the_turn_of_another_node_is_waited_for(node: Node) -> None:
    with_turns(node, f"4|{ago(1)}|other")
    give = f"echo '5||' >{node.root}/lease"
    node.program("sleep", f"#!/bin/sh\n{give}\n")
    done = node.run("install", node.line(elf()), POD_UID="uid-1")
    assert done.returncode == 0, done.stderr
    assert "waiting for a turn to restart containerd: shim-installer-0 is with other since" in done.stderr


def test_a_holder_of_more_than_ten_minutes_is_overtaken(node: Node) -> None:
    with_turns(node, f"4|{ago(11)}|other")
    assert node.run("install", node.line(elf()), POD_UID="uid-1").returncode == 0


def test_ones_own_turn_of_a_run_that_was_cut_is_taken_again(node: Node) -> None:
    with_turns(node, f"4|{ago(1)}|{NODE}")
    assert node.run("install", node.line(elf()), POD_UID="uid-1").returncode == 0


def test_a_turn_that_never_comes_is_told_and_nothing_is_restarted(node: Node) -> None:
    with_turns(node, f"4|{ago(-600)}|other")
    node.program("sleep", "#!/bin/sh\nexit 0\n")
    later = f"n=$(cat {node.root}/n 2>/dev/null || echo 0); echo $((n + 1)) >{node.root}/n"
    node.program(
        "date", f'#!/bin/sh\n{later}\n[ "$1" = +%s ] || exec /bin/date "$@"\nexpr $(/bin/date +%s) + $n \\* 300\n'
    )
    error = error_of(node.run("install", node.line(elf()), POD_UID="uid-1"))
    assert error.startswith("NoTurn: no turn to restart containerd came within half an hour: shim-installer-0 is with")
    assert node.restarts == 0


def test_no_token_means_no_turn(node: Node) -> None:
    with_turns(node, "4||")
    error = error_of(node.run("install", node.line(elf()), POD_UID="uid-2"))
    assert error == "NoTurn: the pod's token is not on this node"


def test_no_turn_is_taken_where_nothing_must_be_restarted(node: Node) -> None:
    assert node.run("install", node.line(elf())).returncode == 0
    with_turns(node, f"4|{ago(1)}|other")
    assert node.run("install", POD_UID="uid-1").returncode == 0
