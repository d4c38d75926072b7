"""A cluster with nodes that run, and what a test says to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wasmtime

from aks_wasm.emulator.clock import Pace
from aks_wasm.emulator.cluster.logs import LogQuery
from aks_wasm.emulator.cluster.store import Store
from aks_wasm.emulator.node.agent import NodeAgents
from aks_wasm.emulator.node.images import ImageStore
from aks_wasm.emulator.node.profile import NodePoolProfile, node_name
from aks_wasm.emulator.node.runtimes import Runtime, installed_runtimes, remember_runtimes
from aks_wasm.emulator.state import Documents
from tests.emulator.node.oci_archives import ImageArchive

POOL = NodePoolProfile(name="wasm", resource_group="MC_test")
NODE = node_name(POOL, 0)
PATIENCE = 30  # seconds
MODULE_START = (
    '(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)'
)


def wat(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def exits_with(code: int) -> bytes:
    return wat(f'{MODULE_START} (func (export "_start") (call $exit (i32.const {code}))))')


def shows_files(*places: tuple[int, str]) -> bytes:
    """A command that writes files to stdout, each given by the number of a preopened folder (from 3) and a path."""
    data = "".join(f'(data (i32.const {100 + 50 * row}) "{path}")' for row, (_, path) in enumerate(places))
    calls = "".join(
        f"(call $show (i32.const {folder}) (i32.const {100 + 50 * row}) (i32.const {len(path)}))"
        for row, (folder, path) in enumerate(places)
    )
    return wat(
        f"""(module
      (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1)
      {data}
      (func $show (param $dir i32) (param $path i32) (param $length i32)
        (if (call $open (local.get $dir) (i32.const 1) (local.get $path) (local.get $length) (i32.const 0)
              (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 0))
          (then unreachable))
        (i32.store (i32.const 8) (i32.const 1000))
        (i32.store (i32.const 12) (i32.const 4096))
        (drop (call $read (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
        (i32.store (i32.const 12) (i32.load (i32.const 16)))
        (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))))
      (func (export "_start") {calls}))"""
    )


TRAPS = wat('(module (memory (export "memory") 1) (func (export "_start") unreachable))')
ENDLESS = wat('(module (memory (export "memory") 1) (func (export "_start") (loop br 0)))')
MEMORY_HOG = wat(
    """(module (memory (export "memory") 1)
      (func (export "_start") (local $at i32)
        (loop $more
          (drop (memory.grow (i32.const 16)))
          (memory.fill (local.get $at) (i32.const 7) (i32.const 1048576))
          (local.set $at (i32.add (local.get $at) (i32.const 1048576)))
          (br $more))))"""
)


@dataclass
class Rehearsal:
    """One cluster's nodes."""

    store: Store
    images: ImageStore
    agents: NodeAgents
    folder: Path

    def image(self, name: str, files: dict[str, bytes], **more: Any) -> None:
        self.images.load(ImageArchive().add(name, files, **more).write(self.folder / "image.tar"))

    def module(self, name: str, content: bytes, **more: Any) -> None:
        """An image whose entrypoint is the module."""
        self.image(name, {"app.wasm": content}, config={"Entrypoint": ["/app.wasm"]}, **more)

    def install(self, *runtimes: Runtime, node: str = NODE) -> None:
        """Configure handlers on a node, as an installer would have."""
        added = {runtime.handler: runtime for runtime in runtimes}
        self.store.mutate(
            "nodes", node, None, lambda stored: remember_runtimes(stored, installed_runtimes(stored) | added)
        )

    def runtime_class(self, name: str, handler: str) -> None:
        self.store.create(
            "runtimeclasses.node.k8s.io",
            {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": handler},
        )

    def pod(self, name: str, image: str, *, spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
        """Create a pod of one container, bound to the node."""
        return self.store.create(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
                "spec": {
                    "runtimeClassName": "wasmtime",
                    "restartPolicy": "Never",
                    "enableServiceLinks": False,
                    "automountServiceAccountToken": False,
                    "nodeName": NODE,
                    **(spec or {}),
                    "containers": [{"name": "main", "image": image, **container}],
                },
            },
        )

    def service(self, name: str, port: int, target: int, *pods: str) -> None:
        """Create a Service of type LoadBalancer and the EndpointSlice that its controller would make."""
        meta = {"name": name, "namespace": "default"}
        spec = {"type": "LoadBalancer", "ports": [{"port": port, "targetPort": target, "protocol": "TCP"}]}
        self.store.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
        self.endpoints(name, target, *pods)

    def endpoints(self, name: str, target: int, *pods: str) -> None:
        self.store.finish_delete("endpointslices.discovery.k8s.io", name, "default")
        labels = {"kubernetes.io/service-name": name}
        self.store.create(
            "endpointslices.discovery.k8s.io",
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": name, "namespace": "default", "labels": labels},
                "addressType": "IPv4",
                "ports": [{"name": "", "port": target, "protocol": "TCP"}],
                "endpoints": [
                    {"addresses": [self.get(pod)["status"]["podIP"]], "conditions": {"ready": True}} for pod in pods
                ],
            },
        )

    async def address(self, name: str) -> str:
        """Return where a Service answers."""

        def ingress() -> str:
            service = self.store.get("services", name, "default")
            assert service is not None
            annotated = (service["metadata"].get("annotations") or {}).get("aks-wasm.dev/endpoint")
            port = service["spec"]["ports"][0]["port"]
            return annotated or f"http://{service['status']['loadBalancer']['ingress'][0]['ip']}:{port}"

        await self.until(ingress, f"the address of {name}")
        return ingress()

    def state(self, name: str, container: int = 0) -> dict[str, Any]:
        return self.get(name)["status"]["containerStatuses"][container]["state"]

    def get(self, name: str) -> dict[str, Any]:
        pod = self.store.get("pods", name, "default")
        assert pod is not None, f"pod {name} is gone"
        return pod

    def events(self, name: str) -> list[tuple[str, str]]:
        return [
            (event["reason"], event["message"])
            for event in self.store.list("events")
            if event["involvedObject"]["name"] == name
        ]

    async def until(self, holds: Callable[[], Any], what: str = "it") -> None:
        """Wait for the store to say so, looking again at every change."""
        subscription = self.store.subscribe()
        try:
            async with asyncio.timeout(PATIENCE):
                async for _ in subscription:
                    with contextlib.suppress(KeyError, AssertionError, IndexError):
                        if holds():
                            return
        except TimeoutError:
            raise AssertionError(f"{what} did not come about; pods: {self.store.list('pods')}") from None
        finally:
            subscription.close()

    async def phase(self, name: str, *phases: str) -> dict[str, Any]:
        await self.until(lambda: self.get(name)["status"]["phase"] in phases, f"phase {phases} of {name}")
        return self.get(name)

    async def ready(self, *names: str) -> None:
        def all_ready() -> bool:
            return all(self.get(name)["status"]["containerStatuses"][0]["ready"] for name in names)

        await self.until(all_ready, f"readiness of {names}")

    async def gone(self, name: str) -> None:
        await self.until(lambda: self.store.peek("pods", name, "default") is None, f"the end of {name}")

    async def log(self, name: str, *, container: str = "main", **options: Any) -> str:
        pieces = [piece async for piece in self.agents.open_log("default", name, container, LogQuery(**options))]
        return b"".join(pieces).decode()


async def eventually(holds: Callable[[], Any]) -> None:
    """Wait for something the store does not tell of, such as the end of a process."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


def container_processes(folder: Path) -> list[int]:
    """Return the process ids of containers whose files are below the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


@contextlib.asynccontextmanager
async def rehearse(folder: Path, *pools: NodePoolProfile) -> AsyncIterator[Rehearsal]:
    """Run the nodes of a cluster whose state is in the folder; a second time it is the same cluster again."""
    documents = Documents(folder / "state.db")
    store = Store(documents, "c")
    images = ImageStore(folder / "images")
    agents = NodeAgents(store, images, Pace(0), folder / "nodes")
    if store.peek("namespaces", "default") is None:
        store.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
    await agents.converge(pools or (POOL,))
    rehearsal = Rehearsal(store, images, agents, folder)
    running = asyncio.create_task(agents.run())
    try:
        yield rehearsal
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        documents.close()
