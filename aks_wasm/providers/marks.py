"""The marks left on what we make, by which later runs know it again from any machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aks_wasm import __version__
from aks_wasm.spec.duration import seconds_of
from aks_wasm.spec.models import ClusterSpec

OWNER_TAG = "aks-wasm-owner"
ROUTE_TAG = "aks-wasm-route"
EXPIRES_TAG = "aks-wasm-expires"
VERSION_TAG = "aks-wasm-version"


@dataclass(frozen=True)
class Owned:
    """Something that carries our mark, of whatever spec: enough to delete it.

    Attributes:
        owner: The name in the mark, `metadata.name` of the spec that made it.
        resource_group: Where it is; None where there are no groups.
        expires: The mark of expiry, or None.
    """

    owner: str
    resource_group: str | None
    expires: datetime | None


def marks(spec: ClusterSpec, now: datetime | None = None) -> dict[str, str]:
    """Return the tags of what a spec makes: the file's own, the owner, the version, and when it expires."""
    tags = {**spec.azure.tags, OWNER_TAG: spec.name, VERSION_TAG: __version__}
    seconds = seconds_of(spec.azure.expires_after or "")
    if seconds is not None:
        end = (now or datetime.now(UTC)) + timedelta(seconds=seconds)
        tags[EXPIRES_TAG] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    return tags


def lacking(live: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a live thing still needs; its expiry, which is counted from its making, stays."""
    kept = {EXPIRES_TAG} if expiry(live) is not None else set()
    return {name: value for name, value in wanted.items() if name not in kept and live.get(name) != value}


def expiry(tags: Mapping[str, str]) -> datetime | None:
    """Return when a thing expires by its tags; None when it does not, or when the mark makes no sense."""
    try:
        end = datetime.fromisoformat(tags.get(EXPIRES_TAG, ""))
    except ValueError:
        return None
    return end if end.tzinfo else end.replace(tzinfo=UTC)
