"""Node images as kind wants them: the root file system as a systemd container with Kubernetes and its images inside."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from e2e import versions
from e2e.artefacts import TAIL, BuildFailed, Recipe, folder_of
from e2e.budget import Budget, OutOfTime
from e2e.engine import docker
from e2e.places import SOURCES, Places
from e2e.recipes.control_plane import CONTROL_PLANE
from e2e.recipes.go_programs import CONTAINERD, KUBERNETES, RUNC_FIT
from e2e.recipes.root_filesystem import ROOT_FILESYSTEM

REPOSITORY = "aks-wasm-e2e/node"
LABEL = "aks-wasm-e2e"
ENTRYPOINT = '["/usr/local/bin/entrypoint", "/sbin/init"]'
CNI_PLUGINS = ("host-local", "loopback", "ptp", "portmap", "bridge")
# Units that make no sense without hardware.
NEEDLESS_UNITS = (
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "lib/systemd/system/multi-user.target.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/basic.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/containerd.service",
    "etc/systemd/system/*.wants/*",
)


@dataclass(frozen=True)
class Variant:
    """A node image: which containerd, and which configuration of it."""

    name: str
    configuration: str
    own_containerd: bool

    @property
    def image(self) -> str:
        """What kind is told."""
        return f"{REPOSITORY}:{self.name}"


VARIANTS = (
    Variant("containerd1", "kind.toml", own_containerd=False),
    Variant("containerd2", "kind.toml", own_containerd=True),
    Variant("aks2404", "aks2404.toml", own_containerd=True),
)

NEEDS = (ROOT_FILESYSTEM, KUBERNETES, RUNC_FIT, CONTROL_PLANE)
# Never made as recipes: they lie in the engine, which labels them with these keys.
BASE = Recipe("node_base", lambda _shop: None, (versions.KUBERNETES,), ("node/files", "node_images.py"), NEEDS)


def recipe_of(variant: Variant) -> Recipe:
    """Return what the variant's key is made of."""
    sources = (f"node/{variant.configuration}",)
    return Recipe(f"node_{variant.name}", lambda _shop: None, (), sources, (BASE, CONTAINERD))


