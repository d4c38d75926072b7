"""What the WASI preview's node pools bring, found by its names: RuntimeClass and handler."""

from __future__ import annotations

from aks_wasm.shims.catalogue import Shim, every_version


def preview_of(runtime_class: str, handler: str) -> Shim | None:
    """Return the shim behind one of the service's own RuntimeClasses, or None.

    `wasmtime-spin-v2` is also what runtime-class-manager calls its class (demand 29), so the handler must fit too.
    """
    for shim in every_version():
        if shim.preview and (shim.preview.runtime_class, shim.preview.handler) == (runtime_class, handler):
            return shim
    return None
