"""Pods that are not well and that no known cause explains."""

from __future__ import annotations

from typing import Any

from aks_wasm.workflows.doctor.causes.unexplained import unexplained_pods
from tests.unit.workflows.doctor.scenes import event, found, node, pod, runtime_class, unconfigured, view

LONG_AGO = {"creationTimestamp": "2026-11-22T11:00:00Z"}


def left(*objects: dict[str, Any]) -> list[tuple[str, str | None]]:
    scene = view(node(), runtime_class(), *objects)
    return [(one.code, one.evidence) for one in unexplained_pods(scene, found(scene))]


def test_a_pod_that_nobody_explains_is_told_with_its_last_event() -> None:
    stuck = pod(metadata=LONG_AGO)
    older = event(stuck, "FailedMount", "not this", at="2026-11-22T11:10:00Z")
    newer = event(stuck, "FailedMount", 'configmap "settings" not found', at="2026-11-22T11:20:00Z")
    assert left(stuck, older, newer) == [("NotReady", 'event FailedMount: configmap "settings" not found')]


def test_without_an_event_its_condition_speaks() -> None:
    conditions = [{"type": "Ready", "status": "False", "message": "containers with unready status: [main]"}]
    assert left(pod(metadata=LONG_AGO, phase="Running", conditions=conditions)) == [
        ("NotReady", "containers with unready status: [main]")
    ]


def test_who_is_explained_young_well_or_somebody_elses_is_left_out() -> None:
    explained = pod("a", metadata=LONG_AGO)
    young = pod("b", metadata={"creationTimestamp": "2026-11-22T11:59:00Z"})
    well = pod("c", metadata=LONG_AGO, phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    other = pod("d", metadata=LONG_AGO, runtime=None)
    assert left(explained, unconfigured(explained, "aks-wasm-spin-v0-25-1"), young, well, other) == []


def test_a_pod_of_a_node_that_is_down_is_explained_by_it() -> None:
    scene = view(node(ready="Unknown"), runtime_class(), pod(metadata=LONG_AGO, phase="Running"))
    assert list(unexplained_pods(scene, found(scene))) == []
