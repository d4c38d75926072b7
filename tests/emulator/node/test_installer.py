"""What the installer's pods do to an emulated node: handlers, labels, turns, and the words they leave behind."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from aks_wasm.emulator.node.profile import NodePoolProfile, node_name
from tests.emulator.node.oci_archives import ImageArchive
from tests.emulator.node.rehearsal import NODE, Rehearsal, rehearse

SHA = "a" * 64
HANDLER = "aks-wasm-spin-v1"
LEASES = "leases.coordination.k8s.io"


def line(handler: str = HANDLER, arch: str = "amd64", sha: str = SHA, location: str = "https://x.test/s.tgz") -> str:
    return "\t".join(("spin", "v0.25.1", handler, "containerd-shim-spin-v2", "linux", arch, location, sha)) + "\n"


def told(nodes: Rehearsal, shims: str, *, turns: str = "1", probes: dict[str, bytes] | None = None) -> None:
    """Write what the installer's pods are told, and the leases."""
    for name in ("shim-installer", "shim-installer-probe"):
        nodes.store.delete("configmaps", name, "default")
    settings = f"local_image_pull=false\nturns={turns}\nnamespace=default\n"
    for name, content in (
        ("shim-installer", {"data": {"shims.tsv": shims, "settings": settings}}),
        ("shim-installer-probe", {"binaryData": {k: base64.b64encode(v).decode() for k, v in (probes or {}).items()}}),
    ):
        meta = {"name": name, "namespace": "default"}
        nodes.store.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, **content})
    if nodes.store.peek(LEASES, "shim-installer-0", "default") is None:
        meta = {"name": "shim-installer-0", "namespace": "default"}
        nodes.store.create(LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta})


def installer(nodes: Rehearsal, name: str = "installer", node: str = NODE) -> None:
    sources: list[dict[str, Any]] = [
        {"configMap": {"name": "shim-installer"}},
        {
            "configMap": {
                "name": "shim-installer-probe",
                "items": [{"key": "p.tar", "path": "probes/p.tar"}],
                "optional": True,
            }
        },
    ]
    nodes.store.create(
        "pods",
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"app.kubernetes.io/component": "shim-installer"},
            },
            "spec": {
                "nodeName": node,
                "initContainers": [{"name": "install", "image": "busybox"}],
                "containers": [{"name": "keep", "image": "busybox"}],
                "volumes": [
                    {"name": "host", "hostPath": {"path": "/"}},
                    {"name": "files", "projected": {"sources": sources}},
                ],
            },
        },
    )


def node_of(nodes: Rehearsal, name: str = NODE) -> dict[str, Any]:
    node = nodes.store.get("nodes", name)
    assert node is not None
    return node


def handlers(nodes: Rehearsal) -> set[str]:
    noted = node_of(nodes)["metadata"]["annotations"].get("emulator.aks-wasm.dev/handlers", "{}")
    return set(json.loads(noted))


async def reports(nodes: Rehearsal) -> list[dict[str, Any]]:
    text = await nodes.log("installer", container="keep")
    return [json.loads(row) for row in text.splitlines() if row.startswith("{")]


async def test_handlers_outlive_the_pod_that_brought_them(nodes: Rehearsal, task_image: str) -> None:
    told(nodes, line())
    installer(nodes)
    await nodes.ready("installer")
    assert nodes.get("installer")["status"]["phase"] == "Running"
    nodes.store.delete("pods", "installer", "default")
    await nodes.gone("installer")
    nodes.runtime_class("ours", HANDLER)
    nodes.pod("task", task_image, spec={"runtimeClassName": "ours"}, command=["/"])
    await nodes.phase("task", "Succeeded")


async def test_the_node_tells_in_one_line_what_containerd_has_in_effect(nodes: Rehearsal) -> None:
    told(nodes, line())
    installer(nodes)
    await nodes.ready("installer")
    (said,) = await reports(nodes)
    assert said["node"] == NODE
    assert (said["containerd"], said["plugin"]) == ("2.3.2", "io.containerd.cri.v1.runtime")
    assert {"runc", HANDLER} <= set(said["handlers"])
    binary = "/opt/aks-wasm/spin/v0.25.1/containerd-shim-spin-v2"
    assert said["shims"] == [{"handler": HANDLER, "binary": binary, "sha256": SHA, "ok": True}]
    assert (said["healthy"], said["error"]) == (True, None)


