"""Which versions of shims a cluster has that the file no longer names; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aks_wasm.plan.live import LiveObjects
from aks_wasm.shims.catalogue import Shim
from aks_wasm.shims.installed import Present
from aks_wasm.steps.runtime import is_asked


def outdated_handlers(shims: Iterable[Shim], present: Present, live: LiveObjects) -> frozenset[str]:
    """Return the handlers of other versions of these shims that the cluster has.

    Of shims of other names only those leave that a file has asked for (`leaving_handlers`): `runtime install` may have
    put others there.
    """
    shims = tuple(shims)
    wanted, names = {shim.handler for shim in shims}, {shim.name for shim in shims}
    listed = {shim.handler for shim in present.shims if shim.name in names}
    handler = re.compile(rf"aks-wasm-({'|'.join(map(re.escape, sorted(names)))})-v\d[0-9a-z-]*")
    classes = {str(found["metadata"]["name"]) for found in live.of_kind("RuntimeClass")}
    return frozenset((listed | {name for name in classes if names and handler.fullmatch(name)}) - wanted)


def leaving_handlers(shims: Iterable[Shim], live: LiveObjects) -> frozenset[str]:
    """Return the handlers of shims for which an earlier file has asked and this one does not."""
    named = {shim.handler for shim in shims}
    asked = {str(found["handler"]) for found in live.of_kind("RuntimeClass") if is_asked(found)}
    return frozenset(asked - named)
