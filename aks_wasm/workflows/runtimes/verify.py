"""`runtime verify`: proof, not labels. A fresh probe through each handler on each node that should have it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import AksWasmError, UsageError
from aks_wasm.events import StepFailed, StepFinished, StepStarted, Warned
from aks_wasm.kube.workloads import owned_by
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.installer import INSTALLER, KEEPER, probe_image_key
from aks_wasm.shims.labels import COMPONENT, READY, SYSTEM_NAMESPACE, ready_label
from aks_wasm.shims.node_report import last_report
from aks_wasm.shims.preview import preview_of
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.steps.runtime import is_ready
from aks_wasm.steps.shims import look_at_installer
from aks_wasm.steps.trial import Trial, Verdict, attempt, sweep
from aks_wasm.waits import Patience
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.runtimes.answers import Proof, RuntimeResult
from aks_wasm.workflows.runtimes.images import probe_archives
from aks_wasm.workflows.runtimes.site import Node, Site, is_marked, labels_of, name_of

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

AT_ONCE = 8  # nodes; the probes of one node come one after the other
TRIAL_SECONDS = 120.0  # a component of 18 MB compiles for about 10 s; a node that is busy takes its time


def verify(site: Site, words: Sequence[str] = (), *, node: str | None = None) -> RuntimeResult:
    """Prove every runtime that the cluster should have on every node that should have it.

    Args:
        site: The cluster.
        words: Only these shims, as `NAME` or `NAME@VERSION`.
        node: Only this node.

    Raises:
        UsageError: There is nothing to verify.
    """
    run, client = site.run, site.run.connect()
    trials = [trial for trial in _trials(site, words) if node in (None, trial.node_name)]
    if not trials:
        asked = ", ".join(f"`{word}`" for word in words) or (f"a runtime on `{node}`" if node else "a runtime")
        raise UsageError(
            f"no node should have {asked}", code="NothingToVerify", hint="`aks-wasm runtime list` shows what there is"
        )
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


def installer_trials(site: Site, shims: Iterable[Shim], nodes: Iterable[Node]) -> list[Trial]:
    """Return the trials of shims that our installer puts on nodes."""
    shims = tuple(shims)
    archives = probe_archives(site.run, shims)
    return [
        Trial(node, shim, probe_class_name(shim.handler), archives[probe_image_key(shim)].name, shim.handler)
        for node in nodes
        for shim in shims
    ]


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


def _trials(site: Site, words: Sequence[str]) -> list[Trial]:
    client = site.run.connect()
    present = look_at_installer(client, site.run.spec.name)
    marked = [node for node in client.list("Node") if is_marked(node)]
    shims = [shim for shim in present.shims if _is_asked(shim, words)]
    listed = {shim.handler for shim in present.shims}
    return [
        *installer_trials(site, shims, marked),
        *_brought_trials(site, words, listed),
        *_service_trials(site, words),
    ]


def _brought_trials(site: Site, words: Sequence[str], listed: Collection[str]) -> list[Trial]:
    """Return the trials of our RuntimeClasses that no installer speaks for: the provider has brought their shims."""
    run, client = site.run, site.run.connect()
    classes = {name_of(found) for found in client.list("RuntimeClass", labels=owned_by(run.spec.name))}
    trials: list[Trial] = []
    for shim in select(run.spec.shims):
        if shim.handler in listed or shim.runtime_class not in classes or not _is_asked(shim, words):
            continue
        image = delivered(run, shim)
        if image is None:
            run.emit(Warned(f"`{shim.name}` is not tried: no registry is known that its nodes pull the probe from"))
            continue
        probing = probe_class_name(shim.handler)
        name = probing if probing in classes else shim.runtime_class
        trials += [Trial(node, shim, name, image, shim.handler, pulls=True) for node in site.nodes()]
    return trials


def _service_trials(site: Site, words: Sequence[str]) -> list[Trial]:
    """Return the trials of what nodes have without our installer: from the service's preview, or from the provider."""
    client, run = site.run.connect(), site.run
    nodes = client.list("Node")
    trials = []
    for found in client.list("RuntimeClass"):
        selector = (found.get("scheduling") or {}).get("nodeSelector") or {}
        shim = preview_of(name_of(found), str(found["handler"]))
        if shim is None or not _is_asked(shim, words) or not selector:
            continue
        having = [node for node in nodes if selector.items() <= labels_of(node).items()]
        image = delivered(run, shim) if having else None
        if having and image is None:
            run.emit(
                Warned(f"`{name_of(found)}` is not tried: no registry is known that its nodes pull the probe from")
            )
        if image is not None:
            trials += [Trial(n, shim, name_of(found), image, str(found["handler"]), pulls=True) for n in having]
    return trials


def delivered(run: Run, shim: Shim) -> str | None:
    """Bring the probe's image to where nodes get it; None where there is no such place."""
    if run.provider.info.images == "none":
        return None
    from aks_wasm.wasm.oci import content_of, package, repository_name
    from aks_wasm.workflows.images import PROBES, images_of

    key = probe_image_key(shim)
    repository = repository_name(run.provider.info.image_prefix, run.spec.name, key)
    folder = images_of(run.settings.home, run.spec.name)
    archive = package(content_of(PROBES[key]), repository=repository, folder=folder)
    run.provider.deliver_image(run.spec, archive, run.patience())
    return archive.name


def _is_asked(shim: Shim, words: Sequence[str]) -> bool:
    if not words:
        return True
    pairs = [word.partition("@") for word in words]
    return any(shim.name == name and version in ("", shim.version, shim.version[1:]) for name, _, version in pairs)


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
