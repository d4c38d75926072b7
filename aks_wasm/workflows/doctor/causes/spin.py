"""SpinKube: applications without an executor in their namespace, executors without a RuntimeClass.

Answers demand 40 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import Manifest, name_of, place_of, shim_of
from aks_wasm.workflows.doctor.view import View

# The last release; its file has the one executor `containerd-shim-spin` (facts wasm.md, 4).
_EXECUTOR_FILE = (
    "https://github.com/spinframework/spin-operator/releases/download/v0.6.1/spin-operator.shim-executor.yaml"
)
_DEFAULT = "containerd-shim-spin"


def missing_executors(view: View) -> Iterator[Finding]:
    """Find SpinApps whose namespace has no executor of that name."""
    there = {(executor["metadata"].get("namespace"), name_of(executor)) for executor in view.of("SpinAppExecutor")}
    for app in view.of("SpinApp"):
        namespace = str(app["metadata"].get("namespace"))
        wanted = str(app.get("spec", {}).get("executor") or _DEFAULT)
        if (namespace, wanted) in there or app["metadata"].get("deletionTimestamp"):
            continue
        elsewhere = sorted(str(place) for place, name in there if name == wanted)
        told = f"; there is one in {', '.join(elsewhere)}" if elsewhere else ""
        yield Finding(
            "ExecutorMissing",
            f"the namespace `{namespace}` has no SpinAppExecutor `{wanted}`, which each needs for itself{told}",
            place_of(app),
            demand=40,
            evidence=f"spec.executor is {wanted}",
            command=_copied(view, elsewhere, namespace, wanted),
            group=namespace + wanted,
        )


def _copied(view: View, elsewhere: list[str], namespace: str, executor: str) -> str:
    write = view.ways.kubectl("--namespace", namespace, "apply", "--filename")
    if executor == _DEFAULT or not elsewhere:
        return f"{write} {_EXECUTOR_FILE}"
    read = view.ways.kubectl("--namespace", elsewhere[0], "get", "spinappexecutor", executor, "--output", "yaml")
    return f"{read} | sed 's/^  namespace: .*/  namespace: {namespace}/' | {write} -"


def executors_without_class(view: View) -> Iterator[Finding]:
    """Find executors that name a RuntimeClass which does not exist."""
    for executor in view.of("SpinAppExecutor"):
        deployment = executor.get("spec", {}).get("deploymentConfig") or {}
        wanted = deployment.get("runtimeClassName")
        if not wanted or wanted in view.runtime_classes or executor["metadata"].get("deletionTimestamp"):
            continue
        near = _spin_classes(view)
        command = view.ways.install("spin")
        if near and view.ways.spec is None:
            patch = f'{{"spec":{{"deploymentConfig":{{"runtimeClassName":"{near[0]}"}}}}}}'
            where = ("--namespace", str(executor["metadata"].get("namespace")))
            command = view.ways.kubectl(
                *where, "patch", "spinappexecutor", name_of(executor), "--type", "merge", "--patch", patch
            )
        yield Finding(
            "RuntimeClassMissing",
            f"it names the RuntimeClass `{wanted}`, which does not exist",
            place_of(executor),
            demand=40,
            evidence=f"spec.deploymentConfig.runtimeClassName is {wanted}; for Spin: {', '.join(near) or 'none'}",
            command=command,
        )


def _spin_classes(view: View) -> list[str]:
    return [name_of(item) for item in view.of("RuntimeClass") if _is_spin(item)]


def _is_spin(runtime_class: Manifest) -> bool:
    return shim_of(str(runtime_class.get("handler"))) == "spin"
