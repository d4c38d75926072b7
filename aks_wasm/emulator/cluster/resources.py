"""The kinds an API server serves now: the built-in ones, and what CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Iterator

from aks_wasm.emulator.cluster.kinds import BUILT_IN, STATUS_VERBS, Kind
from aks_wasm.emulator.cluster.trees import Tree, dig

_CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


class Kinds:
    """All kinds served now: built-in ones and those of established CustomResourceDefinitions."""

    def __init__(self, built_in: tuple[Kind, ...] = BUILT_IN) -> None:
        self._kinds = {(kind.group, kind.version, kind.resource): kind for kind in built_in}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def find(self, group: str, version: str, resource: str) -> Kind | None:
        """Return the kind behind a path, or None."""
        return self._kinds.get((group, version, resource))

    def of(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind an object says it is, or None."""
        group, _, version = api_version.rpartition("/")
        for served in self._kinds.values():
            if (served.group, served.version, served.kind) == (group, version, kind):
                return served
        return None

    def versions(self, group: str) -> list[str]:
        """Return the versions of a group, the preferred one first."""
        found = dict.fromkeys(kind.version for kind in self if kind.group == group)
        return sorted(found, key=_version_rank)

    def groups(self) -> list[str]:
        """Return the named groups in the order discovery lists them."""
        return list(dict.fromkeys(kind.group for kind in self if kind.group))

    def define(self, crd: Tree) -> None:
        """Serve what a CustomResourceDefinition describes, in place of what it described before."""
        spec = crd["spec"]
        self.undefine(crd)
        for version in spec.get("versions", []):
            if version.get("served"):
                kind = _custom_kind(spec, version)
                self._kinds[(kind.group, kind.version, kind.resource)] = kind

    def undefine(self, crd: Tree) -> None:
        """Serve it no longer."""
        group, resource = crd["spec"]["group"], crd["spec"]["names"]["plural"]
        for key in [key for key, kind in self._kinds.items() if key[0] == group and key[2] == resource]:
            if self._kinds[key].definition is not None:
                del self._kinds[key]


def _custom_kind(spec: Tree, version: Tree) -> Kind:
    names = spec["names"]
    subresources = {name: STATUS_VERBS for name in ("status", "scale") if name in (version.get("subresources") or {})}
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        resource=names["plural"],
        scope=spec["scope"],
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=subresources,
        verbs=_CUSTOM_VERBS,
        definition={"singular": dig(names, "singular"), **version},
    )


def _version_rank(version: str) -> tuple[int, int, str]:
    """GA before beta before alpha, the newest first (CompareKubeAwareVersionStrings)."""
    stage = 2 if "alpha" in version else 1 if "beta" in version else 0
    number = version.removeprefix("v").split("alpha")[0].split("beta")[0]
    return stage, -int(number) if number.isdigit() else 0, version
