"""Nodes that are there: start them again, label and taint them as their pool asks, take surplus ones away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aks_wasm.errors import Refused
from aks_wasm.events import Progress
from aks_wasm.providers.base import NodePoolRequest
from aks_wasm.providers.kind import nodes
from aks_wasm.providers.kind.engine import Container, Engine
from aks_wasm.providers.kind.look import Look, look
from aks_wasm.providers.kind.record import Record, manifest, node_count, node_labels, node_taints, taint_text
from aks_wasm.providers.kind.shims import sums
from aks_wasm.providers.kind.teardown import remove_containers
from aks_wasm.shims.catalogue import Shim
from aks_wasm.waits import Patience, Seen, wait_until

_START_SECONDS = 180.0  # a control plane answers some 15 s after its container starts
_AGAIN = "`aks-wasm down`, then `aks-wasm up`, makes the cluster anew"


def start_nodes(engine: Engine, seen: Look, patience: Patience) -> Look:
    """Start what stands still, wait until the API server answers, and look again.

    Raises:
        ServiceError: The engine can't start a node.
        TimedOut: The API server does not answer.
    """
    stopped = [container.name for container in seen.containers if not container.running]
    if stopped:
        patience.on_state(f"starting {', '.join(stopped)}")
        engine.run("start", *stopped).checked(f"start {', '.join(stopped)}")
    master = nodes.control_plane(seen.containers)
    at_most = Patience(min(_START_SECONDS, patience.timeout), patience.clock, patience.on_state)
    wait_until(
        lambda: Seen("waiting for the API server", done=nodes.has_api(engine, master)),
        what=f"the API server of `{seen.name}`",
        patience=at_most,
        hint=_AGAIN,
    )
    return look(engine, seen.folder, seen.name)


def change_pool(engine: Engine, seen: Look, record: Record, request: NodePoolRequest) -> Record:
    """Bring a pool's nodes to what is asked for now, and remember it; kind can't add any. Returns the new record.

    Raises:
        Refused: It would take more nodes, or other machines.
    """
    known = record.pool(request.name)
    members = [str(node["metadata"]["name"]) for node in seen.nodes_of(request.name)]
    why = refusal(request, None if known is None else len(members), engine)
    if known is None or why is not None:
        raise Refused(why or f"there is no node pool `{request.name}`", code="PropertyChangeNotAllowed", hint=_AGAIN)
    kept = sorted(members, key=_number)[: node_count(request)]
    master = nodes.control_plane(seen.containers)
    _take_away(engine, master, [c for c in seen.containers if c.name in members and c.name not in kept])
    changed = record.with_pool(request)
    if kept:
        _label(engine, master, kept, known, request)
        _taint(engine, master, kept, known, request)
    if changed != record:
        nodes.apply(engine, master, manifest(changed))
    return changed


def refusal(request: NodePoolRequest, members: int | None, engine: Engine) -> str | None:
    """Return why a pool of a cluster that is there can't become what is asked for; None when it can.

    Args:
        request: What is asked for.
        members: How many nodes it has; None when there is no such pool.
        engine: What the nodes run on.
    """
    if members is None:
        return f"kind can't add the node pool `{request.name}` to a cluster that is there"
    if request.arch and request.arch != engine.arch:
        return f"the node pool `{request.name}` can't become {request.arch}: its machines are {engine.arch}"
    if node_count(request) > members:
        return (
            f"kind can't add nodes to a cluster that is there: the node pool `{request.name}` has {members}, "
            f"{node_count(request)} are asked for"
        )
    return None


def add_shims(engine: Engine, seen: Look, wanted: Sequence[Shim], on_state: Progress) -> None:
    """Put shims that are provided on the nodes whose containerd does not have them.

    containerd restarts for it; the containers of both kinds run on.
    """
    lacking = seen.lacking(wanted)
    for container in seen.workers:
        missing = lacking.get(container.name, [])
        if missing:
            on_state(f"putting {', '.join(shim.name for shim in missing)} on {container.name}")
            shims = seen.for_script(container.name, wanted)
            nodes.install(engine, container, shims, sums(shims, seen.folder))


def _take_away(engine: Engine, master: Container, surplus: list[Container]) -> None:
    for container in surplus:
        gone = nodes.kubectl(engine, master, "delete", "node", container.name, "--ignore-not-found")
        gone.checked(f"take the node `{container.name}` out of the cluster")
    remove_containers(engine, surplus)


def _label(engine: Engine, master: Container, members: list[str], old: NodePoolRequest, new: NodePoolRequest) -> None:
    before, after = node_labels(old), node_labels(new)
    words = [f"{key}={value}" for key, value in after.items() if before.get(key) != value]
    words += [f"{key}-" for key in before if key not in after]
    words = words or [f"{key}={value}" for key, value in after.items()]  # one was changed by hand
    nodes.kubectl(engine, master, "label", "nodes", *members, *words, "--overwrite").checked(
        f"label the nodes of `{new.name}`"
    )


def _taint(engine: Engine, master: Container, members: list[str], old: NodePoolRequest, new: NodePoolRequest) -> None:
    before, after = _texts(old), _texts(new)
    words = [*after, *(f"{text}-" for text in before if text not in after)]
    if words:
        nodes.kubectl(engine, master, "taint", "nodes", *members, *words, "--overwrite").checked(
            f"taint the nodes of `{new.name}`"
        )


def _texts(request: NodePoolRequest) -> list[str]:
    return [taint_text(taint) for taint in node_taints(request)]


def _number(name: str) -> int:
    """Return the number that kind gave a worker: `x-worker`, `x-worker2`, ..."""
    found = re.search(r"(\d+)$", name)
    return int(found[1]) if found else 1
