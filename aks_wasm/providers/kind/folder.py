"""Where things of a cluster are, on the host and in its nodes. Nothing here is state: what counts is in the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aks_wasm.errors import AksWasmError

PROVIDED = "/opt/aks-wasm/provided"
"""Where the nodes see `ClusterFolder.provided`. A container with this mount is ours: the mark is there from the
container's first moment, so that a creation that was cut short is known for what it is."""


@dataclass(frozen=True)
class ClusterFolder:
    """The folder of one cluster below AKS_WASM_HOME; goes with the cluster.

    Attributes:
        root: `<home>/kind/<name>`.
    """

    root: Path

    @classmethod
    def of(cls, home: Path, name: str) -> ClusterFolder:
        """Return the folder of a cluster."""
        return cls(home.absolute() / "kind" / name)

    @property
    def lock(self) -> Path:
        """Held by whoever changes the cluster; beside the folder, which comes and goes."""
        return self.root.with_name(f"{self.root.name}.lock")

    @property
    def provided(self) -> Path:
        """What every node sees, read-only: the shims."""
        return self.root / "provided"

    @property
    def shims(self) -> Path:
        """One folder for each handler."""
        return self.provided / "shims"

    @property
    def owner(self) -> Path:
        """Holds the name of the cluster's owner."""
        return self.provided / "owner"

    @property
    def complete(self) -> Path:
        """Is there once the creation was; a cluster of ours without it was cut short, and nothing can run in it."""
        return self.provided / "complete"

    @property
    def own_network(self) -> Path:
        """Is there when this cluster's creation made kind's network."""
        return self.root / "made-network"

    @property
    def log(self) -> Path:
        """What the program that ran last said."""
        return self.root / "create.log"

    @property
    def forwarder(self) -> Path:
        """The forwarder's own folder: lock, log, credentials."""
        return self.root / "forwarder"


def shim_in_node(handler: str, binary: str) -> str:
    """Return where the nodes see a shim."""
    return f"{PROVIDED}/shims/{handler}/{binary}"


def is_placed_by_script(runtime_type: str) -> bool:
    """Return whether a runtime's program is one that the node script has put on the node, and not one of our mount."""
    return runtime_type.startswith(f"{PROVIDED.rpartition('/')[0]}/") and not runtime_type.startswith(f"{PROVIDED}/")


def unwritable(path: Path, error: OSError) -> AksWasmError:
    """Return the error for a place below AKS_WASM_HOME that the system refuses."""
    return AksWasmError(
        f"`{path}` cannot be written: {error.strerror or error}",
        code="HomeUnwritable",
        hint="free space there, or set `AKS_WASM_HOME` to a folder you may write to",
    )
