"""The container engine: which one answers, what it can do, and the containers that are a cluster's nodes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aks_wasm.errors import AksWasmError, NotAllowed, ServiceError
from aks_wasm.providers.kind.process import SHORT, Finished, run
from aks_wasm.spec.models import Arch

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
NETWORK = "kind"  # kind's own, shared by all clusters
API_PORT = "6443/tcp"
_ORDER = ("docker", "nerdctl", "finch", "podman")  # as kind looks for them (pkg/cluster/provider.go)
_HUB, _LOCAL = "docker.io", "localhost"
_CHOICE = "KIND_EXPERIMENTAL_PROVIDER"
_INFO_SECONDS = 15.0  # an engine that takes longer to say what it is does not answer
_ARCHITECTURES: Mapping[str, Arch] = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_DOCKER_SOCKET = Path("/var/run/docker.sock")

Document = dict[str, Any]


@dataclass(frozen=True)
class Container:
    """One node of a cluster, as the engine sees it.

    Attributes:
        name: Its name, the node's name too.
        role: `control-plane` or `worker`.
        running: Whether it runs.
        mounts: Place in the container -> place on the host.
        address: Its address in kind's network; empty when it does not run.
        api_server: Where the host reaches its API server, `127.0.0.1:40123`; None when it has none.
    """

    name: str
    role: str
    running: bool
    mounts: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    api_server: str | None = None

    @property
    def is_control_plane(self) -> bool:
        """Whether the cluster's API server is in it."""
        return self.role == "control-plane"


@dataclass(frozen=True)
class Engine:
    """An engine that answers.

    Attributes:
        program: `docker`, `podman`, `nerdctl` or `finch`.
        version: Its server's.
        arch: Of the machine that containers run on.
        cgroup: 1 or 2, its version there.
        rootless: Whether it works without root's rights.
        storage: Where its data is, when that is a folder of this machine.
    """

    program: str
    version: str
    arch: Arch
    cgroup: int
    rootless: bool
    storage: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """What makes kind use this engine and no other."""
        return {_CHOICE: self.program}

    def run(self, *arguments: str, data: bytes | None = None, timeout: float = SHORT) -> Finished:
        """Run the engine's client."""
        return run((self.program, *arguments), data=data, timeout=timeout)

    def inside(self, container: str, *command: str, data: bytes | None = None, timeout: float = SHORT) -> Finished:
        """Run a command in a container."""
        interactive = ("-i",) if data is not None else ()
        return self.run("exec", *interactive, container, *command, data=data, timeout=timeout)

    def containers(self, cluster: str | None = None) -> list[Container]:
        """Return the nodes of a cluster, whether they run or not; those of every kind cluster without a name."""
        label = CLUSTER_LABEL if cluster is None else f"{CLUSTER_LABEL}={cluster}"
        listed = self.run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
        ids = listed.checked("list containers").split()
        if not ids:
            return []
        shown = self.run("inspect", *ids)
        if shown.code != 0 and not shown.out.strip().startswith("["):
            shown.checked("look at containers")
        documents: list[Document] = json.loads(shown.out or "[]")
        return sorted((_container(document) for document in documents), key=lambda container: container.name)

    def clusters(self) -> list[str]:
        """Return the names of all kind clusters."""
        listed = self.run("ps", "--all", "--filter", f"label={CLUSTER_LABEL}", "--format", "{{.Names}}")
        names = [name for name in listed.checked("list containers").split() if name.endswith("-control-plane")]
        return sorted(name.removesuffix("-control-plane") for name in names)

    def image_name(self, image: str) -> str:
        """Return what this engine is to be asked for; Podman wants a registry, and no tag beside a digest.

        As kind asks Podman itself (pkg/cluster/internal/providers/podman/images.go, sanitizeImage).
        """
        if self.program != "podman":
            return image
        name, at, digest = image.partition("@")
        repository, colon, tag = name.rpartition(":")
        if at and colon and "/" not in tag:
            name = repository
        registry, slash, _ = name.partition("/")
        if not slash:
            name = f"{_HUB}/library/{name}"
        elif registry != _LOCAL and not set(".:") & set(registry):
            name = f"{_HUB}/{name}"
        return name + at + digest

    def find_image(self, image: str) -> str | None:
        """Return what the engine knows an image as that is there without a pull; None when it is not.

        What Podman has built itself or loaded from another engine's archive it knows as its own: `localhost/NAME`.
        """
        name = self.image_name(image)
        own = name.replace(f"{_HUB}/library/", f"{_LOCAL}/").replace(f"{_HUB}/", f"{_LOCAL}/")
        names = dict.fromkeys((name, own)) if self.program == "podman" else (name,)
        return next((known for known in names if self.run("image", "inspect", known).code == 0), None)


@dataclass(frozen=True)
class Search:
    """What came of looking for an engine: the first that answers, and why the others before it don't."""

    engine: Engine | None
    refused: tuple[AksWasmError, ...] = ()

    @property
    def why_none(self) -> str:
        """Why no engine was found, in one sentence."""
        return "; ".join(error.message for error in self.refused) or f"none of {', '.join(_ORDER)} is installed"


