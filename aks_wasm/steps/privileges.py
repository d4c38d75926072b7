"""Whether a cluster lets the installer's pods be what they must be: privileged, with the node's root mounted.

Answers demand 36. AKS Automatic keeps the Pod Security baseline by policies of its own, Deployment Safeguards and other
admission webhooks may do so anywhere; a dry run asks all of them, and nothing is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aks_wasm.errors import NotAllowed, Problem, Refused, ServiceError
from aks_wasm.kube.sayings import hear

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

_ENFORCE = "pod-security.kubernetes.io/enforce"
_NAME = "aks-wasm-privileged-check"
_MANAGED = "aks-managed-"  # what AKS Automatic calls its own policies
_GATEKEEPER = "validation.gatekeeper.sh"
_EXCLUDE = "az aks safeguards update -g GROUP -n CLUSTER --level Enforce --excluded-ns"


def require_privileges(client: KubeClient, namespace: str, *, image: str) -> None:
    """Refuse to go on where privileged pods are denied.

    Raises:
        Refused: They are, with the cluster's own words and what to do.
    """
    problem = privileged_allowed(client, namespace, image=image)
    if problem is not None:
        raise Refused(f"{problem.field}: {problem.message}", code="PrivilegedPodsDenied", hint=problem.hint)


def privileged_allowed(client: KubeClient, namespace: str, *, image: str) -> Problem | None:
    """Tell why a privileged pod that mounts its node's root can't be in a namespace, or None when it can.

    A namespace that is not there yet is judged by `default`, but for Pod Security, which is told by a namespace's own
    labels: ours will have them.

    Args:
        client: The cluster.
        namespace: Where the installer is to work.
        image: The installer's; some policies allow host paths to listed images only.

    Raises:
        NotAllowed: The user may not ask.
    """
    there = client.get("Namespace", namespace) is not None
    denied = _denied(client, _pod(namespace if there else "default", image))
    if denied and _by_pod_security(denied):
        denied = _denied(client, _namespace(namespace))  # may its level be what we need?
    return None if not denied else Problem(f"namespace `{namespace}`", _message(denied), _way_out(denied, namespace))


def _denied(client: KubeClient, manifest: dict[str, Any]) -> str:
    """Return the words with which admission denies an object; an empty text when it would take it."""
    try:
        client.apply(manifest, dry_run=True)
    except (NotAllowed, ServiceError) as error:
        heard = hear(error.message)
        webhook = "admission webhook" in error.message and "denied the request" in error.message
        if webhook or (heard is not None and heard.code in {"PodSecurityDenied", "PolicyDenied"}):
            return error.message
        raise
    return ""


def _by_pod_security(words: str) -> bool:
    heard = hear(words)
    return heard is not None and heard.code == "PodSecurityDenied"


def _message(words: str) -> str:
    said = words.partition(" is forbidden: ")[2] or words.partition(": ")[2] or words
    return f"the cluster denies privileged pods that mount their node's root, as the shim installer's must be: {said}"


def _way_out(words: str, namespace: str) -> str:
    if _MANAGED in words:
        return (
            "AKS Automatic keeps this baseline: take a cluster of the Base SKU, or exclude the namespace with "
            f"`{_EXCLUDE} {namespace}` (AKS has refused that on Automatic clusters: Azure/AKS#5442)"
        )
    if _GATEKEEPER in words:
        return (
            f"exclude the namespace from Deployment Safeguards with `{_EXCLUDE} {namespace}`, or from the Azure Policy "
            "assignment that denies it (its parameter `excludedNamespaces`)"
        )
    return f"have whoever owns that policy exclude the namespace `{namespace}`"


def _pod(namespace: str, image: str) -> dict[str, Any]:
    container = {
        "name": "check",
        "image": image,
        "securityContext": {"privileged": True},
        "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "100m", "memory": "100Mi"}},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _NAME, "namespace": namespace},
        "spec": {"containers": [container], "volumes": [{"name": "host", "hostPath": {"path": "/"}}]},
    }


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {_ENFORCE: "privileged"}}}