class NodeImages:
    """Builds them with the bench's engine. Nothing is pulled: every layer comes from the artefacts."""

    def __init__(self, places: Places, tell: Callable[[str], None]) -> None:
        self._places = places
        self._tell = tell
        self._log = places.logs / "node_images.log"

    def missing(self) -> list[Variant]:
        """Return the variants whose image is absent or of another key."""
        return [variant for variant in VARIANTS if self._key(variant.image) != recipe_of(variant).key]

    def build(self, budget: Budget) -> None:
        """Build what is missing.

        Raises:
            OutOfTime: The budget was used up before the last was begun.
        """
        wanted = self.missing()
        if not wanted:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_text("")
        if self._key(f"{REPOSITORY}:base") != BASE.key:
            self._timed("node base", self._build_base)
        for variant in wanted:
            if not budget.left:
                raise OutOfTime(f"node image {variant.name} not built in time")
            self._timed(f"node image {variant.name}", partial(self._build_variant, variant))

    def _timed(self, what: str, make: Callable[[], None]) -> None:
        started = time.monotonic()
        make()
        self._tell(f"{what}: {time.monotonic() - started:.0f} s")

    def _build_base(self) -> None:
        root = self._places.build / "node"
        shutil.rmtree(root, ignore_errors=True)
        root.parent.mkdir(parents=True, exist_ok=True)
        self._run("cp", "-a", self._artefact(ROOT_FILESYSTEM), root)
        self._furnish(root)
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as tar:
            self._docker("import", "-", f"{REPOSITORY}:root", stdin=tar.stdout)
        # `docker import` can set no stop signal; the classic builder needs no further program and runs nothing here.
        lines = [f"FROM {REPOSITORY}:root", "ENV container=docker", "STOPSIGNAL SIGRTMIN+3", f"ENTRYPOINT {ENTRYPOINT}"]
        self._build("base", "\n".join([*lines, f"LABEL {LABEL}={BASE.key}"]), {})
        self._docker("rmi", f"{REPOSITORY}:root")
        shutil.rmtree(root)

    def _furnish(self, root: Path) -> None:
        for pattern in NEEDLESS_UNITS:
            for unit in root.glob(pattern):
                unit.unlink()
        self._run("cp", "-r", "--no-preserve=ownership", f"{SOURCES / 'node' / 'files'}/.", root)
        for script in ("usr/local/bin/entrypoint", "kind/bin/cgroup2"):
            (root / script).chmod(0o755)
        with (root / "etc/systemd/journald.conf").open("a") as journald:
            journald.write("ReadKMsg=no\n")
        self._run("chroot", root, "systemctl", "enable", "kubelet.service", "containerd.service")
        self._run("chroot", root, "systemctl", "mask", "systemd-binfmt.service")
        for program in ("kubeadm", "kubelet", "kubectl"):
            shutil.copy(self._artefact(KUBERNETES) / program, root / "usr/bin" / program)
        # First in PATH for containerd's shim, and where AKS names it; the real one is /usr/sbin/runc.
        shutil.copy(self._artefact(RUNC_FIT) / "runc_fit", root / "usr/local/sbin/runc")
        (root / "usr/bin/runc").unlink()
        (root / "usr/bin/runc").symlink_to("../local/sbin/runc")
        for folder in ("opt/cni/bin", "etc/kubernetes/manifests", "etc/cni/net.d", "etc/containerd/certs.d"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for plugin in CNI_PLUGINS:
            shutil.copy(root / "usr/lib/cni" / plugin, root / "opt/cni/bin" / plugin)
        for program in ("containerd", "ctr", "containerd-shim-runc-v2"):
            (root / "usr/local/bin" / program).symlink_to(f"../../bin/{program}")
        (root / "kind/version").write_text(versions.KUBERNETES)
        for file in ("etc/hostname", "etc/resolv.conf"):
            (root / file).unlink(missing_ok=True)
        (root / "etc/machine-id").write_text("")

    def _build_variant(self, variant: Variant) -> None:
        pause = (self._artefact(CONTROL_PLANE) / "pause-image").read_text()
        configuration = (SOURCES / "node" / variant.configuration).read_text().replace("@PAUSE@", pause)
        files: dict[str, str | Path] = {"etc/containerd/config.toml": configuration}
        if variant.own_containerd:  # in place of the links to Debian's
            programs = self._artefact(CONTAINERD).iterdir()
            files |= {f"usr/local/bin/{program.name}": program for program in programs}
        loading = f"{variant.name}-loading"
        self._build(loading, f"FROM {REPOSITORY}:base\nCOPY . /", files)
        self._load(f"{REPOSITORY}:{loading}", f"aks-wasm-e2e-{loading}", variant)
        self._docker("rmi", f"{REPOSITORY}:{loading}")

    def _load(self, image: str, container: str, variant: Variant) -> None:
        """Put the images into the node's containerd, packed as they are: their first use unpacks them."""
        self._docker("rm", "--force", container, check=False)
        self._docker("run", "--detach", "--name", container, "--network=none", "--entrypoint=sleep", image, "infinity")
        self._docker("exec", "--detach", container, "containerd")
        self._in_node(container, "for _ in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.2; done")
        self._in_node(container, "ctr oci spec >/etc/containerd/cri-base.json")
        with (self._artefact(CONTROL_PLANE) / "images.tar").open("rb") as archive:
            bring = "ctr --namespace k8s.io images import --all-platforms --no-unpack -"
            self._docker("exec", "--interactive", container, "sh", "-euc", bring, stdin=archive)
        self._in_node(container, "pkill -x containerd; while pgrep -x containerd >/dev/null; do sleep 0.2; done")
        label = f"LABEL {LABEL}={recipe_of(variant).key}"
        self._docker("commit", "-c", f"ENTRYPOINT {ENTRYPOINT}", "-c", label, container, variant.image)
        self._docker("rm", "--force", container)

    def _in_node(self, container: str, script: str) -> None:
        self._docker("exec", container, "sh", "-euc", script)

    def _build(self, tag: str, dockerfile: str, files: dict[str, str | Path]) -> None:
        context = self._places.build / f"context-{tag}"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        for path, content in files.items():
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                shutil.copy(content, context / path)
            else:
                (context / path).write_text(content)
        (context / "Dockerfile").write_text(dockerfile + "\n")
        (context / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
        build = [*docker(self._places), "build", "--quiet", "--tag", f"{REPOSITORY}:{tag}", str(context)]
        self._run("env", "DOCKER_BUILDKIT=0", *build)
        shutil.rmtree(context)

    def _key(self, image: str) -> str:
        command = [*docker(self._places), "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}']
        return subprocess.run([*command, image], capture_output=True, text=True, check=False).stdout.strip()

    def _artefact(self, recipe: Recipe) -> Path:
        return folder_of(recipe, self._places)

    def _docker(self, *arguments: str, stdin: IO[bytes] | None = None, check: bool = True) -> None:
        self._run(*docker(self._places), *arguments, stdin=stdin, check=check)

    def _run(self, *command: str | Path, stdin: IO[bytes] | None = None, check: bool = True) -> None:
        line = [str(part) for part in command]
        with self._log.open("ab") as log:
            log.write(f"$ {' '.join(line)}\n".encode())
            log.flush()
            source = stdin or subprocess.DEVNULL
            ran = subprocess.run(line, stdin=source, stdout=log, stderr=subprocess.STDOUT, check=False)
        if check and ran.returncode:
            last = "\n".join(self._log.read_text(errors="replace").splitlines()[-TAIL:])
            raise BuildFailed(f"`{' '.join(line)[:120]}` ended with {ran.returncode}\n{last}\nsee {self._log}")
