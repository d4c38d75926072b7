"""What the installer may do in the cluster's API: take turns, by leases, and nothing else."""

from __future__ import annotations

from aks_wasm.shims.installer.objects import INSTALLER, Manifest, named
from aks_wasm.shims.labels import SYSTEM_NAMESPACE

_RBAC = "rbac.authorization.k8s.io"


def lease_names(turns: int) -> list[str]:
    """Return the names of the leases; whoever holds one may restart its node's containerd."""
    return [f"{INSTALLER}-{number}" for number in range(turns)]


def access(owner: str, turns: int) -> list[Manifest]:
    """Return service account, role, role binding and leases.

    A node's label is written with the kubelet's own credential, which NodeRestriction confines to its own node: no
    right over nodes is given here.
    """
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": lease_names(turns),
        "verbs": ["get", "patch"],
    }
    return [
        named("v1", "ServiceAccount", INSTALLER, owner, automountServiceAccountToken=False),
        named(f"{_RBAC}/v1", "Role", INSTALLER, owner, rules=[rule]),
        named(
            f"{_RBAC}/v1",
            "RoleBinding",
            INSTALLER,
            owner,
            roleRef={"apiGroup": _RBAC, "kind": "Role", "name": INSTALLER},
            subjects=[{"kind": "ServiceAccount", "name": INSTALLER, "namespace": SYSTEM_NAMESPACE}],
        ),
        # Without a spec: whose turn it is belongs to the nodes, not to who applies this.
        *(named("coordination.k8s.io/v1", "Lease", name, owner) for name in lease_names(turns)),
    ]
