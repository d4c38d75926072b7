"""Podman of Debian's packages as a second engine, with images, networks and state of its own in the bench's folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from e2e.artefacts import folder_of
from e2e.budget import Budget
from e2e.engine import TEST_NODES, NoEngine, docker, refuse_forwarding
from e2e.packages import install
from e2e.places import Places
from e2e.recipes.go_programs import RUNC_FIT

PROGRAM = Path("/usr/bin/podman")
PACKAGES = ("podman", "netavark", "aardvark-dns")
CONFIGURATION = """\
[containers]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "fit"
tmp_dir = "{root}/run/libpod"
[engine.runtimes]
fit = ["{root}/runc-fit"]
[network]
network_backend = "netavark"
network_config_dir = "{root}/networks"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{root}/storage"
runroot = "{root}/run/storage"
"""


@contextmanager
def running(places: Places, budget: Budget) -> Iterator[dict[str, str]]:
    """Install and configure it; yields the variables that make a program use it, and removes the nodes afterwards.

    Raises:
        NoEngine: It can't be installed, or does not answer.
        OutOfTime: Its packages were not there in time.
    """
    install(PACKAGES, budget)
    refuse_forwarding()
    root = places.engine / "podman"
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder_of(RUNC_FIT, places) / "runc_fit", root / "runc-fit")
    (root / "containers.conf").write_text(CONFIGURATION.format(root=root))
    (root / "storage.conf").write_text(STORAGE.format(root=root))
    told = subprocess.run([str(PROGRAM), "info"], env=variables(places), capture_output=True, text=True, check=False)
    if told.returncode:
        raise NoEngine(f"Podman does not answer: {(told.stderr.strip() or 'it says nothing').splitlines()[-1]}")
    try:
        yield variables(places)
    finally:
        remove_leftovers(places)


def variables(places: Places) -> dict[str, str]:
    """Return what a program needs to use it, kind and what runs kind included."""
    root = places.engine / "podman"
    return {
        "PATH": f"{places.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CONTAINERS_CONF": str(root / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(root / "storage.conf"),
        "AARDVARK_NO_PROXY": "1",  # else it hands the nodes' questions on to the machine's resolver
        "KIND_EXPERIMENTAL_PROVIDER": "podman",
    }


def take_image(places: Places, image: str) -> None:
    """Load an image of the bench's engine unless Podman has this very one."""
    known = (*docker(places), "image", "inspect", "--format={{.Id}}", image)
    wanted = subprocess.run(known, capture_output=True, text=True, check=True).stdout.strip().removeprefix("sha256:")
    if _ask(places, "image", "inspect", "--format={{.Id}}", image).strip() == wanted:
        return
    with subprocess.Popen([*docker(places), "save", image], stdout=subprocess.PIPE) as archive:
        load = [str(PROGRAM), "load", "--quiet"]
        subprocess.run(load, env=variables(places), stdin=archive.stdout, stdout=subprocess.DEVNULL, check=True)


def remove_leftovers(places: Places) -> list[str]:
    """Remove the tests' nodes, and what kind made for them; return the nodes' names."""
    if not PROGRAM.exists() or not (places.engine / "podman" / "storage.conf").exists():
        return []
    told = _ask(places, "ps", "--all", "--format={{.Names}}")
    names = sorted(name for name in told.split() if name.startswith(TEST_NODES))
    if names:
        _ask(places, "rm", "--force", "--time", "0", "--volumes", *names)
        _ask(places, "volume", "prune", "--force")
        _ask(places, "network", "prune", "--force")
    return names


def _ask(places: Places, *arguments: str) -> str:
    command = [str(PROGRAM), *arguments]
    return subprocess.run(command, env=variables(places), capture_output=True, text=True, check=False).stdout
