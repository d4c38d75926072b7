"""The bench's own container engine: started beside nothing else, kept on the machine, stopped by its own pid."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from e2e.artefacts import folder_of
from e2e.places import Places
from e2e.recipes.go_programs import RUNC_FIT

SECONDS_TO_START = 30
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# 128, a common default, is used up by about six nodes; kubelet then ends with "inotify_init: too many open files".
INOTIFY_INSTANCES = 1024
CAP_SYS_RESOURCE = 24
TEST_NODES = ("check-", "plain-", "up-", "bare-", "pools-", "engine-")  # the tests' clusters and nodes begin so
# How packets of other engines' nodes are known: Podman's bridges, nerdctl's addresses.
OTHERS = {"iptables": (("-i", "podman+"), ("-s", "10.4.0.0/16")), "ip6tables": (("-i", "podman+"), ("-s", "fc00::/7"))}


class NoEngine(Exception):
    """No container engine can run here; the message is the reason."""


def answers(places: Places) -> bool:
    """Tell whether the bench's engine runs."""
    asked = subprocess.run([*docker(places), "info"], capture_output=True, check=False)
    return asked.returncode == 0


def docker(places: Places) -> list[str]:
    """Return the client that belongs to Debian's engine, pointed at the bench's."""
    return ["/usr/bin/docker", "--host", places.docker_host]


def start(places: Places) -> bool:
    """Start the engine; return False when it ran already.

    Raises:
        NoEngine: Another engine runs, or this one does not start.
    """
    refuse_forwarding()
    if answers(places):
        return False
    others = subprocess.run(["pgrep", "-x", "dockerd"], capture_output=True, text=True, check=False).stdout.split()
    if others:
        raise NoEngine(f"another dockerd runs (process {others[0]}) and two would fight over iptables")
    if int(INOTIFY.read_text()) < INOTIFY_INSTANCES:
        INOTIFY.write_text(str(INOTIFY_INSTANCES))
    _mount_cgroups()
    places.engine.mkdir(parents=True, exist_ok=True)
    places.logs.mkdir(parents=True, exist_ok=True)
    command = ["dockerd", "--host", places.docker_host, "--pidfile", str(places.engine / "dockerd.pid")]
    command += ["--data-root", str(places.engine / "data"), "--exec-root", str(places.engine / "run")]
    command += ["--dns", "127.0.0.1"]  # else its resolver hands the nodes' questions on to the machine's
    command += _fitting_runtime(places)
    (places.engine / "dockerd.pid").unlink(missing_ok=True)
    with (places.logs / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while not answers(places):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise NoEngine(f"dockerd does not start: {_last_line(places.logs / 'dockerd.log')}")
        time.sleep(0.2)
    return True


def stop(places: Places) -> None:
    """Stop the engine this bench started, by its pid file, and take the forwarding rule back."""
    file = places.engine / "dockerd.pid"
    if not file.exists():
        return
    pid = int(file.read_text())
    if _is_engine(pid):
        os.kill(pid, signal.SIGTERM)
        while _is_engine(pid) and not _collected(pid):
            time.sleep(0.2)
    for program, table, *rule in _rules():
        subprocess.run([program, "-t", table, "-D", *rule], capture_output=True, check=False)


def remove_leftovers(places: Places) -> list[str]:
    """Remove the nodes and networks whose names begin as the tests' do; return the nodes' names."""
    if not answers(places):
        return []
    names = _of_tests(places, "ps", "--all", "--format={{.Names}}")
    networks = _of_tests(places, "network", "ls", "--format={{.Name}}")
    for remove, found in ((["rm", "--force", "--volumes"], names), (["network", "rm"], networks)):
        if found:
            subprocess.run([*docker(places), *remove, *found], capture_output=True, check=False)
    return names


def _of_tests(places: Places, *listing: str) -> list[str]:
    told = subprocess.run([*docker(places), *listing], capture_output=True, text=True, check=False).stdout
    return sorted(name for name in told.split() if name.startswith(TEST_NODES))


def refuse_forwarding() -> None:
    """Reject what would be forwarded out of the machine; before any node exists, since dockerd keeps the chain."""
    subprocess.run(["iptables", "-N", "DOCKER-USER"], capture_output=True, check=False)
    for program, table, *rule in _rules():
        if subprocess.run([program, "-t", table, "-C", *rule], capture_output=True, check=False).returncode:
            done = subprocess.run([program, "-t", table, "-I", *rule], capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoEngine(f"forwarding out of the machine cannot be refused: {done.stderr.strip()}")


def _rules() -> list[list[str]]:
    told = subprocess.run(["ip", "-o", "route", "show", "default"], capture_output=True, text=True, check=False)
    words = told.stdout.split()
    if "dev" not in words:
        return []  # no way out
    device = words[words.index("dev") + 1]
    rules = [["iptables", "filter", "DOCKER-USER", "-o", device, "-j", "REJECT"]]
    programs = ["iptables"]
    if Path("/proc/net/if_inet6").exists():  # kind's network has IPv6 too, where dockerd keeps no such chain
        rules.append(["ip6tables", "filter", "FORWARD", "-o", device, "-j", "REJECT"])
        programs.append("ip6tables")
    # Other engines keep no such chain at all and put their own rules first; mangle comes before all of them.
    for program in programs:
        rules += [[program, "mangle", "FORWARD", *source, "-o", device, "-j", "DROP"] for source in OTHERS[program]]
    return rules


def _fitting_runtime(places: Places) -> list[str]:
    """A privileged container asks for every capability; the wrapper drops those this machine lacks itself."""
    if lacks_capability(CAP_SYS_RESOURCE):
        program = places.engine / "runc-fit"  # a copy: the artefact may be built anew while the engine runs
        shutil.copy(folder_of(RUNC_FIT, places) / "runc_fit", program)
        return ["--add-runtime", f"fit={program}", "--default-runtime", "fit"]
    return []


def lacks_capability(number: int) -> bool:
    """Tell whether the bounding set of this machine's processes is without a capability."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (bounding,) = (int(line.split()[1], 16) for line in lines if line.startswith("CapBnd:"))
    return not bounding >> number & 1


def _mount_cgroups() -> None:
    """A machine whose first process is no systemd may have mounted none."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return
    subprocess.run(["cgroupfs-mount"], check=True)
    own = Path("/sys/fs/cgroup/systemd")  # systemd in the nodes keeps its own tree here
    if not own.is_mount():
        own.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "cgroup", "-o", "none,name=systemd", "cgroup", str(own)], check=True)


def _is_engine(pid: int) -> bool:
    name = Path(f"/proc/{pid}/comm")
    return name.exists() and name.read_text().strip() == "dockerd"


def _collected(pid: int) -> bool:
    """Collect the engine if it is this process's child, or it would stay in /proc."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it says nothing"
