"""A fresh probe of one runtime on one node: a pod of its own, pinned there, gone afterwards.

Answers demand 32 of shared/facts/demands.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import AksWasmError, Interrupted, NotAllowed, Unreachable
from aks_wasm.kube.conditions import wait_for, wait_gone
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.labels import COMPONENT, SYSTEM_NAMESPACE
from aks_wasm.shims.probe import probe_manifest
from aks_wasm.waits import Patience

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

TRIAL_COMPONENT = "shim-verify"
_SUFFIX_BYTES = 3
_NAME_ROOM = 63 - 1 - 2 * _SUFFIX_BYTES  # a pod's name is also its host name
_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Trial:
    """What is to be tried.

    Attributes:
        node: The node.
        shim: The shim that it should have.
        runtime_class: Through which the probe asks for it; one that sends pods nowhere in particular.
        image: What the probe runs.
        handler: containerd's name for the shim on that node.
        pulls: Whether the node may have to pull the image; else it has it, from the installer or the provider.
    """

    node: Mapping[str, Any]
    shim: Shim
    runtime_class: str
    image: str
    handler: str
    pulls: bool = False

    @property
    def node_name(self) -> str:
        """The node's name."""
        return str(self.node["metadata"]["name"])


@dataclass(frozen=True)
class Verdict:
    """How it went. `error` is why it failed, or None; `seconds` from the pod's creation on."""

    trial: Trial
    seconds: float
    error: AksWasmError | None = None


def manifest_of(trial: Trial, owner: str) -> dict[str, Any]:
    """Return the pod of a trial; each has a name of its own, so that two runs do not meet."""
    manifest = probe_manifest(
        trial.shim,
        node=trial.node_name,
        runtime_class=trial.runtime_class,
        image=trial.image,
        owner=owner,
        pull_policy=None if trial.pulls else "Never",
    )
    metadata, spec = manifest["metadata"], manifest["spec"]
    metadata["name"] = f"{metadata['name'][:_NAME_ROOM].rstrip('-.')}-{secrets.token_hex(_SUFFIX_BYTES)}"
    metadata["labels"][COMPONENT] = TRIAL_COMPONENT
    # Whatever keeps other pods off this node, it should have the runtime: the probe goes there.
    spec["tolerations"] = [{"operator": "Exists"}]
    return manifest


def attempt(client: KubeClient, trial: Trial, owner: str, patience: Patience) -> Verdict:
    """Run a trial; a failure is its verdict and raises nothing.

    Raises:
        Interrupted: By the user.
        NotAllowed: Pods may not be made at all.
        Unreachable: The cluster does not answer.
    """
    manifest = manifest_of(trial, owner)
    name, start, error = manifest["metadata"]["name"], patience.clock.now(), None
    try:
        client.apply(manifest)
        wait_for(client, manifest, patience)
    except (Interrupted, NotAllowed, Unreachable):
        raise
    except AksWasmError as caught:
        error = caught
    finally:
        client.delete("Pod", name, SYSTEM_NAMESPACE)
    return Verdict(trial, patience.clock.now() - start, error)


def sweep(client: KubeClient, owner_labels: str, patience: Patience) -> None:
    """Delete the pods of trials that ended and were left behind by runs that were cut off."""
    left = client.list("Pod", namespace=SYSTEM_NAMESPACE, labels=f"{owner_labels},{COMPONENT}={TRIAL_COMPONENT}")
    for pod in left:
        if pod.get("status", {}).get("phase") in _ENDED:
            client.delete("Pod", pod["metadata"]["name"], SYSTEM_NAMESPACE)
            wait_gone(client, "Pod", pod["metadata"]["name"], SYSTEM_NAMESPACE, patience)
