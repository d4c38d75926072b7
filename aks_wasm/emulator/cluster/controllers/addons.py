"""What AKS adds to a new cluster: RuntimeClasses and StorageClasses; the objects are in addons.yaml."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

from aks_wasm.emulator.cluster.kinds import BUILT_IN
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.cluster.trees import Tree


def furnish(store: Store) -> None:
    """Make what is missing; what is there stays as it is."""
    for obj in _objects():
        plural = _plural(obj)
        metadata = obj["metadata"]
        if store.peek(plural, metadata["name"], metadata.get("namespace")) is None:
            store.create(plural, obj)


@cache
def _objects() -> tuple[Tree, ...]:
    text = files(__package__).joinpath("addons.yaml").read_text(encoding="utf-8")
    # The C loader is ten times as fast and in every wheel of PyYAML.
    return tuple(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _plural(obj: Tree) -> str:
    kind = (obj["apiVersion"], obj["kind"])
    return next(one.stored_as for one in BUILT_IN if (one.api_version, one.kind) == kind)
