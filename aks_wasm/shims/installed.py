"""What our installer is to put on the nodes of a cluster by its live objects, and what a change makes of that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aks_wasm.shims.catalogue import Shim, every_version
from aks_wasm.shims.installer import (
    IMAGE,
    Binary,
    Installation,
    ProbeImage,
    probe_image_key,
    shims_of,
    stay_image_key,
)
from aks_wasm.shims.installer.content import SETTINGS
from aks_wasm.shims.installer.parts import parts_in
from aks_wasm.shims.own_binary import as_catalogued, runtime_type_of

PARTS = "parts://"

Live = Mapping[str, Any]


@dataclass(frozen=True)
class Present:
    """The installer as the cluster has it.

    Attributes:
        shims: What it lists; empty where there is no installer, and where it is to clean up.
        parts: How many ConfigMaps hold each binary that came from a machine.
        image: Of its containers; None where there is none.
        turns: How many nodes may restart containerd at a time; None where there is no installer.
        local_image_pull: Whether containerd is to pull without its transfer service.
        version: The list's own, by which it is noticed that somebody else has written it; None where there is none.
        there: Whether there is an installer.
    """

    shims: tuple[Shim, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)
    image: str | None = None
    turns: int | None = None
    local_image_pull: bool = False
    version: str | None = None
    there: bool = False

    @classmethod
    def of(cls, config_map: Live | None, daemon_set: Live | None) -> Present:
        """Read it off the installer's ConfigMap and DaemonSet; either may be missing after a run that was cut off."""
        lines = ((config_map or {}).get("data") or {}).get(SETTINGS, "").splitlines()
        settings = dict(line.split("=", 1) for line in lines if "=" in line)
        containers = daemon_set["spec"]["template"]["spec"]["containers"] if daemon_set else []
        return cls(
            shims=tuple(_described(shim) for shim in shims_of(config_map or {})),
            parts=parts_in(daemon_set) if daemon_set else {},
            image=str(containers[0]["image"]) if containers else None,
            turns=int(settings["turns"]) if settings.get("turns", "").isdigit() else None,
            local_image_pull=settings.get("local_image_pull") == "true",
            version=config_map["metadata"].get("resourceVersion") if config_map else None,
            there=config_map is not None or daemon_set is not None,
        )

    def named(self, name: str, version: str = "") -> tuple[Shim, ...]:
        """Return the shims of that name, and version where one is given (`v` in front or not)."""
        return tuple(
            shim
            for shim in self.shims
            if shim.name == name and version in ("", shim.version, shim.version.removeprefix("v"))
        )


@dataclass(frozen=True)
class Change:
    """What is to become of the installer; what it does not speak of stays.

    Attributes:
        add: Shims to have, beside those that are there; one of the same handler is replaced.
        drop: Handlers that go.
        probes: Images of all probes.
        binaries: What `parts://` locations of `add` name.
        image: Of the installer's containers; None leaves it.
        turns: How many nodes may restart containerd at a time; None leaves it.
        local_image_pull: Whether containerd is to pull without its transfer service; None leaves it.
    """

    add: tuple[Shim, ...] = ()
    drop: frozenset[str] = frozenset()
    probes: Mapping[str, ProbeImage] = field(default_factory=dict)
    binaries: tuple[Binary, ...] = ()
    image: str | None = None
    turns: int | None = None
    local_image_pull: bool | None = None

    def shims(self, present: Present) -> tuple[Shim, ...]:
        """Return the shims that the nodes then have."""
        every = {shim.handler: shim for shim in (*present.shims, *self.add)}
        return tuple(shim for handler, shim in sorted(every.items()) if handler not in self.drop)

    def installation(self, owner: str, present: Present, taints: tuple[str, ...]) -> Installation:
        """Return what is then wanted."""
        shims = self.shims(present)
        keys = {p.location.removeprefix(PARTS) for s in shims for p in s.platforms if p.location.startswith(PARTS)}
        images = {key for shim in shims for key in (probe_image_key(shim), stay_image_key(shim))}
        return Installation(
            owner=owner,
            shims=shims,
            taints=taints,
            probes={key: image for key, image in self.probes.items() if key in images},
            image=self.image or present.image or IMAGE,
            max_unavailable=self.turns or present.turns or 1,
            local_image_pull=present.local_image_pull if self.local_image_pull is None else self.local_image_pull,
            binaries=tuple(b for b in self.binaries if b.key in keys and b.key not in present.parts),
            kept_parts={key: n for key, n in present.parts.items() if key in keys},
        )


def _described(shim: Shim) -> Shim:
    """Add what the list on the nodes does not say: how the shim wants its pods."""
    for candidate in every_version():
        if (candidate.handler, candidate.binary) == (shim.handler, shim.binary):
            return replace(candidate, platforms=shim.platforms, pinned=True)
    kind = runtime_type_of(shim.name, shim.version, shim.binary)
    return as_catalogued(replace(shim, runtime_type=kind))
