"""What is said after a failure: what exists, the command that goes on and the command that cleans up."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.cli.kinds import CLUSTER_KINDS
from aks_wasm.errors import AksWasmError, Interrupted, NotAllowed, Unreachable

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext
    from aks_wasm.cli.options import Options
    from aks_wasm.providers.base import Observed

PROGRAM = "aks-wasm"


@dataclass(frozen=True)
class Aftermath:
    """The facts after a failure.

    Attributes:
        app: The invocation.
        error: How it ended.
        observed: What is there now, or None when nobody could say.
    """

    app: AppContext
    error: AksWasmError
    observed: Observed | None

    @classmethod
    def of(cls, app: AppContext, error: AksWasmError) -> Aftermath:
        """Look once more at what is there, when something may have been made and the provider can be asked."""
        near = app.current is not None and not app.current.provider.info.costs_money  # it was not what did not answer
        mute = isinstance(error, NotAllowed | Unreachable) and not near
        worth_it = app.command == "up" and bool(app.steps.records()) and not mute
        return cls(app, error, _observe(app) if worth_it else None)

    def text(self) -> str:
        """Return the lines to show, or nothing."""
        app = self.app
        go_on = shlex.join([PROGRAM, *app.arguments])
        if app.current is None or not (app.steps.records() or isinstance(self.error, Interrupted)):
            return ""
        if app.command == "up":
            lines = [*self._existing(), f"go on:     {go_on}"]
            if self.observed is None or _things(self.observed):
                lines.append(f"clean up:  {shlex.join([PROGRAM, 'down', *spec_arguments(app.options)])}")
            return "\n".join(lines)
        if isinstance(self.error, Interrupted) and app.command not in ("status", "workload logs"):
            return f"what was begun goes on over there; nothing was undone\ngo on:     {go_on}"
        return ""

    def content(self) -> dict[str, Any]:
        """Return what the failure's document holds beside the error: for cluster commands the known layers."""
        if self.app.command not in CLUSTER_KINDS:
            return {}
        from aks_wasm.workflows.results import ClusterResult, ClusterState

        spec = self.app.current.spec if self.app.current else None
        cluster = self.observed.cluster if self.observed else None
        state = ClusterState(
            name=spec.name if spec else "",
            target=spec.target if spec else "",
            state=cluster.state if cluster else "absent" if self.observed else "unknown",
            location=cluster.location if cluster else None,
            kubernetes_version=cluster.kubernetes_version if cluster else None,
            resource_group=spec.resource_group if spec and self._has_groups() else None,
            owner=cluster.owner if cluster else None,
        )
        kind = CLUSTER_KINDS[self.app.command]
        result = ClusterResult(kind, ok=False, cluster=state, steps=self.app.steps.records())
        return result.to_dict() | ({} if spec else {"cluster": None})

    def _has_groups(self) -> bool:
        return self.app.current is not None and self.app.current.provider.info.has_resource_groups

    def _existing(self) -> list[str]:
        if self.observed is None:
            done = [record.summary or record.name for record in self.app.steps.records() if record.state == "done"]
            return ["done so far:", *(f"  {step}" for step in done)] if done else []
        things = _things(self.observed)
        return ["what exists:", *(f"  {thing}" for thing in things)] if things else ["nothing was left behind"]


def spec_arguments(options: Options) -> list[str]:
    """Return the arguments that name the same spec again."""
    arguments = ["-f", str(options.file)] if options.file else []
    if options.local:
        arguments.append("--local")
    elif options.target:
        arguments += ["--target", options.target]
    for override in options.sets:
        arguments += ["--set", override]
    return arguments


def _observe(app: AppContext) -> Observed | None:
    if app.current is None:
        return None
    try:
        return app.current.provider.observe(app.current.spec)
    except AksWasmError:
        return None  # the first error is the one to tell


def _things(observed: Observed) -> list[str]:
    things = []
    if observed.group:
        things.append(f"resource group `{observed.group.name}` in {observed.group.location}")
    if observed.cluster:
        things.append(f"cluster `{observed.cluster.name}` ({observed.cluster.state})")
        things += [f"node pool `{pool.name}` ({pool.state})" for pool in observed.cluster.node_pools]
    return things
