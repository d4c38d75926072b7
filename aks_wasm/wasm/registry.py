"""Pushes image archives to a registry by the OCI distribution API; what is there already is not sent again."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urljoin

import requests

from aks_wasm.errors import AksWasmError, NotAllowed, NotSignedIn, ServiceError, Unreachable
from aks_wasm.events import Progress
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.registry_login import Credentials, authorize

_INDEX = "application/vnd.oci.image.index.v1+json"
_TIMEOUT = (10.0, 120.0)  # seconds to connect, to read
_UPLOAD_TIMEOUT = (10.0, 600.0)
_WORTH_TELLING = 4 * 1024**2  # bytes; less is sent before anybody has read that it is


@dataclass(frozen=True)
class Reference:
    """An image's name in its parts.

    Attributes:
        host: The registry, with its port.
        repository: The path in it.
        tag: The tag.
    """

    host: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, name: str) -> Reference:
        """Split `registry/path:tag`."""
        host, _, rest = name.partition("/")
        repository, _, tag = rest.rpartition(":")
        return cls(host, repository or rest, tag if repository else "latest")


def push(
    archive: ImageArchive,
    *,
    credentials: Credentials,
    verify: str | bool = True,
    on_state: Progress = lambda _state: None,
) -> bool:
    """Send an image and all it consists of; return False when the registry had that tag already.

    Tags are made from the content (`ImageContent.tag`), so a tag that exists is the same image.

    Args:
        archive: The OCI layout tar and the name it gets.
        credentials: Where the login for the registry comes from.
        verify: A CA file, or True for the usual ones.
        on_state: Hears what is being sent.

    Raises:
        NotSignedIn: The registry wants a login, and there is none.
        NotAllowed: The login may not push.
        Unreachable: The registry does not answer.
        ServiceError: It says no.
    """
    reference = Reference.parse(archive.name)
    with _Session(verify=verify) as session, _errors(reference, verify):
        upload = _Upload(session, reference, credentials)
        if upload.has_manifest(reference.tag):
            return False
        with tarfile.open(archive.path) as tar:
            upload.index(tar, archive.digest, on_state)
    return True


class _Session(requests.Session):
    """A session with our own trust and logins: the environment's CA file and ~/.netrc do not win over them."""

    def __init__(self, *, verify: str | bool) -> None:
        super().__init__()
        self.verify = verify
        self.auth = _as_it_is

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Fill in our CA file before the environment is asked (psf/requests#3829)."""
        return super().merge_environment_settings(url, proxies, stream, self.verify if verify is None else verify, cert)

    def close(self) -> None:
        """Close every connection; requests leaves them to the garbage collector, and tracebacks hold on to them."""
        for adapter in self.adapters.values():
            if isinstance(adapter, requests.adapters.HTTPAdapter):
                pools = adapter.poolmanager.pools
                for key in pools.keys():  # noqa: SIM118 - urllib3's container refuses to be iterated
                    pools[key].close()
        super().close()


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from putting a login of ~/.netrc in the place of ours."""
    return request


class _Upload:
    """One image on its way to one repository."""

    def __init__(self, session: requests.Session, reference: Reference, credentials: Credentials) -> None:
        self._session = session
        self._reference = reference
        self._credentials = credentials
        self._base = f"https://{reference.host}/v2/{reference.repository}"

    def has_manifest(self, tag: str) -> bool:
        """Ask whether a tag is there."""
        answer = self._send("HEAD", f"{self._base}/manifests/{tag}", headers={"Accept": _INDEX})
        if answer.status_code == 404:
            return False
        self._check(answer, f"look for `{self._reference.repository}:{tag}`")
        return True

    def index(self, tar: tarfile.TarFile, digest: str, on_state: Progress) -> None:
        """Send blobs, then manifests, then the index under its tag."""
        index = _content(tar, digest)
        for manifest in json.loads(index)["manifests"]:
            document = _content(tar, manifest["digest"])
            parts = json.loads(document)
            for blob in [parts["config"], *parts["layers"]]:
                self._blob(tar, blob, on_state)
            self._manifest(manifest["digest"], manifest["mediaType"], document)
        self._manifest(self._reference.tag, _INDEX, index)

    def _blob(self, tar: tarfile.TarFile, blob: Mapping[str, Any], on_state: Progress) -> None:
        digest = str(blob["digest"])
        if self._send("HEAD", f"{self._base}/blobs/{digest}").status_code == 200:
            return
        if blob["size"] >= _WORTH_TELLING:
            on_state(f"sending {blob['size'] / 1024**2:.0f} MiB")
        started = self._send("POST", f"{self._base}/blobs/uploads/")
        self._check(started, "start an upload")
        place = urljoin(started.url, started.headers["Location"])
        with _member(tar, digest) as content:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob["size"])}
            done = self._send(
                "PUT", place, params={"digest": digest}, data=content, headers=headers, timeout=_UPLOAD_TIMEOUT
            )
        self._check(done, f"send {digest}")

    def _manifest(self, name: str, media_type: str, document: bytes) -> None:
        answer = self._send(
            "PUT", f"{self._base}/manifests/{name}", data=document, headers={"Content-Type": media_type}
        )
        self._check(answer, f"send the manifest `{name}`")

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", _TIMEOUT)
        answer = self._session.request(method, url, **options)
        challenge = answer.headers.get("WWW-Authenticate")
        if answer.status_code != 401 or not challenge:
            return answer
        self._session.headers["Authorization"] = authorize(
            self._session, self._reference.host, challenge, self._credentials
        )
        content = options.get("data")
        if content is not None and not isinstance(content, bytes):
            content.seek(0)
        return self._session.request(method, url, **options)

    def _check(self, answer: requests.Response, doing: str) -> None:
        if answer.status_code < 300:
            return
        host = self._reference.host
        kind: type[AksWasmError] = {401: NotSignedIn, 403: NotAllowed}.get(answer.status_code, ServiceError)
        hint = {
            401: f"sign in: `docker login {host}`, or `az acr login` for a registry of Azure",
            403: "the login needs the right to push, on Azure the role AcrPush",
        }.get(answer.status_code)
        raise kind(
            f"the registry `{host}` refuses to {doing}: {_said(answer)}",
            code=f"Registry{answer.status_code}",
            hint=hint,
            details=answer.text[:2000] or None,
        )


def _said(answer: requests.Response) -> str:
    try:
        errors = answer.json()["errors"]
        return "; ".join(str(error.get("message") or error.get("code")) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP status {answer.status_code}"


def _content(tar: tarfile.TarFile, digest: str) -> bytes:
    with _member(tar, digest) as file:
        return file.read()


@contextmanager
def _member(tar: tarfile.TarFile, digest: str) -> Iterator[IO[bytes]]:
    file = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
    if file is None:
        raise ServiceError(f"the image archive lacks `{digest}`", code="ArchiveIncomplete")
    with file:
        yield file


@contextmanager
def _errors(reference: Reference, verify: str | bool) -> Iterator[None]:  # noqa: FBT001
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise Unreachable(
            f"the certificate of the registry `{reference.host}` is not trusted",
            code="RegistryCertificate",
            hint="name its authority with `REQUESTS_CA_BUNDLE`",
            details=f"{error} (trusted: {verify})",
        ) from error
    except requests.exceptions.RequestException as error:
        raise Unreachable(
            f"the registry `{reference.host}` does not answer",
            code="RegistryUnreachable",
            hint="check `registry.login` in the file and the network",
            details=str(error),
        ) from error
    except (OSError, tarfile.TarError, KeyError) as error:
        raise ServiceError(
            f"the image archive of `{reference.repository}` cannot be read: {error}", code="ArchiveUnreadable"
        ) from error