def find_engine(environment: Mapping[str, str] | None = None) -> Search:
    """Look for an engine that answers, in the order in which kind does; KIND_EXPERIMENTAL_PROVIDER names one."""
    source = os.environ if environment is None else environment
    named = source.get(_CHOICE)
    refused: list[AksWasmError] = []
    for program in (named,) if named in _ORDER else _ORDER:
        if shutil.which(program, path=source.get("PATH")) is None:
            continue
        try:
            return Search(_look(program), tuple(refused))
        except AksWasmError as error:
            refused.append(error)
    return Search(None, tuple(refused))


def require_engine() -> Engine:
    """Return the engine that answers.

    Raises:
        NotAllowed: There is one, but we may not use it.
        ServiceError: There is none, or none answers.
    """
    search = find_engine()
    if search.engine is not None:
        return search.engine
    for error in search.refused:
        if isinstance(error, NotAllowed):
            raise error
    raise ServiceError(
        f"no container engine answers: {search.why_none}",
        code="EngineMissing",
        hint="start Docker, Podman or containerd with nerdctl, or set `local.engine: embedded`, which needs none",
        details="\n".join(error.details for error in search.refused if error.details) or None,
    )


def _look(program: str) -> Engine:
    shown = run((program, "info", "--format", "{{json .}}"), timeout=_INFO_SECONDS)
    try:
        document: Document = json.loads(shown.out or "{}")
    except ValueError:
        document = {}
    complaints = document.get("ServerErrors") or ()
    if shown.code != 0 or complaints or not document:
        raise _does_not_answer(program, "\n".join((*complaints, shown.err.strip())).strip())
    return _from_podman(document) if program == "podman" else _from_docker(program, document)


def _does_not_answer(program: str, said: str) -> AksWasmError:
    ours = "DOCKER_HOST" in os.environ or os.access(_DOCKER_SOCKET, os.R_OK | os.W_OK)
    if program == "docker" and _DOCKER_SOCKET.exists() and not ours:
        return NotAllowed(
            f"you may not use Docker: `{_DOCKER_SOCKET}` is not yours to write to",
            code="EngineNotAllowed",
            hint="join the group `docker` and sign in again, or use rootless Podman",
            details=said or None,
        )
    return ServiceError(f"`{program}` is installed and does not answer", code="EngineSilent", details=said or None)


def _from_docker(program: str, document: Document) -> Engine:
    options = document.get("SecurityOptions") or ()
    return Engine(
        program=program,
        version=str(document.get("ServerVersion") or ""),
        arch=_arch(program, document.get("Architecture")),
        cgroup=2 if str(document.get("CgroupVersion") or "1") == "2" else 1,
        rootless=any("rootless" in str(option) for option in options),
        storage=_folder(document.get("DockerRootDir")),
    )


def _from_podman(document: Document) -> Engine:
    host: Document = document.get("host") or {}
    return Engine(
        program="podman",
        version=str((document.get("version") or {}).get("Version") or ""),
        arch=_arch("podman", host.get("arch")),
        cgroup=2 if host.get("cgroupVersion") == "v2" else 1,
        rootless=bool((host.get("security") or {}).get("rootless")),
        storage=_folder((document.get("store") or {}).get("graphRoot")),
    )


def _arch(program: str, word: object) -> Arch:
    arch = _ARCHITECTURES.get(str(word))
    if arch is None:
        raise ServiceError(f"`{program}` runs containers on `{word}`, for which there are no shims", code="EngineArch")
    return arch


def _folder(text: object) -> Path | None:
    path = Path(str(text)) if text else None
    return path if path is not None and path.is_dir() else None


def _container(document: Document) -> Container:
    labels = (document.get("Config") or {}).get("Labels") or {}
    network: Document = document.get("NetworkSettings") or {}
    addresses = [found.get("IPAddress") for found in (network.get("Networks") or {}).values() if found]
    return Container(
        name=str(document["Name"]).removeprefix("/"),
        role=str(labels.get(ROLE_LABEL, "")),
        running=bool((document.get("State") or {}).get("Running")),
        mounts={mount["Destination"]: mount.get("Source", "") for mount in document.get("Mounts") or ()},
        address=next((address for address in addresses if address), "") or str(network.get("IPAddress") or ""),
        api_server=_published(document, network),
    )


def _published(document: Document, network: Document) -> str | None:
    """Return where the API server's port is on the host; a container that does not run keeps it in its wishes only."""
    wished: Document = (document.get("HostConfig") or {}).get("PortBindings") or {}
    bindings: Sequence[Document] = (network.get("Ports") or {}).get(API_PORT) or wished.get(API_PORT) or ()
    for binding in bindings:
        if binding.get("HostPort"):
            host = binding.get("HostIp") or "127.0.0.1"
            host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - read, not bound
            return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"
    return None
