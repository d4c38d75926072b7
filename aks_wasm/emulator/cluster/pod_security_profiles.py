"""Pod Security: the rules about security profiles: AppArmor, seccomp, SELinux, Windows host processes."""

from __future__ import annotations

from collections.abc import Callable

from aks_wasm.emulator.cluster.pod_security_fields import (
    Finding,
    containers,
    counted,
    is_windows,
    named,
    quoted,
    setters,
    setting,
)
from aks_wasm.emulator.cluster.trees import Tree, dig

_PROFILES = ("RuntimeDefault", "Localhost")
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SELINUX_TYPES = ("", "container_t", "container_init_t", "container_kvm_t")
_SELINUX_ENGINE_SINCE = 31  # container_engine_t is allowed from 1.31
_SECCOMP_FIELD_SINCE = 19  # before, annotations; those pods are gone


def app_armor(metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find AppArmor profiles that loosen the node's own."""
    who = setters(spec, lambda one: _profile(one, "appArmorProfile"))
    values = _values(spec, "appArmorProfile")
    annotations = metadata.get("annotations") or {}
    told = sorted(f'{key}="{value}"' for key, value in annotations.items() if _loosens(key, value))
    if told:
        who = " and ".join(part for part in (who, "annotation" if len(told) == 1 else "annotations") if part)
        values += told
    if not who:
        return None
    what = "forbidden AppArmor profile" if len(values) == 1 else "forbidden AppArmor profiles"
    return what, f"{who} must not set AppArmor profile type to {quoted(values)}"


def _loosens(annotation: str, value: str) -> bool:
    allowed = value in {"", "runtime/default"} or value.startswith("localhost/")
    return annotation.startswith(_APP_ARMOR) and not allowed


def seccomp_baseline(_metadata: Tree, spec: Tree, minor: int) -> Finding | None:
    """Find seccomp profiles that are switched off."""
    who = setters(spec, lambda one: _profile(one, "seccompProfile")) if minor >= _SECCOMP_FIELD_SINCE else ""
    if not who:
        return None
    values = quoted(_values(spec, "seccompProfile"))
    return "seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {values}"


def seccomp_restricted(metadata: Tree, spec: Tree, minor: int) -> Finding | None:
    """Find containers without a seccomp profile."""
    if is_windows(spec, minor):
        return None
    refused = seccomp_baseline(metadata, spec, minor)
    if refused is not None or setting(spec, "seccompProfile"):
        return refused
    silent = named(spec, lambda one: setting(one, "seccompProfile") is None)
    if not silent:
        return None
    wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return "seccompProfile", f"pod or {counted('container', silent)} {wanted}"


def _profile(one: Tree, name: str) -> str:
    """Return the type of a profile that is not allowed, or an empty text."""
    kind = setting(one, name, "type")
    return str(kind) if kind is not None and kind not in _PROFILES else ""


def _values(spec: Tree, name: str) -> list[str]:
    return sorted({kind for one in (spec, *containers(spec)) if (kind := _profile(one, name))})


def se_linux(_metadata: Tree, spec: Tree, minor: int) -> Finding | None:
    """Find SELinux options that give more than a container has."""
    allowed = (*_SELINUX_TYPES, "container_engine_t") if minor >= _SELINUX_ENGINE_SINCE else _SELINUX_TYPES

    def options(one: Tree) -> Tree:
        found: Tree = dig(one, "securityContext", "seLinuxOptions") or {}
        return found

    def wrong(one: Tree) -> object:
        asked = options(one)
        return asked.get("type", "") not in allowed or asked.get("user") or asked.get("role")

    who = setters(spec, wrong)
    if not who:
        return None
    every = [options(one) for one in (spec, *containers(spec))]
    kinds = sorted({asked["type"] for asked in every if asked.get("type", "") not in allowed})
    told = [counted("type", kinds)] if kinds else []
    told += [f"{name} may not be set" for name in ("user", "role") if any(asked.get(name) for asked in every)]
    return "seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(told)}"


def host_process(_metadata: Tree, spec: Tree, _minor: int) -> Finding | None:
    """Find Windows pods that run as processes of their host."""
    asks: Callable[[Tree], object] = lambda one: setting(one, "windowsOptions", "hostProcess")  # noqa: E731
    who = setters(spec, asks)
    return ("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true") if who else None
