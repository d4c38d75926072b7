"""What a command answers: frozen data that every display can render, as a document, as tables or as names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Table:
    """Rows for people.

    Attributes:
        columns: The headings.
        rows: The cells.
        title: None when there is only one table.
        upright: Whether each row is shown as lines of heading and cell, never wrapped: for text that is to be copied.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None
    upright: bool = False


class Result(Protocol):
    """One answer on stdout."""

    @property
    def kind(self) -> str:
        """The document's `kind`, for example `UpResult`."""

    def to_dict(self) -> dict[str, Any]:
        """Return the members of the document beside `apiVersion` and `kind`."""

    def tables(self) -> list[Table]:
        """Return what `-o table` shows."""

    def names(self) -> list[str]:
        """Return what `-o name` shows, one a line."""


@dataclass(frozen=True)
class StepRecord:
    """How a step went: `done`, `skipped`, `failed`, `planned` or `not-run`."""

    name: str
    state: str
    seconds: float = 0.0
    summary: str = ""


@dataclass(frozen=True)
class WorkloadState:
    """A workload as the cluster sees it."""

    name: str
    kind: str
    shim: str
    ready: bool
    replicas: str
    endpoint: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class RuntimeState:
    """A shim on a pool. `nodes` and `proved` count nodes."""

    shim: str
    version: str
    runtime_class: str
    handler: str
    node_pool: str
    nodes: int
    proved: int


@dataclass(frozen=True)
class NodePoolState:
    """A node pool as the service sees it."""

    name: str
    state: str
    arch: str | None
    vm_size: str | None
    count: int
    mode: str
    route: str
    min: int | None = None
    max: int | None = None


@dataclass(frozen=True)
class ClusterState:
    """The cluster and what it hangs on; `feature` and `provider` only where the provider has them."""

    name: str
    target: str
    state: str
    location: str | None = None
    kubernetes_version: str | None = None
    resource_group: str | None = None
    owner: str | None = None
    feature: str | None = None
    provider: str | None = None
    expires: str | None = None


@dataclass(frozen=True)
class ClusterResult:
    """Answer of `up`, `plan`, `status` and `down`.

    Attributes:
        kind: `UpResult`, `PlanResult`, `StatusResult` or `DownResult`.
        ok: Whether everything asked for is so.
        changes: For `plan`: whether there is anything to do.
        facts: More members of the document, for example `deleted` and `left` of `down`.
    """

    kind: str
    ok: bool
    cluster: ClusterState
    node_pools: tuple[NodePoolState, ...] = ()
    runtimes: tuple[RuntimeState, ...] = ()
    workloads: tuple[WorkloadState, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    changes: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the document; keys in camelCase."""
        document: dict[str, Any] = {
            "ok": self.ok,
            "cluster": camel(self.cluster),
            "nodePools": [camel(pool) for pool in self.node_pools],
            "runtimes": [camel(runtime) for runtime in self.runtimes],
            "workloads": [camel(workload) for workload in self.workloads],
            "steps": [camel(step) for step in self.steps],
            "error": None,
        }
        if self.kind == "PlanResult":
            document["changes"] = self.changes
        return document | dict(self.facts)

    def tables(self) -> list[Table]:
        """Return a table for each layer that has something in it."""
        layers: list[tuple[str, tuple[Any, ...]]] = [
            ("Cluster", (self.cluster,)),
            ("Node pools", self.node_pools),
            ("Runtimes", self.runtimes),
            ("Workloads", self.workloads),
        ]
        if self.kind == "PlanResult":
            return [Table(("STEP", "WHAT IT DOES"), tuple((step.name, step.summary) for step in self.steps))]
        return [records_table(records, title) for title, records in layers if records]

    def names(self) -> list[str]:
        """Return `kind/name` of each thing."""
        if self.kind == "PlanResult":
            return [step.name for step in self.steps]
        return [
            f"cluster/{self.cluster.name}",
            *(f"nodepool/{pool.name}" for pool in self.node_pools),
            *(f"runtime/{runtime.runtime_class}" for runtime in self.runtimes),
            *(f"workload/{workload.name}" for workload in self.workloads),
        ]


@dataclass(frozen=True)
class ListResult:
    """Records of one kind, for example `NodePoolList`; `prefix` makes the names, as in `nodepool/wasm`."""

    kind: str
    prefix: str
    items: tuple[Any, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return `items`, keys in camelCase."""
        return {"items": [camel(item) for item in self.items]}

    def tables(self) -> list[Table]:
        """Return one table."""
        return [records_table(self.items, None)]

    def names(self) -> list[str]:
        """Return `prefix/name` of each."""
        return [f"{self.prefix}/{item.name}" for item in self.items]


@dataclass(frozen=True)
class ActionResult:
    """Something was done (or found done already) to one thing, for example `FeatureResult`."""

    kind: str
    name: str
    values: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the values."""
        return dict(self.values)

    def tables(self) -> list[Table]:
        """Return the values side by side."""
        return [Table(tuple(_heading(key) for key in self.values), (tuple(_cell(v) for v in self.values.values()),))]

    def names(self) -> list[str]:
        """Return the one name."""
        return [self.name]


def camel(record: Any) -> dict[str, Any]:
    """Return a dataclass as a dict with camelCase keys."""
    return {_camel_key(name): getattr(record, name) for name in record.__dataclass_fields__}


def records_table(records: tuple[Any, ...], title: str | None) -> Table:
    """Lay records of one dataclass out as a table, leaving out columns that are empty in all of them."""
    if not records:
        return Table((), (), title)
    fields = list(records[0].__dataclass_fields__)
    shown = [name for name in fields if any(getattr(record, name) not in (None, "", ()) for record in records)]
    columns = tuple(name.replace("_", " ").upper() for name in shown)
    return Table(columns, tuple(tuple(_cell(getattr(r, name)) for name in shown) for r in records), title)


def _camel_key(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _heading(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).upper()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{round(value, 3):g}" if isinstance(value, float) else str(value)
