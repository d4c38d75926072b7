"""What the `runtime` commands answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aks_wasm.workflows.results import StepRecord, Table, camel


@dataclass(frozen=True)
class RuntimeClassState:
    """A RuntimeClass of the cluster.

    Attributes:
        made_by: `aks-wasm`, the name in our marks where that is another cluster's, or whose it is otherwise.
        installer: `daemonset` or `runtime-class-manager`, where it is known what puts the shim on the nodes.
        ready: Nodes on which it is known to work; None where nobody looks.
        nodes: Nodes that its pods may go to.
        used_by: Workloads and bare pods, as `deployment/web`.
    """

    runtime_class: str
    shim: str | None
    version: str | None
    handler: str
    made_by: str
    ready: int | None
    nodes: int
    used_by: tuple[str, ...] = ()
    installer: str | None = None

    @property
    def name(self) -> str:
        """The RuntimeClass's name."""
        return self.runtime_class


@dataclass(frozen=True)
class RuntimeClassList:
    """Answer of `runtime list`."""

    items: tuple[RuntimeClassState, ...]
    kind: str = "RuntimeList"

    def to_dict(self) -> dict[str, Any]:
        """Return `items`, keys in camelCase."""
        return {"items": [camel(item) for item in self.items]}

    def tables(self) -> list[Table]:
        """Return one table."""
        columns = ("RUNTIME CLASS", "HANDLER", "VERSION", "READY", "BY", "USED BY")
        rows = tuple(
            (
                item.runtime_class,
                "same" if item.handler == item.runtime_class else item.handler,
                item.version or "-",
                f"{'?' if item.ready is None else item.ready}/{item.nodes}",
                _by(item),
                ", ".join(item.used_by),
            )
            for item in self.items
        )
        return [Table(columns, rows)]

    def names(self) -> list[str]:
        """Return `runtimeclass/NAME` of each."""
        return [f"runtimeclass/{item.runtime_class}" for item in self.items]


def _by(item: RuntimeClassState) -> str:
    """Return whose it is, and through what where that is not our own installer."""
    return item.made_by if item.installer in (None, "daemonset", item.made_by) else f"{item.made_by}, {item.installer}"


@dataclass(frozen=True)
class Proof:
    """What a probe said of one runtime on one node.

    Attributes:
        result: `ok` or `failed`.
        seconds: From the probe pod's creation to its word; None where an earlier probe is still good.
        containerd: Its version, from the installer's own look at the node, else from the kubelet.
        reason: Why it failed, in one sentence.
        code: The same as a stable word.
    """

    node: str
    arch: str
    shim: str
    version: str
    handler: str
    containerd: str
    result: str
    seconds: float | None = None
    reason: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class RuntimeResult:
    """Answer of `runtime install`, `verify`, `upgrade` and `remove`.

    Attributes:
        kind: `RuntimeInstallation`, `RuntimeVerification`, `RuntimeUpgrade` or `RuntimeRemoval`.
        ok: Whether it is as asked for.
        proofs: One for each node and runtime.
        shims: `name`, `version`, `handler` of what the nodes have now.
        steps: What was done; none when it was so already.
        changes: For `--dry-run`: whether there is anything to do.
        facts: More members of the document.
    """

    kind: str
    ok: bool
    cluster: str
    proofs: tuple[Proof, ...] = ()
    shims: tuple[Mapping[str, str], ...] = ()
    steps: tuple[StepRecord, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the document; keys in camelCase."""
        return {
            "ok": self.ok,
            "cluster": {"name": self.cluster},
            "shims": [dict(shim) for shim in self.shims],
            "nodes": [camel(proof) for proof in self.proofs],
            "steps": [camel(step) for step in self.steps],
            **self.facts,
            "error": None,
        }

    def tables(self) -> list[Table]:
        """Return what was planned, or the proofs and below them the reasons of those that failed."""
        if any(step.state == "planned" for step in self.steps):
            return [Table(("STEP", "WHAT IT DOES"), tuple((step.name, step.summary) for step in self.steps))]
        if not self.proofs:
            shown = self.facts.get("removed") if self.kind == "RuntimeRemoval" else self.shims
            title = "Removed" if self.kind == "RuntimeRemoval" else None
            return [Table(("SHIM", "VERSION", "HANDLER"), tuple(tuple(shim.values()) for shim in shown or ()), title)]
        failed = [proof for proof in self.proofs if proof.result != "ok"]
        columns = ("NODE", "ARCH", "RUNTIME", "CONTAINERD", "SECONDS", "RESULT")
        tables = [Table(columns, tuple(_row(proof) for proof in self.proofs))]
        if failed:
            why = tuple((proof.node, _runtime(proof), proof.reason or "") for proof in failed)
            tables.append(Table(("NODE", "RUNTIME", "REASON"), why, "Failed"))
        return tables

    def names(self) -> list[str]:
        """Return `node/NAME/HANDLER` of each proof, else `runtime/HANDLER` of each shim, or the planned steps."""
        if any(step.state == "planned" for step in self.steps):
            return [step.name for step in self.steps]
        if self.proofs:
            return [f"node/{proof.node}/{proof.handler}" for proof in self.proofs]
        return [f"runtime/{shim['handler']}" for shim in (*self.shims, *self.facts.get("removed", ()))]


def _row(proof: Proof) -> tuple[str, ...]:
    seconds = "-" if proof.seconds is None else f"{proof.seconds:.1f}"
    return proof.node, proof.arch, _runtime(proof), proof.containerd or "-", seconds, proof.result


def _runtime(proof: Proof) -> str:
    return f"{proof.shim} {proof.version}".strip()
