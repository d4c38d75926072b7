"""Resource ids, how they are compared, moments as the service writes them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

CONTAINER_SERVICE = "Microsoft.ContainerService"


def group_id(subscription: str, group: str) -> str:
    """Return the id of a resource group as Resource Manager writes it."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def cluster_id(subscription: str, group: str, cluster: str) -> str:
    """Return the id of a managed cluster as AKS writes it, with a small g (recordings of 2023 to 2026)."""
    return (
        f"/subscriptions/{subscription}/resourcegroups/{group}/providers/{CONTAINER_SERVICE}/managedClusters/{cluster}"
    )


def pool_id(subscription: str, group: str, cluster: str, pool: str) -> str:
    """Return the id of an agent pool as AKS writes it."""
    return f"{cluster_id(subscription, group, cluster)}/agentPools/{pool}"


def key_of(resource_id: str) -> str:
    """Return the form in which ids are kept and compared: ids differ not by case."""
    return resource_id.strip("/").lower()


def is_within(resource_id: str, scope: str) -> bool:
    """Tell whether a resource is the scope or lies below it; everything lies below the empty one."""
    resource, above = key_of(resource_id), key_of(scope)
    return not above or resource == above or resource.startswith(f"{above}/")


def fleet_key(subscription: str, group: str, cluster: str) -> str:
    """Return the name of a cluster among the emulated ones; it is also the name of a folder."""
    unique = hashlib.sha256(key_of(cluster_id(subscription, group, cluster)).encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{group}-{cluster}".lower()).strip("-")[:48]
    return f"{readable}-{unique}"


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


def moment(text: str) -> datetime:
    """Read a moment kept in a document."""
    return datetime.fromisoformat(text)


def seven_digits(when: datetime) -> str:
    """Write a moment as .NET does: `2026-06-20T23:38:57.1918148Z`."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
