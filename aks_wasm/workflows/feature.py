"""`feature show|register|unregister`: the preview feature that WASI node pools once needed."""

from __future__ import annotations

from aks_wasm.errors import UsageError
from aks_wasm.providers.abilities import FeatureState, HasPreviewFeature, PreviewFeature
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.results import ActionResult


def show(run: Run) -> ActionResult:
    """Tell the feature's state."""
    return _answer(_features(run).show())


def register(run: Run) -> ActionResult:
    """Register the feature, wait until it is Registered, and let the provider take note of it."""
    return _answer(_features(run).register(patience=run.patience()))


def unregister(run: Run) -> ActionResult:
    """Unregister the feature."""
    return _answer(_features(run).unregister(patience=run.patience()))


def _features(run: Run) -> PreviewFeature:
    provider = run.provider
    if not isinstance(provider, HasPreviewFeature):
        raise UsageError(
            f"{provider.info.name} has no preview features",
            code="NoFeatures",
            hint="use `--target azure` or `--target emulator`",
        )
    return provider.features


def _answer(state: FeatureState) -> ActionResult:
    return ActionResult("FeatureResult", f"feature/{state.name}", {"name": state.name, "state": state.state})
