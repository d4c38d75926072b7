"""Which engine carries a local cluster: kind on a container engine, or the embedded one."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from aks_wasm.events import EventSink, StepFinished, StepStarted
from aks_wasm.settings import Settings
from aks_wasm.spec.models import ClusterSpec

if TYPE_CHECKING:
    from aks_wasm.providers.kind.engine import Engine

_STEP = "engine"


def choose(spec: ClusterSpec, settings: Settings, emit: EventSink) -> Engine | None:
    """Return the container engine that kind is to use, None for the embedded engine; `auto` says which and why.

    Raises:
        AksWasmError: kind was asked for, and no container engine answers or may be used.
    """
    from aks_wasm.providers.kind.engine import find_engine, require_engine

    match spec.local.engine:
        case "embedded":
            return None
        case "kind":
            return require_engine()
        case "auto":
            emit(StepStarted(_STEP, "choose the engine of the local cluster"))
            started = time.monotonic()
            search = find_engine()
            engine = search.engine
            if engine is None:
                why = f"embedded, since no container engine answers ({search.why_none})"
            elif _is_embedded(spec.name, settings) and not engine.containers(spec.name):
                engine, why = None, f"embedded, since the cluster `{spec.name}` is there already"
            else:
                why = f"kind, since {engine.program} {engine.version} answers"
            emit(StepFinished(_STEP, time.monotonic() - started, why))
            return engine


def _is_embedded(name: str, settings: Settings) -> bool:
    """Return whether the embedded engine has a cluster of that name, without starting it."""
    from aks_wasm.emulator.layout import Layout
    from aks_wasm.emulator.local import COLLECTION
    from aks_wasm.emulator.state import Documents

    path = Layout.of(settings.home).state
    if not path.exists():
        return False
    with closing(Documents(path)) as documents:
        return documents.get(COLLECTION, name) is not None
