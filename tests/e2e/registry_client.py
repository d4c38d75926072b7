"""`python -m tests.e2e.registry_client HOST CERTIFICATE push MODULE REPOSITORY | put ARCHIVE`: fills a registry."""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import urljoin

import requests

from aks_wasm.waits import Patience, SystemClock
from aks_wasm.wasm.oci import module_content, package
from aks_wasm.wasm.registry import push
from aks_wasm.wasm.registry_login import Credentials

_NAME = "io.containerd.image.name"
_SECONDS = 20


def push_module(host: str, certificate: str, module: Path, repository: str) -> str:
    """Package a module and push it by the product's own code; return the image's name."""
    with tempfile.TemporaryDirectory() as folder:
        archive = package(module_content(module), repository=f"{host}/{repository}", folder=Path(folder))
        push(archive, credentials=Credentials(), verify=certificate, patience=Patience(_SECONDS, SystemClock()))
    return archive.name


class Archive:
    """An OCI archive on its way, in whatever form its images are."""

    def __init__(self, path: Path, host: str, certificate: str) -> None:
        with tarfile.open(path) as tar:
            files = {member.name: tar.extractfile(member) for member in tar.getmembers() if member.isfile()}
            contents = {name: file.read() for name, file in files.items() if file is not None}
        self._blobs = {f"sha256:{name.rpartition('/')[2]}": data for name, data in contents.items() if "blobs/" in name}
        self._entries = json.loads(contents["index.json"])["manifests"]
        self._base, self._certificate = f"https://{host}/v2/", certificate

    def put(self) -> None:
        for entry in self._entries:
            repository, _, tag = entry["annotations"][_NAME].rpartition(":")
            self._put_manifest(repository, tag, self._blobs[entry["digest"]])

    def _put_manifest(self, repository: str, name: str, document: bytes) -> None:
        content = json.loads(document)
        for part in content.get("manifests", ()):
            self._put_manifest(repository, part["digest"], self._blobs[part["digest"]])
        for part in (content["config"], *content["layers"]) if "config" in content else ():
            self._put_blob(repository, self._blobs[part["digest"]])
        self._ask("PUT", f"{repository}/manifests/{name}", document, content["mediaType"])

    def _put_blob(self, repository: str, data: bytes) -> None:
        place = self._ask("POST", f"{repository}/blobs/uploads/").headers["Location"]
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._ask("PUT", f"{place}&digest={digest}", data)

    def _ask(
        self, method: str, path: str, data: bytes = b"", media: str = "application/octet-stream"
    ) -> requests.Response:
        answer = requests.request(
            method,
            urljoin(self._base, path),
            data=data,
            headers={"Content-Type": media},
            verify=self._certificate,
            timeout=_SECONDS,
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


if __name__ == "__main__":
    match sys.argv[1:]:
        case [host, certificate, "push", module, repository]:
            sys.stdout.write(push_module(host, certificate, Path(module), repository))
        case [host, certificate, "put", archive]:
            Archive(Path(archive), host, certificate).put()
        case _:
            sys.exit(str(__doc__))
