"""Puts shims on the nodes of ordinary pools: its Kubernetes objects, and the script that works on the node.

`Installation(owner, shims, ...)` holds what is wanted; its methods return the objects. Nothing here talks to a cluster.
"""

from __future__ import annotations

from aks_wasm.shims.installer.access import lease_names
from aks_wasm.shims.installer.content import CONTENT_ANNOTATION, shim_list, shims_of
from aks_wasm.shims.installer.daemon_set import IMAGE, KEEPER, WORKER
from aks_wasm.shims.installer.installation import Installation
from aks_wasm.shims.installer.node import node_script
from aks_wasm.shims.installer.objects import INSTALLER, Manifest
from aks_wasm.shims.installer.parts import Binary
from aks_wasm.shims.installer.probes import PROBE_COMPONENT, ProbeImage, probe_image_key, stay_image_key

__all__ = [
    "CONTENT_ANNOTATION",
    "IMAGE",
    "INSTALLER",
    "KEEPER",
    "PROBE_COMPONENT",
    "WORKER",
    "Binary",
    "Installation",
    "Manifest",
    "ProbeImage",
    "lease_names",
    "node_script",
    "probe_image_key",
    "shim_list",
    "shims_of",
    "stay_image_key",
]
