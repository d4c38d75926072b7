"""`runtime verify`: proof, not labels. A fresh probe through each handler on each node that should have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import AksWasmError, UsageError
from aks_wasm.events import StepFailed, StepFinished, StepStarted
from aks_wasm.kube.conditions import wait_gone
from aks_wasm.kube.workloads import owned_by
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installer import INSTALLER, KEEPER
from aks_wasm.shims.installer.objects import namespace
from aks_wasm.shims.labels import COMPONENT, READY, SYSTEM_NAMESPACE, ready_label
from aks_wasm.shims.node_report import last_report
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.steps.runtime import is_ready
from aks_wasm.steps.trial import Trial, Verdict, attempt, sweep
from aks_wasm.waits import Patience
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.site import Node, Site, labels_of, name_of
from aks_wasm.workflows.runtimes.trials import Asked, all_trials

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

AT_ONCE = 8  # nodes; the probes of one node come one after the other
GOING_SECONDS = 60.0
TRIAL_SECONDS = 120.0  # a component of 18 MB compiles for about 10 s; a node that is busy takes its time


def verify(site: Site, asked: Asked | None = None, *, node: str | None = None) -> RuntimeResult:
    """Prove every runtime that the cluster should have on every node that should have it.

    Args:
        site: The cluster.
        asked: Only these shims, and what their probes run.
        node: Only this node.

    Raises:
        UsageError: There is nothing to verify, or no image that could be run.
    """
    run, client = site.run, site.run.connect()
    asked = asked or Asked()
    trials = [trial for trial in all_trials(site, asked) if node in (None, trial.node_name)]
    if not trials:
        what = ", ".join(f"`{word}`" for word in asked.words) or (f"a runtime on `{node}`" if node else "a runtime")
        raise UsageError(
            f"no node should have {what}", code="NothingToVerify", hint="`aks-wasm runtime list` shows what there is"
        )
    with probes_at_home(client, run):
        sweep(client, owned_by(run.spec.name), run.patience())
        proofs = prove(run, trials)
    shims = {trial.shim.handler: trial.shim for trial in trials}
    return RuntimeResult(
        "RuntimeVerification",
        ok=all(proof.result == "ok" for proof in proofs),
        cluster=run.spec.name,
        proofs=proofs,
        shims=tuple({"name": s.name, "version": s.version, "handler": s.handler} for s in shims.values()),
    )


@contextmanager
def probes_at_home(client: KubeClient, run: Run) -> Iterator[None]:
    """Have the namespace that probes live in; one that had to be made for them is deleted again."""
    made = client.get("Namespace", SYSTEM_NAMESPACE) is None
    if made:
        client.apply(namespace(run.spec.name))
    try:
        yield
    finally:
        if made:
            client.delete("Namespace", SYSTEM_NAMESPACE)
            wait_gone(client, "Namespace", SYSTEM_NAMESPACE, None, Patience(GOING_SECONDS, run.clock))


def prove(run: Run, trials: Sequence[Trial]) -> tuple[Proof, ...]:
    """Run trials, nodes side by side; the proofs are in the order of the trials."""
    client = run.connect()
    patience = Patience(min(run.timeout, TRIAL_SECONDS), run.clock)
    by_node: dict[str, list[Trial]] = {}
    for trial in trials:
        by_node.setdefault(trial.node_name, []).append(trial)

    def on_node(name: str) -> list[Verdict]:
        start = run.clock.now()
        run.emit(StepStarted(f"node/{name}", f"probe {_listed(by_node[name])} on `{name}`"))
        verdicts = [_verdict(client, trial, run.spec.name, patience) for trial in by_node[name]]
        errors = [verdict.error for verdict in verdicts if verdict.error is not None]
        seconds = run.clock.now() - start
        run.emit(
            StepFailed(f"node/{name}", seconds, errors[0].message) if errors else StepFinished(f"node/{name}", seconds)
        )
        return verdicts

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="verify") as threads:
        versions = threads.submit(containerd_versions, client)
        verdicts = [verdict for group in threads.map(on_node, by_node) for verdict in group]
        return tuple(_proof(verdict, versions.result()) for verdict in verdicts)


def _verdict(client: KubeClient, trial: Trial, owner: str, patience: Patience) -> Verdict:
    if not is_ready(trial.node):
        error = AksWasmError("the node is not Ready", code="NodeNotReady")
        return Verdict(trial, 0.0, error)
    return attempt(client, trial, owner, patience)


def containerd_versions(client: KubeClient) -> Mapping[str, str]:
    """Return each node's containerd as our installer's pod there has found it; nodes without one are left out."""
    found = {}
    for pod in client.list("Pod", namespace=SYSTEM_NAMESPACE, labels=f"{COMPONENT}={INSTALLER}"):
        try:
            report = last_report(client.logs(SYSTEM_NAMESPACE, pod["metadata"]["name"], KEEPER))
        except AksWasmError:
            continue  # it has not started yet
        if report is not None:
            found[str(pod["spec"].get("nodeName"))] = report.containerd
    return found


def _proof(verdict: Verdict, versions: Mapping[str, str]) -> Proof:
    trial, error = verdict.trial, verdict.error
    proof = proof_of(trial.node, trial.shim, trial.handler, versions)
    if error is not None:
        return replace(proof, result="failed", seconds=round(verdict.seconds, 1), reason=error.message, code=error.code)
    label = ready_label(trial.shim.handler)
    if trial.runtime_class == probe_class_name(trial.handler) and labels_of(trial.node).get(label) != READY:
        why = (
            f"the probe ran, but the node is not marked ready: it lacks the label `{label}`, so that no pod goes there"
        )
        return replace(proof, result="failed", seconds=round(verdict.seconds, 1), reason=why, code="NotMarked")
    return replace(proof, seconds=round(verdict.seconds, 1))


def proof_of(node: Node, shim: Shim, handler: str, versions: Mapping[str, str]) -> Proof:
    """Return the proof of a runtime that works on a node."""
    info: Mapping[str, Any] = node.get("status", {}).get("nodeInfo", {})
    said = str(info.get("containerRuntimeVersion", "")).removeprefix("containerd://")
    return Proof(
        node=name_of(node),
        arch=str(info.get("architecture") or labels_of(node).get("kubernetes.io/arch", "")),
        shim=shim.name,
        version=shim.version,
        handler=handler,
        containerd=versions.get(name_of(node)) or said,
        result="ok",
    )


def _listed(trials: Sequence[Trial]) -> str:
    return ", ".join(f"{trial.shim.name} {trial.shim.version}" for trial in trials)
