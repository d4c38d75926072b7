"""What must be in place before a cluster: the resource provider, the preview feature, the resource group."""

from __future__ import annotations

from dataclasses import dataclass

from aks_wasm.errors import PreviewRetired, TimedOut
from aks_wasm.events import Warned
from aks_wasm.providers.base import Prerequisite
from aks_wasm.steps.step import StepContext

FEATURE_PATIENCE = 15 * 60.0  # seconds; the preview's guide says a few minutes (use-wasi-node-pools.md of 2022)
PREVIEW_GONE = "preview/gone"


@dataclass(frozen=True)
class RegisterProvider:
    """Register Microsoft.ContainerService with the subscription; `begin_*` calls don't do it themselves."""

    name: str = "provider/Microsoft.ContainerService"
    depends_on: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the provider."""
        return "register the resource provider Microsoft.ContainerService"

    def run(self, context: StepContext) -> str | None:
        """Register and wait."""
        context.provider.ensure(Prerequisite.PROVIDER, context.spec, context.patience())
        return "Registered"


@dataclass(frozen=True)
class RegisterFeature:
    """Register the preview feature and let the provider take note of it.

    The feature may be gone or stay pending for ever (Azure/AKS#984); neither ends the run, since the shim route needs
    no feature. With `required` (route wasi-preview) both do.
    """

    required: bool
    name: str = "feature/WasmNodePoolPreview"
    depends_on: tuple[str, ...] = ("provider/Microsoft.ContainerService",)

    def describe(self) -> str:
        """Name the feature."""
        return "register the feature Microsoft.ContainerService/WasmNodePoolPreview (subscription-wide)"

    def run(self, context: StepContext) -> str | None:
        """Register, wait until Registered, re-register the provider."""
        try:
            context.provider.ensure(Prerequisite.FEATURE, context.spec, context.patience(FEATURE_PATIENCE))
        except (PreviewRetired, TimedOut) as error:
            if self.required:
                raise
            context.notes[PREVIEW_GONE] = True
            context.emit(Warned(f"{error.message}; Wasm pools take the shim route"))
            return "not available"
        return "Registered"


@dataclass(frozen=True)
class CreateGroup:
    """Create the resource group that will hold the cluster, with our mark on it."""

    group: str
    location: str
    depends_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`group/NAME`."""
        return f"group/{self.group}"

    def describe(self) -> str:
        """Name group and location."""
        return f"create the resource group `{self.group}` in {self.location}"

    def run(self, context: StepContext) -> str | None:
        """Create it; there is nothing to wait for."""
        context.provider.ensure(Prerequisite.GROUP, context.spec, context.patience())
        return None
