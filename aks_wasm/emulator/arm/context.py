"""What the handlers work with: the neighbours handed in, and the operations that are going on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from aks_wasm.emulator.arm.operations import Operations
    from aks_wasm.emulator.clock import Pace
    from aks_wasm.emulator.faults import Faults
    from aks_wasm.emulator.identity import TokenAuthority
    from aks_wasm.emulator.node.profile import NodePoolProfile
    from aks_wasm.emulator.state import Documents

Age = Literal["2022", "today"]
Document = dict[str, Any]


class ArmCluster(Protocol):
    """What Resource Manager does with one emulated cluster."""

    async def converge(self, pools: Sequence[NodePoolProfile]) -> None:
        """Make the nodes be those of the pools."""

    def kubeconfig(
        self,
        *,
        name: str,
        user: str,
        kind: Literal["certificate", "token", "exec"],
        exec_config: dict[str, Any] | None = None,
    ) -> str:
        """Return a kubeconfig (YAML) as AKS returns it."""

    async def start(self) -> None:
        """Power on."""

    async def stop(self) -> None:
        """Power off; the state is kept."""


class ArmFleet(Protocol):
    """What Resource Manager does with the emulated clusters; aks_wasm.emulator.fleet.Fleet is one."""

    async def create(self, key: str, *, kubernetes_version: str, automatic: bool = False) -> ArmCluster:
        """Make the cluster, or return the one of that key."""

    def get(self, key: str) -> ArmCluster | None:
        """Return the cluster, or None."""

    async def delete(self, key: str) -> None:
        """Take the cluster away."""


@dataclass
class ArmContext:
    """The neighbours that the application is made with.

    Attributes:
        documents: The emulator's state.
        pace: Its clock.
        fleet: The clusters; must be resumed before the application starts.
        base_url: Where clients reach the application, known once it listens.
        age: What the service grants: WASI node pools in 2022, none today.
        faults: The script of what goes wrong.
        tokens: Who may call.
        limits: Core quotas by usage name (`cores`, `lowPriorityCores`, a family) in place of the usual ones.
    """

    documents: Documents
    pace: Pace
    fleet: ArmFleet
    base_url: Callable[[], str]
    age: Age
    faults: Faults
    tokens: TokenAuthority
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Arm:
    """The service as its handlers see it."""

    context: ArmContext
    operations: Operations = field(init=False)

    @property
    def documents(self) -> Documents:
        """The emulator's state."""
        return self.context.documents

    @property
    def pace(self) -> Pace:
        """The emulator's clock."""
        return self.context.pace

    @property
    def base_url(self) -> str:
        """Where clients reach the service, without a slash at the end."""
        return self.context.base_url().rstrip("/")
