"""A run that is killed at any of its steps, a disk that is full, a containerd that does not come back."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.unit.shims.node_script.machines import AKS_2404, SHELL, Node, elf, error_of

# What changes the node; a kill between two of them is like one just before the second.
TOOLS = ("mv", "rm", "cp", "mkdir", "rmdir", "sync", "systemctl", "containerd", "ctr", "cmp")
STARTS, STRIDE = 4, 31  # each case is killed at every 31st call, each beginning at another one
KILLER = """#!/bin/sh
read -r count <"$AKS_WASM_ROOT/calls"
echo $((count + 1)) >"$AKS_WASM_ROOT/calls"
read -r at <"$AKS_WASM_ROOT/kill-at"
if [ $((count + 1)) = "$at" ]; then
    read -r _ _ _ _ _ session _ </proc/$$/stat
    kill -KILL -- -$session 0 # `timeout` makes a group of its own
fi
exec {real} "$@"
"""


def watched(node: Node) -> Path:
    """Put before each tool a program that counts its calls, and kills the whole run at one of them."""
    folder = node.root / "watched"
    folder.mkdir()
    for tool in TOOLS:
        own = node.root / "usr/bin" / tool
        if own.exists():
            real = own.rename(own.with_name(f"real-{tool}"))
            target = own
        else:
            real = Path(shutil.which(tool) or tool)
            target = folder / tool
        target.write_text(KILLER.format(real=real))
        target.chmod(0o755)
    return folder


def cut_run(node: Node, verb: str, folder: Path, at: int) -> int:
    """Run, and be killed at that call; return how it ended."""
    (node.root / "calls").write_text("0\n")
    (node.root / "kill-at").write_text(f"{at}\n")
    environment = node.its_environment()
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    done = subprocess.run(
        [SHELL, str(node.script()), verb, str(node.folder)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    (node.root / "kill-at").write_text("0\n")
    return done.returncode


@pytest.mark.parametrize("first", range(STARTS))
@pytest.mark.parametrize("verb", ["install", "remove"])
def test_the_next_run_converges_whatever_the_cut_left(tmp_path: Path, verb: str, first: int) -> None:
    node = Node.of(tmp_path / "node")
    before = node.files()
    node.wants(node.line(elf()))
    if verb == "remove":
        assert node.run("install").returncode == 0
    folder = watched(node)
    at, ended = 1 + first * (STRIDE // STARTS), -signal.SIGKILL
    while ended != 0:  # the end of a tool alone is an error, not the end of the run
        ended = cut_run(node, verb, folder, at)
        text = node.config.read_text()
        assert text == AKS_2404 or text.endswith("# end aks-wasm\n")
        at += STRIDE
    assert ended == 0
    done = node.run(verb)
    assert done.returncode == 0, done.stderr
    if verb == "install":
        assert node.report()["healthy"] is True
        assert node.run("remove").returncode == 0
    assert node.files() == before


def test_a_cut_between_files_and_restart_is_followed_by_a_restart(node: Node) -> None:
    node.wants(node.line(elf()))
    folder = watched(node)
    (node.root / "usr/bin/systemctl").write_text(
        f'#!/bin/sh\nif [ "$1" = restart ]; then pkill -KILL -s 0; fi\nexec {node.root}/usr/bin/real-systemctl "$@"\n'
    )
    assert cut_run(node, "install", folder, 0) == -signal.SIGKILL
    assert "# begin aks-wasm" in node.config.read_text()
    report = node.report()
    assert (report["healthy"], report["error"]) == (False, "a change was cut short")
    (node.root / "usr/bin/real-systemctl").rename(node.root / "usr/bin/systemctl")
    done = node.run("install")
    assert "an earlier run was cut short" in done.stderr
    assert (done.returncode, node.restarts) == (0, 1)
    assert node.report()["healthy"] is True


def test_a_containerd_that_does_not_come_back_gets_its_old_configuration(node: Node) -> None:
    (node.root / "refuse").touch()
    error = error_of(node.run("install", node.line(elf())))
    assert error.startswith("RolledBack: containerd did not come back with the new configuration (Job for")
    assert node.config.read_text() == AKS_2404
    assert node.restarts == 2
    assert list(node.config.parent.iterdir()) == [node.config]
    (node.root / "refuse").unlink()
    assert node.run("install").returncode == 0
    assert node.report()["healthy"] is True


def test_what_failed_twice_is_tried_once_an_hour(node: Node) -> None:
    (node.root / "refuse").touch()
    node.wants(node.line(elf()))
    for _ in range(2):
        error_of(node.run("install"))
    assert "it is tried once an hour" in error_of(node.run("install"))
    assert node.restarts == 4
    (node.root / "refuse").unlink()
    refused = node.root / "run/aks-wasm/refused"
    key, since, times = refused.read_text().split()
    refused.write_text(f"{key} {int(since) - 3601} {times}\n")
    assert node.run("install").returncode == 0


def test_a_containerd_that_never_comes_back_is_told(node: Node) -> None:
    (node.root / "refuse-all").touch()
    error = error_of(node.run("install", node.line(elf())))
    assert error.startswith("RestartFailed: containerd does not come back with its old configuration either")
    assert node.config.read_text() == AKS_2404


def test_a_runtime_that_containerd_would_drop_is_noticed_before_any_restart(node: Node) -> None:
    real = node.root / "usr/bin/containerd"
    real.rename(real.with_name("real-containerd"))
    node.program("containerd", f'#!/bin/sh\n{real.with_name("real-containerd")} "$@" | grep -v test-v1\n')
    error = error_of(node.run("install", node.line(elf())))
    assert error == "HandlerDropped: with the new configuration containerd would not have the handler test-v1"
    assert (node.config.read_text(), node.restarts) == (AKS_2404, 0)


def test_a_setting_that_would_be_lost_is_noticed_before_any_restart(node: Node) -> None:
    real = node.root / "usr/bin/containerd"
    real.rename(real.with_name("real-containerd"))
    drop = 'if grep -q aks-wasm "$2"; then filter=SystemdCgroup; else filter=none; fi'
    node.program("containerd", f'#!/bin/sh\n{drop}\n{real.with_name("real-containerd")} "$@" | grep -v "$filter"\n')
    error = error_of(node.run("install", node.line(elf())))
    assert error == (
        "HandlerDropped: with the new configuration containerd would no longer have "
        "`plugins.io.containerd.cri.v1.runtime.containerd.runtimes.runc.options SystemdCgroup = true`"
    )
    assert (node.config.read_text(), node.restarts) == (AKS_2404, 0)


def test_an_unwritable_disk_leaves_all_as_it_was(node: Node) -> None:
    before = node.files()
    node.program(
        "mkdir",
        '#!/bin/sh\ncase "$*" in *aks-wasm/.work*) echo "No space left" >&2; exit 1 ;; esac\nexec /bin/mkdir "$@"\n',
    )
    node.program("df", "#!/bin/sh\necho head; echo 'disk 100 100 0 100% /'\n")
    assert error_of(node.run("install", node.line(elf()))) == "DiskFull: no room left on the node's disk below /opt"
    assert node.files() == before
