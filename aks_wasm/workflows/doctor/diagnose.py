"""`doctor`: looks at this machine and into the cluster, and answers with every cause that it knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from aks_wasm.errors import AksWasmError, NotAllowed, Problem, Unreachable
from aks_wasm.providers.base import Observed, ObservedCluster
from aks_wasm.workflows.doctor.causes import THEMES, Theme
from aks_wasm.workflows.doctor.causes.unexplained import unexplained_pods
from aks_wasm.workflows.doctor.findings import Check, DoctorResult, Finding, merged
from aks_wasm.workflows.doctor.gather import Gathered, gather
from aks_wasm.workflows.doctor.machine import look_at_machine
from aks_wasm.workflows.doctor.view import View
from aks_wasm.workflows.doctor.ways import Ways

if TYPE_CHECKING:
    from aks_wasm.kube.access import ClusterAccess
    from aks_wasm.kube.client import KubeClient
    from aks_wasm.settings import Settings
    from aks_wasm.spec.models import ClusterSpec
    from aks_wasm.workflows.context import Run

_AT_REST = "Succeeded"
# Hints quote other things as well: only what is a command line counts.
_QUOTED = re.compile(r"`((?:sudo|aks-wasm|az|kubectl|docker|podman|nerdctl|--set) [^`]+)`")


def diagnose_given(access: ClusterAccess) -> DoctorResult:
    """Diagnose the cluster that a kubeconfig leads to.

    Raises:
        UsageError: The file cannot be read, or has no such context.
        Unreachable: Nothing answers there.
    """
    from aks_wasm.kube.client import KubeClient

    with closing(KubeClient.from_kubeconfig(access.text())) as client:
        gathered = gather(client, Ways(access=tuple(access.arguments())))
        return _result([_reached(client, gathered)], [], gathered)


def diagnose(spec: ClusterSpec, settings: Settings, open_run: Callable[[], Run], ways: Ways) -> DoctorResult:
    """Diagnose the cluster of the file, and this machine where it is to carry it.

    Args:
        spec: What is wanted.
        settings: The environment.
        open_run: Opens the provider; only done where this machine can carry one.
        ways: How commands are written; the cluster's own names are added.
    """
    checks, findings = look_at_machine(spec, settings.home, ways)
    if findings:
        return DoctorResult(tuple(checks), merged(findings))
    run = open_run()
    observed = run.provider.observe(spec)
    problems = _problems(run, observed)
    checks.append(Check("before up", "found" if problems else "ok", "nothing that `up` needs is missing"))
    findings += [_of_problem(problem, ways) for problem in problems]
    cluster = observed.cluster
    if cluster is None:
        words = f"there is no cluster `{spec.name}` to look into; `{ways.up()}` makes it"
        return DoctorResult((*checks, Check("cluster", "skipped", words)), merged(findings))
    of_cluster = _state(cluster, ways)
    checks.append(Check("cluster", "found" if of_cluster else "ok", f"`{cluster.name}` is {_state_of(cluster)}"))
    findings += of_cluster
    if not cluster.running or cluster.api_server is None:
        words = f"nobody answers in a cluster that is {_state_of(cluster)}"
        return DoctorResult((*checks, Check("inside", "skipped", words)), merged(findings))
    try:
        return _inside(run, cluster, ways, DoctorResult(tuple(checks), tuple(findings)))
    except NotAllowed:
        raise
    except AksWasmError as error:
        if cluster.state == _AT_REST:
            raise
        return DoctorResult((*checks, Check("inside", "skipped", error.message)), merged(findings))


def _inside(run: Run, cluster: ObservedCluster, ways: Ways, before: DoctorResult) -> DoctorResult:
    """Look into the cluster and add what is found to what was found before."""
    client = run.connect()
    pools = {pool.name: pool.labels for pool in cluster.node_pools} if run.provider.info.has_resource_groups else None
    gathered = gather(client, _of_this_cluster(ways, run), pools)
    return _result([*before.checks, _reached(client, gathered)], before.findings, gathered)


def _problems(run: Run, observed: Observed) -> list[Problem]:
    try:
        return run.provider.check(run.spec, observed)
    except (NotAllowed, Unreachable):
        raise
    except AksWasmError as error:  # a cluster that is somebody else's, for example
        return [Problem("", error.message, error.hint)]


def _of_problem(problem: Problem, ways: Ways) -> Finding:
    """Return the finding for a problem; the command is the one that its hint quotes."""
    quoted = _QUOTED.search(problem.hint or "")
    said = quoted[1] if quoted else ""
    command = ways.up(said.removeprefix("--set ").partition(" --set ")[0]) if said.startswith("--set ") else said
    return Finding(
        "WouldFail", problem.message, problem.field or "this machine", evidence=problem.hint, command=command or None
    )


def examine(view: View) -> Iterator[tuple[Theme, tuple[Finding, ...] | None]]:
    """Yield each theme with what its rules find; None where the cluster has nothing of its kind."""
    for theme in THEMES:
        if theme.needs is not None and theme.needs not in view.objects:
            yield theme, None
        else:
            yield theme, tuple(finding for rule in theme.rules for finding in rule(view))


def _result(checks: Iterable[Check], findings: Iterable[Finding], gathered: Gathered) -> DoctorResult:
    done, found = list(checks), list(findings)
    for theme, told in examine(gathered.view):
        if told is None:
            done.append(Check(theme.name, "skipped", f"the cluster has no kind `{theme.needs}`"))
        else:
            done.append(Check(theme.name, "found" if told else "ok", theme.about))
            found += told
    left = tuple(unexplained_pods(gathered.view, found))
    about = "every Wasm pod is ready, or a finding says why not"
    done.append(Check("pods", "found" if left else "ok", about))
    found += left
    done += [Check(f"read {kind}", "skipped", why) for kind, why in gathered.unread.items()]
    return DoctorResult(tuple(done), merged(found))


def _reached(client: KubeClient, gathered: Gathered) -> Check:
    view = gathered.view
    about = (
        f"Kubernetes {client.version()}; nodes: {len(view.nodes)}, pods: {len(view.of('Pod'))}, RuntimeClasses: "
        f"{len(view.runtime_classes)}, nodes that tell their containerd's configuration: {len(view.reports)}"
    )
    return Check("inside", "ok", about)


def _state_of(cluster: ObservedCluster) -> str:
    return cluster.state if cluster.running else "stopped"


def _state(cluster: ObservedCluster, ways: Ways) -> list[Finding]:
    """Find a cluster that stands still, and pools that failed."""
    found = []
    if not cluster.running:
        words = "the cluster stands still: nothing in it runs"
        found.append(Finding("ClusterStopped", words, f"cluster {cluster.name}", command=ways.up()))
    elif cluster.state == "Failed":
        found.append(
            Finding(
                "ClusterFailed",
                "the service says that its last operation on the cluster failed",
                f"cluster {cluster.name}",
                evidence=cluster.error,
                command=ways.up(),
            )
        )
    for pool in cluster.node_pools:
        if pool.state == "Failed":
            words = "the service says that its last operation on the node pool failed"
            place = f"node pool {pool.name}"
            found.append(Finding("NodePoolFailed", words, place, evidence=pool.error, command=ways.up()))
    return found


def _of_this_cluster(ways: Ways, run: Run) -> Ways:
    """Add what kubectl and az call the cluster; our own kubeconfig of it is written where `up` has not yet."""
    from aks_wasm.kube import kubeconfig

    path = kubeconfig.own_file(run.settings.home, run.spec.name)
    if not path.exists():
        kubeconfig.write(path, kubeconfig.renamed(run.provider.kubeconfig(run.spec), run.spec.name))
    azure = (run.spec.resource_group, run.spec.name) if run.provider.info.has_resource_groups else None
    return replace(ways, access=("--kubeconfig", str(path)), azure=azure)
