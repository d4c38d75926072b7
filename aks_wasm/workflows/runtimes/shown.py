"""How results of the `runtime` commands name shims and steps that are only planned."""

from __future__ import annotations

from collections.abc import Sequence

from aks_wasm.shims.catalogue import Shim
from aks_wasm.steps.step import Step
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.results import StepRecord
from aks_wasm.workflows.runtimes.answers import RuntimeResult


def described(shims: Sequence[Shim]) -> tuple[dict[str, str], ...]:
    """Return shims as results name them."""
    return tuple({"name": shim.name, "version": shim.version, "handler": shim.handler} for shim in shims)


def planned(run: Run, kind: str, shims: Sequence[Shim], steps: Sequence[Step]) -> RuntimeResult:
    """Return the answer of a dry run."""
    return RuntimeResult(
        kind,
        ok=True,
        cluster=run.spec.name,
        shims=described(shims),
        steps=tuple(StepRecord(step.name, "planned", summary=step.describe()) for step in steps),
        facts={"changes": bool(steps)},
    )


def named(shims: Sequence[Shim], otherwise: str = "no shim") -> str:
    """Return shims in a sentence."""
    return ", ".join(f"{shim.name} {shim.version}" for shim in shims) or otherwise
