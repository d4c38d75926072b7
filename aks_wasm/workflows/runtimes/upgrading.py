"""What an upgrade of runtimes is, whoever installs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aks_wasm.errors import ServiceError, UsageError
from aks_wasm.shims.catalogue import Shim, every_version, select
from aks_wasm.shims.installed import Present
from aks_wasm.workflows.runtimes.answers import Proof
from aks_wasm.workflows.runtimes.asked import Asked, asked_shims
from aks_wasm.workflows.runtimes.site import Site


@dataclass(frozen=True)
class Upgrade:
    """What goes where: new shims, and the old ones of the same names."""

    asked: Asked
    old: tuple[Shim, ...]

    @property
    def classes(self) -> dict[str, str]:
        """Old RuntimeClass -> new one."""
        new = {shim.name: shim.runtime_class for shim in self.asked.shims}
        return {shim.runtime_class: new[shim.name] for shim in self.old}


def wanted_upgrade(site: Site, words: Sequence[str], present: Present) -> Upgrade:
    """Return what is asked for; own builds only change when they are named, since nobody knows a newer one.

    Raises:
        UsageError: One is not installed, or is asked for twice.
    """
    listed = site.run.spec.shims
    published = {shim.handler for shim in every_version()} | {shim.handler for shim in select(listed)}
    movable = tuple(shim for shim in present.shims if words or shim.handler in published)
    asked = asked_shims(words or sorted({shim.name for shim in movable}), listed) if words or movable else Asked()
    names = [shim.name for shim in asked.shims]
    there = {shim.name for shim in present.shims}
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(
            f"there is nothing to upgrade: {', '.join(f'`{name}`' for name in missing)} is not installed",
            code="NotInstalled",
            hint=f"`aks-wasm runtime install --shim {missing[0]}` puts it there",
        )
    if len(set(names)) < len(names):
        raise UsageError("an upgrade goes to one version of each shim", hint="give each `--shim` once")
    if not names:
        raise UsageError(
            "there is nothing to upgrade: no published shim is installed",
            code="NotInstalled",
            hint="`--shim NAME=PATH` names another build of your own",
        )
    handlers = {shim.handler for shim in asked.shims}
    return Upgrade(asked, tuple(s for s in movable if s.name in names and s.handler not in handlers))


def require_proofs(proofs: Sequence[Proof], hint: str) -> None:
    """Refuse to go on with a version that does not work.

    Args:
        proofs: Of the new version.
        hint: What is done about it.

    Raises:
        ServiceError: A probe failed; the message names the node and why.
    """
    failed = [proof for proof in proofs if proof.result != "ok"]
    if failed:
        first = failed[0]
        more = f" ({len(failed)} of {len(proofs)} proofs failed)" if len(failed) > 1 else ""
        raise ServiceError(
            f"`{first.shim}` {first.version} does not work on node `{first.node}`: {first.reason}{more}",
            code=first.code or "ProofFailed",
            hint=hint,
        )
