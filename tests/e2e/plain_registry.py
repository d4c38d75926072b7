"""A registry for nodes of the bench: plain HTTP on this machine, read only; its `private` part wants a login."""

from __future__ import annotations

import hashlib
import json
import tarfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_NAME = "io.containerd.image.name"


def documents_of(archives: Iterable[Path]) -> dict[str, bytes]:
    """Return what is served: blobs and manifests by digest, and each name's manifest by `repository:tag`."""
    documents: dict[str, bytes] = {}
    for archive in archives:
        with tarfile.open(archive) as tar:
            files = {member.name: tar.extractfile(member) for member in tar.getmembers() if member.isfile()}
            contents = {name: file.read() for name, file in files.items() if file is not None}
        blobs = {f"sha256:{name.rpartition('/')[2]}": data for name, data in contents.items() if "blobs/" in name}
        entries = json.loads(contents["index.json"])["manifests"]
        documents |= blobs | {entry["annotations"][_NAME]: blobs[entry["digest"]] for entry in entries}
    return documents


@contextmanager
def plain_registry(*archives: Path) -> Iterator[int]:
    """Serve the images of OCI archives, named without a registry, for the length of a `with`; yields the port."""
    documents = documents_of(archives)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_arguments: Any, **_named: Any) -> None:
            """Say nothing."""

        def _answer(self, *, with_body: bool) -> None:
            status, headers, body = answer(self.path.partition("?")[0], documents)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    with ThreadingHTTPServer(("0.0.0.0", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def answer(path: str, documents: Mapping[str, bytes]) -> tuple[HTTPStatus, dict[str, str], bytes]:
    """Return status, headers and body for a path of the distribution API."""
    parts = path.removeprefix("/v2/").rsplit("/", 2)
    if len(parts) < 3:
        return HTTPStatus.OK, {}, b"{}"
    repository, kind, reference = parts
    if repository.startswith("private/"):
        return HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="private"'}, b"{}"
    found = documents.get(reference) or documents.get(f"{repository}:{reference}")
    if found is None:
        return HTTPStatus.NOT_FOUND, {}, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}'
    digest = "sha256:" + hashlib.sha256(found).hexdigest()
    media = json.loads(found)["mediaType"] if kind == "manifests" else "application/octet-stream"
    return HTTPStatus.OK, {"Content-Type": media, "Docker-Content-Digest": digest}, found
