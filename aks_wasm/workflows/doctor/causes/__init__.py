"""The causes that a diagnosis knows: pure rules over a look at the cluster, one module a theme, one table of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aks_wasm.workflows.doctor.causes import (
    foreign,
    images,
    installer,
    leaving,
    nodes,
    placing,
    running,
    runtimes,
    spin,
)
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.view import View


@dataclass(frozen=True)
class Theme:
    """Rules about one thing. `about` says what is looked at; without a kind that it `needs` there is nothing to see."""

    name: str
    about: str
    rules: tuple[Callable[[View], Iterator[Finding]], ...]
    needs: str | None = None


THEMES = (
    Theme(
        "nodes",
        "nodes are ready, containerd answers, proofs are of the present boot",
        (nodes.unready_nodes, nodes.outdated_proofs),
    ),
    Theme(
        "installer",
        "the installer may start, and ended well on every node",
        (installer.failed_installs, installer.stale_shims, installer.refused_pods),
    ),
    Theme(
        "runtimes",
        "every RuntimeClass' handler is in effect on the nodes of its pods, with a binary that runs there",
        (runtimes.missing_runtimes, runtimes.broken_binaries, runtimes.bare_nodes),
    ),
    Theme(
        "runtime-class-manager",
        "Shims and RuntimeClasses agree, changes took effect, cgroups are systemd's",
        (
            foreign.differing_handlers,
            foreign.failed_provisions,
            foreign.ignored_changes,
            foreign.missing_cgroup_option,
        ),
        needs="Shim",
    ),
    Theme(
        "images",
        "nodes may pull their images, can unpack them, and run what is in them",
        (images.unusable_images, images.absent_images, images.foreign_binaries),
    ),
    Theme(
        "placing",
        "some node takes every Wasm pod; labels are on pools, not only on nodes",
        (placing.unplaced_pods, placing.labels_beside_pools),
    ),
    Theme(
        "running",
        "no limit, probe, trap or missing interface ends a Wasm pod",
        (
            running.failing_containers,
            running.failing_probes,
            running.exec_in_wasm,
            running.little_cpu,
            running.without_metrics,
        ),
    ),
    Theme(
        "spinkube",
        "each SpinApp has its executor, each executor its RuntimeClass",
        (spin.missing_executors, spin.executors_without_class),
        needs="SpinApp",
    ),
    Theme(
        "leaving",
        "what was deleted goes",
        (leaving.hanging_pods, leaving.hanging_objects, leaving.hanging_namespaces),
    ),
)
