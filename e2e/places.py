"""Where things lie: the checkout, and the one folder that everything is built and cached in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
CHECKOUT = SOURCES.parent


@dataclass(frozen=True)
class Places:
    """Folders under one root: artefacts by name and key, logs, download caches, the engine's data and sockets."""

    root: Path

    @classmethod
    def from_environment(cls) -> Places:
        """Take the root from AKS_WASM_E2E_CACHE, else from the home's cache folder."""
        named = os.environ.get("AKS_WASM_E2E_CACHE")
        return cls(Path(named).resolve() if named else Path.home() / ".cache" / "aks-wasm-e2e")

    @property
    def artefacts(self) -> Path:
        """Finished artefacts, each in a folder `<name>-<key>`."""
        return self.root / "artefacts"

    @property
    def logs(self) -> Path:
        """One log for each artefact, the engine's too."""
        return self.root / "log"

    @property
    def build(self) -> Path:
        """What downloads and compilers keep for the next version: Go's and cargo's caches."""
        return self.root / "build"

    @property
    def bin(self) -> Path:
        """Programs for the PATH of whoever uses the bench."""
        return self.root / "bin"

    @property
    def apps(self) -> Path:
        """Test modules and `apps.tar`, the archive of their images."""
        return self.root / "apps"

    @property
    def engine(self) -> Path:
        """The container engine's socket, pid file and state."""
        return self.root / "engine"

    @property
    def docker_host(self) -> str:
        """The bench's own engine, as DOCKER_HOST names it."""
        return f"unix://{self.engine}/docker.sock"

    @property
    def shim(self) -> Path:
        """The Wasm shim, under the name containerd looks for."""
        return self.bin / "containerd-shim-wasmtime-v1"

    def variables(self) -> dict[str, str]:
        """What a shell or a test needs to use the bench."""
        return {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "DOCKER_HOST": self.docker_host,
            "AKS_WASM_E2E_CACHE": str(self.root),
            "AKS_WASM_E2E_SHIM": str(self.shim),
            "AKS_WASM_E2E_APPS": str(self.apps),
        }
