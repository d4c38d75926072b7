"""Which nodes of a given cluster get runtimes when nobody says which."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from aks_wasm.shims.labels import INSTALLED, SHIMS
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.runtimes.site import GivenSite, name_of

MASTER = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def node(name: str, *, ready: bool = True, **spec: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    labels = {"kubernetes.io/os": "linux", **spec.pop("labels", {})}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"conditions": conditions}}


class Nodes:
    """The API of a cluster that has only these."""

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self._nodes = list(nodes)

    def list(self, _kind: str) -> list[dict[str, Any]]:
        return self._nodes

    def get(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(
    ("nodes", "chosen"),
    [
        ((node("master", taints=[MASTER]), node("a"), node("b")), ["a", "b"]),
        ((node("master", taints=[MASTER]), node("a"), node("b", ready=False)), ["a"]),
        ((node("master", taints=[MASTER]), node("a", ready=False)), ["a"]),  # it is waited for
        ((node("master", taints=[MASTER]),), ["master"]),
        ((node("a"), node("w", labels={"kubernetes.io/os": "windows"})), ["a"]),
        ((node("a"), node("b", ready=False, labels={SHIMS: INSTALLED})), ["a", "b"]),
    ],
)
def test_workers_are_chosen_and_the_control_plane_only_where_there_is_no_other(
    nodes: tuple[dict[str, Any], ...], chosen: list[str]
) -> None:
    run = cast(Run, SimpleNamespace(connect=lambda: Nodes(*nodes)))
    assert [name_of(found) for found in GivenSite(run).nodes()] == chosen