async def test_what_the_list_no_longer_names_goes_and_an_empty_one_leaves_nothing(nodes: Rehearsal) -> None:
    for shims, left in ((line() + line("other"), {HANDLER, "other"}), (line("other"), {"other"}), ("", set())):
        told(nodes, shims)
        installer(nodes)
        await nodes.ready("installer")
        assert handlers(nodes) == left
        nodes.store.delete("pods", "installer", "default")
        await nodes.gone("installer")


@pytest.mark.parametrize(
    ("shims", "turns", "complaint"),
    [
        (line(arch="arm64"), "1", f"Unsupported: {HANDLER} has no binary for linux/amd64"),
        (line(sha="abc"), "1", "HashMismatch: the SHA-256 of spin v0.25.1 is not known"),
        (line(sha=""), "1", "HashMismatch: the SHA-256 of spin v0.25.1 is not known"),
        (line(location="ftp://x.test"), "1", "Unsupported: ftp://x.test is of no kind known here"),
        (line() + line(), "1", "Unsupported: the list has a handler twice"),
        ("broken\n", "1", "Unsupported: the list has a line of 1 fields"),
        (line(), "2x", "Unsupported: `turns=2x` is no number"),
        (line(), "2", "NoTurn: the lease shim-installer-1 is not there"),
    ],
)
async def test_a_refusal_names_its_code_and_leaves_the_node_as_it_was(
    nodes: Rehearsal, shims: str, turns: str, complaint: str
) -> None:
    told(nodes, shims, turns=turns)
    if "NoTurn" in complaint:
        nodes.store.mutate(LEASES, "shim-installer-0", "default", lambda lease: lease.update(spec=held_by("other")))
    before = handlers(nodes)
    installer(nodes)

    def entry() -> dict[str, Any]:
        found: dict[str, Any] = nodes.get("installer")["status"]["initContainerStatuses"][0]
        return found

    await nodes.until(lambda: entry()["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    ended = entry()["lastState"]["terminated"]
    assert ended["exitCode"] == 1
    assert ended["message"].splitlines()[-1] == f"aks-wasm: error: {complaint}"
    assert f"aks-wasm: error: {complaint}" in await nodes.log("installer", container="install")
    assert handlers(nodes) == before


def held_by(node: str) -> dict[str, str]:
    return {"holderIdentity": node, "renewTime": "2999-01-01T00:00:00.000000Z"}


async def test_containerd_restarts_only_when_it_is_the_nodes_turn(nodes: Rehearsal) -> None:
    told(nodes, line())
    nodes.store.mutate(LEASES, "shim-installer-0", "default", lambda lease: lease.update(spec=held_by("other")))
    installer(nodes)
    await nodes.until(lambda: "running" in nodes.get("installer")["status"]["initContainerStatuses"][0]["state"])
    assert HANDLER not in handlers(nodes)
    nodes.store.mutate(LEASES, "shim-installer-0", "default", lambda lease: lease["spec"].update(holderIdentity=""))
    await nodes.ready("installer")
    assert HANDLER in handlers(nodes)
    lease = nodes.store.get(LEASES, "shim-installer-0", "default")
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == "", "the turn is given back"


async def test_a_turn_that_was_held_too_long_is_taken_over(nodes: Rehearsal) -> None:
    told(nodes, line())
    old = {"holderIdentity": "other", "renewTime": "2020-01-01T00:00:00.000000Z"}
    nodes.store.mutate(LEASES, "shim-installer-0", "default", lambda lease: lease.update(spec=old))
    installer(nodes)
    await nodes.ready("installer")
    assert HANDLER in handlers(nodes)


async def test_what_was_lost_on_the_node_is_mended_without_a_command(nodes: Rehearsal) -> None:
    told(nodes, line())
    installer(nodes)
    await nodes.ready("installer")
    nodes.store.mutate(
        "nodes", NODE, None, lambda n: n["metadata"]["annotations"].pop("emulator.aks-wasm.dev/handlers", None)
    )
    await nodes.until(lambda: HANDLER in handlers(nodes), "the handler")
    await nodes.ready("installer")
    assert [said["healthy"] for said in await reports(nodes)] in ([True, False, True], [True, False])


async def test_a_node_is_ready_for_a_handler_while_its_probe_runs_there(nodes: Rehearsal, task_image: str) -> None:
    told(nodes, line())
    installer(nodes)
    await nodes.ready("installer")
    label = f"handler.aks-wasm.dev/{HANDLER}"
    nodes.store.mutate("nodes", NODE, None, lambda n: n["metadata"]["labels"].update({label: "ready"}))
    nodes.runtime_class("wasmtime-of-test", HANDLER)
    nodes.store.create("pods", probe(task_image))
    await nodes.until(lambda: node_of(nodes)["metadata"]["labels"].get(label) == "ready", "the label")
    nodes.store.delete("pods", "probe", "default", grace_seconds=0)
    await nodes.until(lambda: label not in node_of(nodes)["metadata"]["labels"], "the label's end")


def probe(image: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": "shim-probe", "app.kubernetes.io/name": f"shim-probe-{HANDLER}"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "labels": labels},
        "spec": {
            "runtimeClassName": "wasmtime-of-test",
            "nodeName": NODE,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "containers": [{"name": "probe", "image": image, "command": ["/"]}],
        },
    }


async def test_images_for_probes_come_with_the_pod(nodes: Rehearsal) -> None:
    archive = ImageArchive().add("aks-wasm.dev/probe:1", {"app.wasm": b"\0asm"}).write(nodes.folder / "probe.tar")
    told(nodes, line(), probes={"p.tar": Path(archive).read_bytes()})
    installer(nodes)
    await nodes.ready("installer")
    assert nodes.images.has("aks-wasm.dev/probe:1", "linux/amd64")


async def test_an_archive_that_is_none_is_an_error_of_the_node(nodes: Rehearsal) -> None:
    told(nodes, line(), probes={"p.tar": b"nothing"})
    installer(nodes)
    state = "initContainerStatuses"
    await nodes.until(lambda: "lastState" in nodes.get("installer")["status"][state][0], "an end")
    await nodes.until(lambda: nodes.get("installer")["status"][state][0]["lastState"].get("terminated"), "an end")
    assert "p.tar can't be imported" in nodes.get("installer")["status"][state][0]["lastState"]["terminated"]["message"]


async def test_a_pool_can_be_told_to_fail(tmp_path: Path) -> None:
    pool = NodePoolProfile(name="wasm", labels={"emulator.aks-wasm.dev/shim-fault": "RolledBack"})
    async with rehearse(tmp_path, pool) as nodes:
        told(nodes, line())
        installer(nodes, node=node_name(pool, 0))
        state = "initContainerStatuses"
        await nodes.until(lambda: nodes.get("installer")["status"][state][0]["lastState"].get("terminated"), "an end")
        message = nodes.get("installer")["status"][state][0]["lastState"]["terminated"]["message"]
        assert "aks-wasm: error: RolledBack: " in message


async def test_many_nodes_install_side_by_side_and_restart_one_after_another(tmp_path: Path) -> None:
    pool = NodePoolProfile(name="wasm", count=20)
    async with rehearse(tmp_path, pool) as nodes:
        told(nodes, line())
        turns: list[str] = []
        changes = nodes.store.subscribe(LEASES)
        names = [node_name(pool, number) for number in range(20)]
        for name in names:
            installer(nodes, f"installer-{name}", name)
        await nodes.ready(*(f"installer-{name}" for name in names))
        while len(turns) < 2 * len(names):
            _, kind, lease = await anext(changes)
            if kind == "MODIFIED":
                turns.append(lease["spec"]["holderIdentity"])
        changes.close()
    assert turns[1::2] == [""] * 20, "each gives its turn back before the next has it"
    assert sorted(turns[::2]) == sorted(names)
