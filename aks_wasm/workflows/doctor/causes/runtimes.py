"""A pod's handler is not what its node has: which of the many reasons it is.

Answers demands 28, 30, 32 and 34 of shared/facts/demands.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from aks_wasm.kube.sayings import Heard
from aks_wasm.shims.labels import READY, ready_label
from aks_wasm.shims.runtime_class_manager import why_dropped
from aks_wasm.workflows.doctor.causes.foreign import provisioned_by
from aks_wasm.workflows.doctor.causes.installer import node_errors
from aks_wasm.workflows.doctor.findings import Finding
from aks_wasm.workflows.doctor.objects import arch_of, labels_of, name_of, node_of, place_of, shim_of
from aks_wasm.workflows.doctor.view import Complaint, View
from aks_wasm.workflows.doctor.ways import Ways


def missing_runtimes(view: View) -> Iterator[Finding]:
    """Find pods whose node has no runtime of that name, and say why it has not."""
    errors = node_errors(view)
    for complaint, heard in view.heard("NoRuntime"):
        node = node_of(complaint.pod) or ""
        if node not in errors:  # the installer itself says what is wrong there
            yield _why(view, complaint, node, heard.found["handler"])


def _why(view: View, complaint: Complaint, node: str, handler: str) -> Finding:
    live, report = view.nodes.get(node, {"metadata": {}}), view.reports.get(node)
    install = view.ways.install(shim_of(handler) or "")
    near = _near(handler, report.handlers) if report else None
    if labels_of(live).get(ready_label(handler)) == READY:
        message = f"the node is marked ready for `{handler}` and has lost it: it was reimaged, or its file replaced"
        return _finding(complaint, node, "NodeBare", 32, message, install)
    if foreign := provisioned_by(view, live, handler):
        if why := why_dropped(live, report):
            message = f"{foreign.installer} set `{handler}` up, and {why}"
            return _finding(complaint, node, "BlockDropped", 30, message, install)
        message = f"{foreign.installer} counts the node as provisioned, and `{handler}` is not there: it was reimaged"
        return _finding(complaint, node, "NodeBare", 32, message, foreign.again)
    if near:
        named = complaint.pod["spec"].get("runtimeClassName", "")
        message = f"RuntimeClass `{named}` names the handler `{handler}`, and the node calls that shim `{near}`"
        return _finding(complaint, node, "HandlerNamesDiffer", 28, message, rename_handler(view.ways, named, near))
    if report is not None:
        has = ", ".join(report.handlers) or "none"
        message = f"{heard_words(handler)}; in effect there by {report.plugin or 'its configuration'}: {has}"
        return _finding(complaint, node, "NoRuntime", 28, message, install)
    message = f"{heard_words(handler)}, and no installer of ours works there"
    if live in view.marked_nodes():
        message = f"{heard_words(handler)}, though our installer is to work there"
    return _finding(complaint, node, "NoRuntime", 28, message, install)


def heard_words(handler: str) -> str:
    """Say what is missing."""
    return f"the node has no runtime for the handler `{handler}`"


def rename_handler(ways: Ways, runtime_class: str, handler: str) -> str:
    """Return the command that gives a RuntimeClass another handler, which takes making it anew."""
    read = ways.kubectl("get", "runtimeclass", runtime_class, "--output", "yaml")
    write = ways.kubectl("replace", "--force", "--filename", "-")
    return f"{read} | sed 's/^handler: .*/handler: {handler}/' | {write}"


def _near(handler: str, handlers: tuple[str, ...]) -> str | None:
    """Return the handler of the same shim under another name; None when there is none, or more than one."""
    wanted = shim_of(handler)
    near = [other for other in handlers if wanted is not None and shim_of(other) == wanted]
    return near[0] if len(near) == 1 else None


def _finding(complaint: Complaint, node: str, code: str, demand: int, message: str, command: str) -> Finding:
    return Finding(
        code,
        message,
        place_of(complaint.pod),
        node=node or None,
        demand=demand,
        evidence=complaint.evidence,
        command=command,
        group=node,
    )


def broken_binaries(view: View) -> Iterator[Finding]:
    """Find shims whose binary is not there, is for another processor, or gets options that it refuses."""
    for complaint, heard in view.heard("NoShimBinary", "ShimWrongArchitecture", "ShimOptionsInvalid"):
        node = node_of(complaint.pod) or ""
        handler = view.handler_of(complaint.pod) or ""
        install = view.ways.install(shim_of(handler) or "")
        message, demand = _binary_words(view, heard, node)
        foreign = provisioned_by(view, view.nodes.get(node, {"metadata": {}}), handler)
        command = foreign.again if foreign and heard.code == "NoShimBinary" else install
        yield _finding(complaint, node, heard.code, demand, message, command)


def _binary_words(view: View, heard: Heard, node: str) -> tuple[str, int]:
    binary = (heard.found.get("binary") or heard.found.get("path") or "").rpartition("/")[2]
    if heard.code == "NoShimBinary":
        return f"the runtime is configured and its binary `{binary}` is not on the node", 32
    if heard.code == "ShimOptionsInvalid":
        return "containerd before 1.7 passes a shim's options on in a form that it refuses: it must have none", 30
    arch = arch_of(view.nodes.get(node, {"metadata": {}}))
    return f"the shim's binary `{binary}` is not for {arch or 'the architecture of the node'}", 34


def bare_nodes(view: View) -> Iterator[Finding]:
    """Find nodes whose marks say that a shim works there, and whose containerd says otherwise; no pod need wait."""
    for node in view.nodes.values():
        report = view.reports.get(name_of(node))
        marked = [
            label.partition("/")[2]
            for label, value in labels_of(node).items()
            if value == READY and label == ready_label(label.partition("/")[2])
        ]
        lost = [handler for handler in marked if report is not None and handler not in report.handlers]
        if report is not None and lost:
            message = f"the node is marked ready for `{'`, `'.join(lost)}`, and containerd there does not have it"
            evidence = f"in effect by {report.config}: {', '.join(report.handlers)}"
            command = view.ways.install(shim_of(lost[0]) or "")
            yield Finding(
                "NodeBare",
                message,
                place_of(node),
                node=name_of(node),
                demand=32,
                evidence=evidence,
                command=command,
            )
