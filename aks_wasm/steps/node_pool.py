"""Node pools: ask for the preview where it may be granted, fall back to shims where it is refused.

Answers demand 12 of shared/facts/demands.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.errors import PreviewRetired
from aks_wasm.events import Warned
from aks_wasm.providers.base import ChosenRoute, NodePoolRequest
from aks_wasm.steps.prerequisite import PREVIEW_GONE
from aks_wasm.steps.step import StepContext

RETIREMENT = "https://aka.ms/aks/wasi-retirement"


def route_note(pool: str) -> str:
    """Return the key under which a run notes the route that a pool got."""
    return f"route/{pool}"


@dataclass(frozen=True)
class PutNodePool:
    """Create a pool or bring it to another size.

    With `preview` it asks for a WASI pool first (architecture.md, decision 6); a refusal costs about 8 s on AKS and
    leaves nothing behind (Azure/AKS#4770).

    Attributes:
        request: The pool, as it is asked for in the end.
        preview: The same pool on the preview route, asked for before; None when nothing is to be asked.
        exists: Whether this changes a pool that is there.
    """

    request: NodePoolRequest
    preview: NodePoolRequest | None = None
    exists: bool = False
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`node-pool/NAME`."""
        return f"node-pool/{self.request.name}"

    def describe(self) -> str:
        """Name the pool, its size and its route."""
        pool = self.request
        size = f"{pool.min} to {pool.max}" if pool.min is not None else str(pool.count)
        if self.exists:
            return f"bring the node pool `{pool.name}` to {size} {'node' if size == '1' else 'nodes'}"
        route = "preview pool if granted, else shims" if self.preview else f"route {pool.route}"
        return f"create the node pool `{pool.name}` ({size} x {pool.vm_size or pool.arch}, {route})"

    def run(self, context: StepContext) -> str | None:
        """Create and wait; note the route it got."""
        route: ChosenRoute = "wasi-preview" if self._granted(context) else self.request.route
        if route == self.request.route:
            context.provider.put_node_pool(context.spec, self.request, context.patience())
        context.notes[route_note(self.request.name)] = route
        return f"route {route}"

    def _granted(self, context: StepContext) -> bool:
        if self.preview is None or context.notes.get(PREVIEW_GONE):
            return False
        try:
            context.provider.put_node_pool(context.spec, self.preview, context.patience())
        except PreviewRetired as error:
            # The service's own words are 400 characters long; who asks for `wasi-preview` gets them as the error.
            refused = f"AKS no longer grants WASI node pools ({error.code}, {RETIREMENT})"
            context.emit(Warned(f"{refused}; node pool `{self.request.name}` takes the shim route"))
            return False
        return True


@dataclass(frozen=True)
class DeleteNodePool:
    """Delete one pool; the pods on it go with it."""

    pool: str
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`node-pool/NAME`."""
        return f"node-pool/{self.pool}"

    def describe(self) -> str:
        """Name the pool."""
        return f"delete the node pool `{self.pool}`"

    def run(self, context: StepContext) -> str | None:
        """Delete and wait."""
        context.provider.delete(context.spec, self.pool, context.patience(), wait=True)
        return "gone"
