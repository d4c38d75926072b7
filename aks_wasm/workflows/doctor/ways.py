"""The commands that mend: how this very cluster is named to aks-wasm, kubectl and az."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from aks_wasm.spec.models import ClusterSpec

_PROVIDER_ID = re.compile(
    r"^azure:///subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.Compute/virtualMachineScaleSets/(?P<set>[^/]+)/virtualMachines/(?P<instance>\d+)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Ways:
    """How commands are written.

    Attributes:
        access: What names the cluster to kubectl, and to our own commands when no file does.
        spec: The file's cluster; None for one that a kubeconfig leads to.
        spec_arguments: What names the same file again.
        azure: Resource group and name of the cluster, where it is known to be on Azure.
    """

    access: tuple[str, ...] = ()
    spec: ClusterSpec | None = None
    spec_arguments: tuple[str, ...] = ()
    azure: tuple[str, str] | None = field(default=None)

    def kubectl(self, *arguments: str) -> str:
        """Return a kubectl command."""
        return shlex.join(["kubectl", *self.access, *arguments])

    def up(self, *overrides: str) -> str:
        """Return `aks-wasm up`, with fields of the file overridden."""
        sets = [word for override in overrides for word in ("--set", override)]
        return shlex.join(["aks-wasm", "up", *self.spec_arguments, *sets])

    def install(self, shim: str) -> str:
        """Return what puts shims on nodes again: `up` for the file's cluster, else `runtime install`."""
        if self.spec is not None:
            return self.up()
        return self.runtime("install", "--shim", shim or "NAME")

    def runtime(self, verb: str, *arguments: str) -> str:
        """Return a `runtime` command on this cluster."""
        where = self.spec_arguments if self.spec is not None else self.access
        return shlex.join(["aks-wasm", "runtime", verb, *where, *arguments])

    def workload(self, name: str) -> int | None:
        """Return the place in the file of the workload of that name; None when it is not ours."""
        names = [workload.name for workload in self.spec.workloads] if self.spec else []
        return names.index(name) if name in names else None

    def az(self, verb: str, *arguments: str) -> str:
        """Return an `az aks` command about this cluster; names that nobody knows are in capitals.

        Args:
            verb: For example `update` or `nodepool update`.
            arguments: What comes after the cluster's names.
        """
        group, name = self.azure or ("RESOURCE_GROUP", "CLUSTER")
        named = "--cluster-name" if verb.startswith("nodepool") else "--name"
        return shlex.join(["az", "aks", *verb.split(), "--resource-group", group, named, name, *arguments])


def reimage(provider_id: str) -> str | None:
    """Return the command that makes an AKS node anew; None for nodes that are no machines of a scale set."""
    match = _PROVIDER_ID.match(provider_id)
    if match is None:
        return None
    place = ["--subscription", match["subscription"], "--resource-group", match["group"]]
    return shlex.join(["az", "vmss", "reimage", *place, "--name", match["set"], "--instance-ids", match["instance"]])


def azure_names(resource_groups: Iterable[str]) -> tuple[str, str] | None:
    """Read the cluster's group and name from its node resource group, `MC_group_name_location`.

    None when underscores in the names leave it open where one ends.
    """
    for group in resource_groups:
        parts = group.split("_")
        if len(parts) == 4 and parts[0].upper() == "MC":
            return parts[1], parts[2]
    return None
