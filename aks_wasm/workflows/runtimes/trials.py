"""What `runtime verify` tries: each runtime on each node that should have it, with an image that the node can get."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aks_wasm.errors import ServiceError, UsageError
from aks_wasm.events import Warned
from aks_wasm.kube.workloads import owned_by
from aks_wasm.shims.catalogue import Shim, select
from aks_wasm.shims.installer import probe_image_key
from aks_wasm.shims.preview import preview_of
from aks_wasm.shims.runtime_class import probe_class_name
from aks_wasm.shims.runtime_class_manager import shim_of
from aks_wasm.steps.shim_controller import every_shim
from aks_wasm.steps.shims import look_at_installer
from aks_wasm.steps.trial import Trial
from aks_wasm.workflows.context import Run
from aks_wasm.workflows.runtimes.images import probe_archives
from aks_wasm.workflows.runtimes.site import Node, Site, is_marked, labels_of, name_of

PROBE_HINT = (
    "`aks-wasm runtime verify --probe-image [SHIM=]IMAGE` names an image that the runtime can run and nodes can pull; "
    "or have ours pushed: AKS_WASM_REGISTRY, or `registry.login` in the file"
)


@dataclass(frozen=True)
class Asked:
    """What is to be tried.

    Attributes:
        words: Only these shims, as `NAME` or `NAME@VERSION`; none means all.
        images: What probes of runtimes run that our installer has not brought: image by shim, under "" for any.
    """

    words: Sequence[str] = ()
    images: Mapping[str, str] = field(default_factory=dict)

    def means(self, shim: Shim) -> bool:
        """Return whether a shim is among them."""
        pairs = [word.partition("@") for word in self.words]
        known = ("", shim.version, shim.version.removeprefix("v"))
        return not self.words or any(shim.name == name and version in known for name, _, version in pairs)


def all_trials(site: Site, asked: Asked) -> list[Trial]:
    """Return every trial that can be made; of what can't be tried it is said why.

    Raises:
        UsageError: There are such runtimes, and none can be tried.
    """
    client = site.run.connect()
    present = look_at_installer(client, site.run.spec.name)
    marked = [node for node in client.list("Node") if is_marked(node)]
    listed = {shim.handler for shim in present.shims}
    groups = [
        *_brought_groups(site, asked, listed),
        *managed_groups(site, asked),
        *_service_groups(site, asked),
    ]
    trials = installer_trials(site, filter(asked.means, present.shims), marked)
    return [*trials, *group_trials(site.run, groups, asked.images, required=not trials)]


def installer_trials(site: Site, shims: Iterable[Shim], nodes: Iterable[Node]) -> list[Trial]:
    """Return the trials of shims that our installer puts on nodes."""
    shims = tuple(shims)
    archives = probe_archives(site.run, shims)
    return [
        Trial(node, shim, probe_class_name(shim.handler), archives[probe_image_key(shim)].name, shim.handler)
        for node in nodes
        for shim in shims
    ]


@dataclass(frozen=True)
class Group:
    """A runtime that our installer has not brought, and the nodes that should have it."""

    shim: Shim
    runtime_class: str
    handler: str
    nodes: tuple[Node, ...]


def group_trials(
    run: Run, groups: Iterable[Group], images: Mapping[str, str] | None = None, *, required: bool = False
) -> list[Trial]:
    """Return the trials of runtimes whose nodes pull the probe's image.

    Args:
        run: Where.
        groups: The runtimes.
        images: Images that were given, by shim, under "" for any.
        required: Whether it is an error that none can be tried; else it is told.

    Raises:
        UsageError: No image is known for any of them.
    """
    trials, without = list[Trial](), list[str]()
    images = images or {}
    for group in groups:
        if not group.nodes:
            continue
        image, why = (
            images.get(group.shim.name, images.get("")),
            "no registry is known that its nodes pull the probe from",
        )
        try:
            image = image or _deliver(run, group.shim)
        except ServiceError as error:
            why = error.message
        if image is None:
            without.append(f"`{group.runtime_class}` is not tried: {why}")
            continue
        trials += [
            Trial(node, group.shim, group.runtime_class, image, group.handler, pulls=True) for node in group.nodes
        ]
    if required and without and not trials:
        raise UsageError("; ".join(without), code="NoProbeImage", hint=PROBE_HINT)
    for sentence in without:
        run.emit(Warned(f"{sentence}; {PROBE_HINT}"))
    return trials


def managed_groups(site: Site, asked: Asked) -> list[Group]:
    """Return the runtimes of runtime-class-manager's Shims, whoever made those."""
    client = site.run.connect()
    shims = every_shim(client)
    nodes = client.list("Node") if shims else []
    groups = []
    for live in shims:
        shim, selector = shim_of(live), live["spec"].get("nodeSelector") or {}
        having = tuple(node for node in nodes if selector.items() <= labels_of(node).items())
        if asked.means(shim):
            groups.append(Group(shim, str(live["spec"]["runtimeClass"]["name"]), name_of(live), having))
    return groups


def _brought_groups(site: Site, asked: Asked, listed: Collection[str]) -> list[Group]:
    """Return our RuntimeClasses that no installer speaks for: the provider has brought their shims."""
    run = site.run
    classes = {name_of(found) for found in run.connect().list("RuntimeClass", labels=owned_by(run.spec.name))}
    groups = []
    for shim in select(run.spec.shims):
        if shim.handler in listed or shim.runtime_class not in classes or not asked.means(shim):
            continue
        probing = probe_class_name(shim.handler)
        name = probing if probing in classes else shim.runtime_class
        groups.append(Group(shim, name, shim.handler, tuple(site.nodes())))
    return groups


def _service_groups(site: Site, asked: Asked) -> list[Group]:
    """Return the runtimes that the service's preview pools have, found by their own names."""
    client = site.run.connect()
    nodes = client.list("Node")
    groups = []
    for found in client.list("RuntimeClass"):
        selector = (found.get("scheduling") or {}).get("nodeSelector") or {}
        shim = preview_of(name_of(found), str(found["handler"]))
        if shim is None or not asked.means(shim) or not selector:
            continue
        having: tuple[Mapping[str, Any], ...] = tuple(n for n in nodes if selector.items() <= labels_of(n).items())
        groups.append(Group(shim, name_of(found), str(found["handler"]), having))
    return groups


def _deliver(run: Run, shim: Shim) -> str | None:
    """Bring the probe's image to where nodes get it; return its name, None where there is no such place."""
    if run.provider.info.images == "none":
        return None
    from aks_wasm.wasm.oci import content_of, package, repository_name
    from aks_wasm.workflows.images import PROBES, images_of

    key = probe_image_key(shim)
    repository = repository_name(run.provider.info.image_prefix, run.spec.name, key)
    folder = images_of(run.settings.home, run.spec.name)
    archive = package(content_of(PROBES[key]), repository=repository, folder=folder)
    run.provider.deliver_image(run.spec, archive, run.patience())
    return archive.name
