"""The process that lets Services of type LoadBalancer answer on the host; one for each cluster, ends with it.

`python -m aks_wasm.providers.kind.forwarder FOLDER ENGINE CLUSTER`: follows the cluster's Services, listens on loopback
for each, and writes into each where it answers.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import errno
import json
import os
import signal
import ssl
import sys
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from aks_wasm.errors import AksWasmError
from aks_wasm.providers.kind.folder import ClusterFolder
from aks_wasm.providers.kind.forwarding import lock_of
from aks_wasm.providers.kind.lock import try_lock
from aks_wasm.providers.kind.relay import NodeDoor
from aks_wasm.providers.kind.services import HOST, Target, annotation_patch, endpoint, status_patch, target_of

_SERVICES = "/api/v1/services"
_MERGE = "application/merge-patch+json"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # seconds between attempts at a cluster that does not answer
_WATCH_SECONDS = 300  # after which the API server ends a watch and we list anew
_LOCK_TRIES, _LOCK_PAUSE = 20, 0.1

Document = dict[str, Any]


class Forwarder:
    """Keeps a listener for each port of each Service that is to answer."""

    def __init__(self, session: aiohttp.ClientSession, server: str, door: NodeDoor) -> None:
        self._session = session
        self._server = server
        self._door = door
        self._targets: dict[str, Target] = {}
        self._listeners: dict[tuple[str, int], asyncio.Server] = {}

    async def follow(self) -> None:
        """List the Services, then follow their changes until the API server ends the watch.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: The API server does not answer.
        """
        async with self._session.get(self._server + _SERVICES) as answer:
            answer.raise_for_status()
            listed: Document = await answer.json()
        found = {target.key: target for item in listed["items"] if (target := target_of(item))}
        for key in set(self._targets) - set(found):
            self._forget(key)
        for target in found.values():
            await self._serve(target)
        query = {
            "watch": "1",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async with self._session.get(self._server + _SERVICES, params=query) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event: Document = json.loads(line)
                if event["type"] == "ERROR":
                    return  # too old; list anew
                await self._take(event["type"], event["object"])

    async def close(self) -> None:
        """Stop listening."""
        for key in list(self._targets):
            self._forget(key)

    async def _take(self, kind: str, service: Document) -> None:
        target = None if kind == "DELETED" else target_of(service)
        if target is None:
            self._forget(f"{service['metadata']['namespace']}/{service['metadata']['name']}")
        else:
            await self._serve(target)

    async def _serve(self, target: Target) -> None:
        self._targets[target.key] = target
        for listened in [place for place in self._listeners if place[0] == target.key]:
            if listened[1] not in target.ports:
                self._listeners.pop(listened).close()
        for number, port in enumerate(target.ports):
            if (target.key, port) not in self._listeners:
                preferred = target.last_port if number == 0 else None
                self._listeners[target.key, port] = await self._listen(target.key, port, preferred)
        first = self._listeners[target.key, next(iter(target.ports))]
        url = endpoint(first.sockets[0].getsockname()[1])
        if target.annotated != url:
            await self._patch(target, annotation_patch(url))
        if not target.told:
            await self._patch(target, status_patch(), "/status")

    async def _listen(self, key: str, port: int, preferred: int | None) -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            target = self._targets.get(key)
            try:
                if target is not None and port in target.ports:
                    await self._door.carry((reader, writer), target.ports[port])
            except OSError:
                pass  # nobody is behind it: the client sees the connection end
            finally:
                writer.close()

        try:
            return await asyncio.start_server(accept, HOST, preferred or 0)
        except OSError as error:
            if not preferred or error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            return await asyncio.start_server(accept, HOST, 0)

    async def _patch(self, target: Target, document: Document, part: str = "") -> None:
        path = f"/api/v1/namespaces/{target.namespace}/services/{target.name}{part}"
        query = {"fieldManager": "aks-wasm-forwarder"}
        headers = {"Content-Type": _MERGE}
        data = json.dumps(document)
        async with self._session.patch(self._server + path, params=query, data=data, headers=headers) as answer:
            if answer.status != 404:  # deleted meanwhile: the watch says so next
                answer.raise_for_status()

    def _forget(self, key: str) -> None:
        self._targets.pop(key, None)
        for place in [place for place in self._listeners if place[0] == key]:
            self._listeners.pop(place).close()


async def serve(folder: ClusterFolder, program: str, cluster: str) -> None:
    """Forward until the cluster is gone."""
    server, context = credentials(folder.forwarder / "kubeconfig.yaml")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_WATCH_SECONDS + 30)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False) as session:
        door = NodeDoor(program, f"{cluster}-control-plane")
        identity = await identity_of(program, door.container)
        forwarder = Forwarder(session, server, door)
        pause = _FIRST_PAUSE
        try:
            while await is_there(program, identity):
                door.address = await address_of(program, door.container) or door.address
                try:
                    await forwarder.follow()
                    pause = _FIRST_PAUSE
                except (aiohttp.ClientError, OSError, TimeoutError):
                    pass  # the cluster is stopped, or about to go: look again
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
        finally:
            await forwarder.close()
    (folder.forwarder / "kubeconfig.yaml").unlink(missing_ok=True)


async def identity_of(program: str, container: str) -> str:
    """Return a container's id: another cluster of the same name has another one."""
    _, out = await _ask(program, "inspect", "--format", "{{.Id}}", container)
    return out.strip()


async def is_there(program: str, identity: str) -> bool:
    """Return whether a container exists, running or not; an engine that does not answer says nothing about that."""
    code, out = await _ask(program, "ps", "--all", "--quiet", "--no-trunc", "--filter", f"id={identity}")
    return code != 0 or (bool(identity) and bool(out.strip()))


async def address_of(program: str, container: str) -> str:
    """Return a container's address in the engine's network; empty when it does not run."""
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    code, out = await _ask(program, "inspect", "--format", form, container)
    found = out.split()
    return found[0] if code == 0 and found else ""


async def _ask(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode("utf-8", "replace")


def credentials(path: Path) -> tuple[str, ssl.SSLContext]:
    """Return the API server and what it is reached with, from a kubeconfig with a client certificate."""
    document: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile(dir=path.parent) as pair:  # ssl takes certificate and key from a file only
        for key in ("client-certificate-data", "client-key-data"):
            pair.write(base64.b64decode(user[key]) + b"\n")
        pair.flush()
        context.load_cert_chain(pair.name)
    return str(cluster["server"]), context


async def _until_told(folder: ClusterFolder, program: str, cluster: str) -> None:
    work = asyncio.ensure_future(serve(folder, program, cluster))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def _take_lock(folder: ClusterFolder) -> int | None:
    for _ in range(_LOCK_TRIES):  # somebody who only looks holds it for a moment
        handle = try_lock(lock_of(folder), str(os.getpid()))
        if handle is not None:
            return handle
        await asyncio.sleep(_LOCK_PAUSE)
    return None


async def _main(folder: ClusterFolder, program: str, cluster: str) -> int:
    try:
        handle = await _take_lock(folder)
    except AksWasmError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    if handle is None:
        return 0  # another forwarder does it
    await _until_told(folder, program, cluster)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(ClusterFolder(Path(sys.argv[1])), sys.argv[2], sys.argv[3])))
