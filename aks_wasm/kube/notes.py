"""Annotations of nodes that several writers keep their notes in: changed by what they are at this very moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aks_wasm.errors import ServiceError

if TYPE_CHECKING:
    from aks_wasm.kube.client import KubeClient

Node = Mapping[str, Any]
_CONFLICT, _GONE = "KubernetesConflict", "KubernetesNotFound"
_TRIES = 10  # the kubelet writes the node's status now and then, and each writer needs one try


def annotate_node(
    client: KubeClient, name: str, change: Callable[[Node], Mapping[str, str | None] | None]
) -> Node | None:
    """Change a node's annotations, unless somebody writes the node in between: then look anew.

    Args:
        client: The cluster.
        name: The node's name.
        change: Returns the annotations to set by what the node is; None where there is nothing to change.

    Returns:
        The node that was looked at last, or None when it is gone.

    Raises:
        ServiceError: Others write it again and again.
    """
    tries = _TRIES
    while True:
        node = client.get("Node", name)
        annotations = change(node) if node is not None else None
        if node is None or annotations is None:
            return node
        metadata = {"annotations": dict(annotations), "resourceVersion": node["metadata"]["resourceVersion"]}
        try:
            client.merge("Node", name, {"metadata": metadata}, doing="annotate")
        except ServiceError as error:
            tries -= 1
            if error.code == _GONE:
                return None
            if error.code != _CONFLICT or not tries:
                raise
        else:
            return node
