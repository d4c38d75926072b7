"""The resource group that holds the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError

from aks_wasm.providers.azure.clients import document_of
from aks_wasm.providers.azure.faults import fault_in
from aks_wasm.providers.azure.models import observed_group
from aks_wasm.providers.azure.waiting import wait_for
from aks_wasm.providers.marks import marks
from aks_wasm.providers.ownership import refuse_foreign_group
from aks_wasm.spec.models import ClusterSpec
from aks_wasm.waits import Patience, Seen

if TYPE_CHECKING:
    from aks_wasm.providers.azure.reads import Reads


def ensure_group(reads: Reads, spec: ClusterSpec, patience: Patience) -> None:
    """Make the group with our mark, after one of that name that is being deleted has gone.

    Raises:
        Refused: It is somebody else's.
    """
    name = spec.resource_group
    subject = reads.group_subject(spec)
    groups = reads.clients.resources.resource_groups
    body: Any = {"location": spec.azure.location, "tags": marks(spec)}

    def look() -> Seen[None]:
        group = subject.read()
        if group is None:
            return _create()
        seen = observed_group(group)
        if seen.state == "Deleting":
            return Seen("Deleting")
        refuse_foreign_group(seen, spec.name, unmarked_is_fine=spec.azure.resource_group is not None)
        return Seen(seen.state, done=True)

    def _create() -> Seen[None]:
        try:
            groups.create_or_update(name, body, cls=document_of)
        except HttpResponseError as error:
            if fault_in(error).code != "ResourceGroupBeingDeleted":
                raise
            return Seen("Deleting")
        return Seen("Succeeded", done=True)

    wait_for(look, subject.what, f"create the {subject.what}", patience)
