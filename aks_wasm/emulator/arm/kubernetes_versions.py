"""The Kubernetes versions that AKS offers (state of 2026-07, AKS CHANGELOG), and its words for others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aks_wasm.emulator.arm import versions
from aks_wasm.emulator.arm.context import Arm
from aks_wasm.emulator.arm.errors import ProviderError
from aks_wasm.emulator.arm.regions import REGIONS, normalized
from aks_wasm.emulator.arm.routing import Call, Reply, Route

LTS = "AKSLongTermSupport"
_OFFICIAL = "KubernetesOfficial"


@dataclass(frozen=True)
class Minor:
    """One minor version.

    Attributes:
        patches: Its patches, newest first.
        plans: Support plans that include it.
        default: Whether clusters get it unless they ask for another.
    """

    patches: tuple[str, ...]
    plans: tuple[str, ...] = (_OFFICIAL, LTS)
    default: bool = field(default=False, kw_only=True)


MINORS = {
    "1.36": Minor(("1.36.2", "1.36.1")),
    "1.35": Minor(("1.35.5", "1.35.4"), default=True),
    "1.34": Minor(("1.34.8", "1.34.7")),
    "1.33": Minor(("1.33.12", "1.33.11"), (LTS,)),
}
DEFAULT = next(name for name, minor in MINORS.items() if minor.default)


@dataclass(frozen=True)
class Offer:
    """A version that a cluster may have.

    Attributes:
        asked: As the cluster keeps it: a minor version, or a patch when one was asked for.
        exact: The patch it means now.
    """

    asked: str
    exact: str


def minor_of(version: str) -> str:
    """Return `1.35` for `1.35.5`."""
    return ".".join(version.split(".")[:2])


def resolve(version: str | None, *, cluster: str, plan: str) -> Offer:
    """Return what a cluster's kubernetesVersion means.

    Args:
        version: As asked; empty for the default.
        cluster: Name of the cluster, for the text.
        plan: Its support plan.

    Raises:
        ProviderError: 400 K8sVersionNotSupported.
    """
    asked = version or DEFAULT
    known = MINORS.get(minor_of(asked))
    exact = known.patches[0] if known and asked == minor_of(asked) else asked
    if known is None or exact not in known.patches:
        message = (
            f"Managed cluster {cluster} is on version {asked} which is not supported in this region. Please use "
            "[az aks get-versions] command to get the supported version list in this region. "
            "For more information, please check https://aka.ms/supported-version-list"
        )
        raise ProviderError(400, "K8sVersionNotSupported", message)
    if plan not in known.plans:
        message = (
            f"Managed cluster {cluster} is on version {exact}, which is only available for Long-Term Support (LTS). "
            "To enable LTS on the cluster, see https://aka.ms/aks/enable-lts."
        )
        raise ProviderError(400, "K8sVersionNotSupported", message)
    return Offer(asked, exact)


def upgrades(exact: str) -> list[str]:
    """Return what a cluster of a patch version may be upgraded to: newer patches, and the next minor version."""
    minors = list(MINORS)
    place = minors.index(minor_of(exact))
    patches = MINORS[minors[place]].patches
    newer = list(patches[: patches.index(exact)])
    return newer + (list(MINORS[minors[place - 1]].patches) if place else [])


def check_upgrade(current: str, wanted: str) -> None:
    """Refuse a change of version that AKS does not make.

    Raises:
        ProviderError: 400 OperationNotAllowed, naming what is possible.
    """
    if wanted == current or wanted in upgrades(current):
        return
    message = (
        f"Upgrading Kubernetes version {current} to {wanted} is not allowed. "
        f"Available upgrades: {', '.join(upgrades(current))}. See https://aka.ms/aks-supported-k8s-ver for details."
    )
    raise ProviderError(400, "OperationNotAllowed", message)


def pool_version(version: str | None, cluster_exact: str, cluster_asked: str) -> Offer:
    """Return what a pool's orchestratorVersion means; the default is the cluster's.

    Raises:
        ProviderError: 400 AgentPoolK8sVersionNotSupported or NodePoolMcVersionIncompatible.
    """
    if not version or version == cluster_asked:
        return Offer(cluster_asked, cluster_exact)
    known = MINORS.get(minor_of(version))
    exact = known.patches[0] if known and version == minor_of(version) else version
    if known is None or exact not in known.patches:
        message = (
            f"Version {version} is not supported in this region. Please use [az aks get-versions] command to get the "
            "supported version list in this region. For more information, please check "
            "https://aka.ms/supported-version-list"
        )
        raise ProviderError(400, "AgentPoolK8sVersionNotSupported", message)
    if _numbers(exact) > _numbers(cluster_exact):
        message = (
            f"Node pool version {exact} and control plane version {cluster_exact} are incompatible. Minor version of "
            "node pool cannot be bigger than control plane version. For more information, please check "
            "https://aka.ms/aks/UpgradeVersionRules"
        )
        raise ProviderError(400, "NodePoolMcVersionIncompatible", message)
    return Offer(version, exact)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _list(arm: Arm, call: Call) -> Reply:
    del arm
    location = normalized(call["location"])
    if location not in REGIONS:
        raise versions.no_provider(versions.AKS_LOCATIONS, call.api_version, call["location"], tuple(REGIONS))
    return Reply(body={"values": [_shown(name, minor) for name, minor in MINORS.items()]})


def _shown(name: str, minor: Minor) -> dict[str, Any]:
    return {
        "version": name,
        **({"isDefault": True} if minor.default else {}),
        "capabilities": {"supportPlan": list(minor.plans)},
        "patchVersions": {patch: {"upgrades": upgrades(patch)} for patch in minor.patches},
    }


ROUTES = (
    Route(
        "GET",
        "/subscriptions/{subscription}/providers/Microsoft.ContainerService/locations/{location}/kubernetesVersions",
        _list,
        versions.AKS_LOCATIONS,
    ),
)
