"""The bench as a whole: packages, engine, artefacts, node images, and the folder of programs that its users see."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from e2e import compilers, engine, packages, podman
from e2e.artefacts import build, folder_of, missing
from e2e.budget import Budget
from e2e.engine import NoEngine
from e2e.node_images import NodeImages
from e2e.places import Places
from e2e.recipes import ALL
from e2e.recipes.apps import APPS
from e2e.recipes.go_programs import ETCD, KIND, KUBERNETES, RUNC_FIT
from e2e.recipes.installer_image import INSTALLER_IMAGE
from e2e.recipes.shim import BINARY, SHIM

PACKAGES = (
    "docker.io", "debootstrap", "iptables", "iproute2", "procps", "cgroupfs-mount", "ca-certificates",
    "gcc", "libc6-dev", "libseccomp-dev", "pkg-config", "protobuf-compiler", "python3-venv",
)  # fmt: skip
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}  # without these no engine starts a node
# What the users of the bench find in their PATH.
PROGRAMS = {
    "kind": KIND,
    "kubectl": KUBERNETES,
    "kubeadm": KUBERNETES,
    "kube-apiserver": KUBERNETES,
    "etcd": ETCD,
    BINARY: SHIM,
}


class Bench:
    """Sets up whatever is missing, each part timed."""

    def __init__(self, places: Places, tell: Callable[[str], None]) -> None:
        self.places = places
        self._tell = tell
        self._started_engine = False
        self._images = NodeImages(places, tell)

    def set_up(self, budget: Budget) -> None:
        """Make everything ready, the engine running.

        Raises:
            NoEngine: This machine can have no bench; the message says why.
            BuildFailed: Something could not be built.
            OutOfTime: It took longer than the budget; what is done is kept.
        """
        refuse_unfit_machine()
        wanted = missing(ALL, self.places)
        state = "warm" if not wanted else "cold" if len(wanted) == len(ALL) else "partly warm"
        names = f", to build: {', '.join(recipe.name for recipe in wanted)}" if wanted else ""
        self._tell(f"caches in {self.places.root} are {state}{names}")
        self._install_packages(budget)
        build([RUNC_FIT], self.places, self._tell, budget)
        self.start_engine()  # before the long builds: where none can run, nothing is built in vain
        build(ALL, self.places, self._tell, budget)
        self._images.build(budget)
        self._publish()

    def start_engine(self) -> None:
        """Start the engine if it does not run."""
        started = time.monotonic()
        if engine.start(self.places):
            self._started_engine = True
            self._tell(f"engine: {time.monotonic() - started:.0f} s, forwarding out of the machine is rejected")
        else:
            self._tell(f"engine: runs already at {self.places.docker_host}")

    def remove_leftovers(self) -> None:
        """Take away the tests' own clusters and nodes: those of a run that was cut off before it could."""
        if gone := [*engine.remove_leftovers(self.places), *podman.remove_leftovers(self.places)]:
            self._tell(f"removed what was left: {', '.join(gone)}")

    def stop_engine(self, *, only_own: bool = False) -> None:
        """Stop the engine; with `only_own` leave one that ran before."""
        if self._started_engine or not only_own:
            engine.stop(self.places)

    def _install_packages(self, budget: Budget) -> None:
        started = time.monotonic()
        if installed := packages.install(PACKAGES, budget):
            self._tell(f"packages {', '.join(installed)}: {time.monotonic() - started:.0f} s")

    def _publish(self) -> None:
        """Lay the programs and test images where their names carry no key."""
        self.places.bin.mkdir(parents=True, exist_ok=True)
        for program, recipe in PROGRAMS.items():
            _link(folder_of(recipe, self.places) / program, self.places.bin / program)
        docker = self.places.bin / "docker"
        docker.unlink(missing_ok=True)
        docker.symlink_to("/usr/bin/docker")  # another client in PATH may be too new for Debian's engine
        self.places.apps.mkdir(parents=True, exist_ok=True)
        for recipe in (APPS, INSTALLER_IMAGE):
            for file in folder_of(recipe, self.places).iterdir():
                _link(file, self.places.apps / file.name)


def refuse_unfit_machine() -> None:
    """Say in one sentence why there can be no bench here.

    Raises:
        NoEngine: That is so.
    """
    if os.geteuid() != 0:
        raise NoEngine("a bench of real clusters needs root, to install and start a container engine")
    if shutil.which("apt-get") is None or os.uname().machine != "x86_64":
        raise NoEngine("a bench of real clusters is built for Debian on x86-64 only")
    if why := compilers.why_unfit():
        raise NoEngine(why)
    for name, number in CAPABILITIES.items():
        if engine.lacks_capability(number):
            raise NoEngine(f"this machine grants no {name}, so no container engine can run")


def _link(source: Path, target: Path) -> None:
    """Put a hard link in place at once, so that a program that runs is never written to."""
    if target.exists() and target.samefile(source):
        return
    fresh = target.with_name(f".{target.name}")
    fresh.unlink(missing_ok=True)
    os.link(source, fresh)
    fresh.rename(target)
