"""Which versions of shims a cluster has that the file no longer names; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aks_wasm.kube.runtime_users import User
from aks_wasm.plan.live import LiveObjects
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installed import Present

_TEMPLATES = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")  # these make pods again; a Job makes its pods once


def outdated_handlers(shims: Iterable[Shim], present: Present, live: LiveObjects) -> frozenset[str]:
    """Return the handlers of other versions of these shims that the cluster has.

    Shims of other names are not ours to judge: `runtime install` may have put them there.
    """
    shims = tuple(shims)
    wanted, names = {shim.handler for shim in shims}, {shim.name for shim in shims}
    listed = {shim.handler for shim in present.shims if shim.name in names}
    handler = re.compile(rf"aks-wasm-({'|'.join(map(re.escape, sorted(names)))})-v\d[0-9a-z-]*")
    classes = {str(found["metadata"]["name"]) for found in live.of_kind("RuntimeClass")}
    return frozenset((listed | {name for name in classes if names and handler.fullmatch(name)}) - wanted)


def asks(user: User) -> bool:
    """Return whether an object needs its RuntimeClass: a pod that runs, or something that will make pods again."""
    return user.runs or user.kind in _TEMPLATES
