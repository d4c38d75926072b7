"""Packaged workloads on their way to the nodes."""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.steps.step import StepContext
from aks_wasm.wasm.archive import ImageArchive


@dataclass(frozen=True)
class DeliverImage:
    """Push an image to the registry, or load it into the nodes."""

    workload: str
    image: ImageArchive
    verb: str
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`image/WORKLOAD`."""
        return f"image/{self.workload}"

    def describe(self) -> str:
        """Name whose image it is."""
        return f"{self.verb} the image of `{self.workload}`"

    def run(self, context: StepContext) -> str | None:
        """Deliver it; an image that is there already is not sent again."""
        context.provider.deliver_image(context.spec, self.image, context.patience())
        return None
