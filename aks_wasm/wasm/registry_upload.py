"""One image on its way into a repository, part by part; what fails for a moment is sent again."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, TypeVar
from urllib.parse import urljoin

import requests
from urllib3.exceptions import NewConnectionError

from aks_wasm.errors import AksWasmError, NotAllowed, NotSignedIn, ServiceError
from aks_wasm.waits import Patience, Seen, Tolerant, wait_until
from aks_wasm.wasm.registry_login import Credentials, authorize

_INDEX = "application/vnd.oci.image.index.v1+json"
_TIMEOUT = (10.0, 120.0)  # seconds to connect, to read
_UPLOAD_TIMEOUT = (10.0, 600.0)
_PAUSE = 1.0  # seconds between tries at a registry that fails
_LONGEST_PAUSE = 60.0  # seconds; a registry that asks for more is asked once more all the same
_WORTH_TELLING = 4 * 1024**2  # bytes; less is sent before anybody has read that it is

T = TypeVar("T")


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


class _NotNow(Exception):
    """A registry that is too busy (429) or fails (5xx); `pause` is what Retry-After asks for, in seconds."""

    def __init__(self, answer: requests.Response, doing: str) -> None:
        super().__init__(doing)
        asked = answer.headers.get("Retry-After", "")
        self.answer = answer
        self.pause = min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else None


class Upload:
    """One image on its way to one repository."""

    def __init__(
        self, session: requests.Session, reference: Reference, credentials: Credentials, patience: Patience
    ) -> None:
        self._session = session
        self._reference = reference
        self._credentials = credentials
        self._patience = patience
        self._has_answered = False
        self._base = f"https://{reference.host}/v2/{reference.repository}"

    def has_manifest(self, tag: str) -> bool:
        """Ask whether a tag is there."""
        return bool(self._patiently(lambda: self._find_manifest(tag)))

    def index(self, tar: tarfile.TarFile, digest: str) -> None:
        """Send blobs, then manifests, then the index under its tag."""
        index = _content(tar, digest)
        for manifest in json.loads(index)["manifests"]:
            document = _content(tar, manifest["digest"])
            parts = json.loads(document)
            for blob in [parts["config"], *parts["layers"]]:
                self._patiently(partial(self._blob, tar, blob))
            self._patiently(partial(self._manifest, manifest["digest"], manifest["mediaType"], document))
        self._patiently(lambda: self._manifest(self._reference.tag, _INDEX, index))

    def _patiently(self, work: Callable[[], T]) -> T | None:
        """Do one part of the upload, all of it again while the registry is busy, fails or is out of reach."""

        def look() -> Seen[T]:
            try:
                return Seen("", done=True, value=work())
            except _NotNow as error:
                if error.answer.status_code != requests.codes.too_many_requests:
                    raise
                return Seen("the registry is busy", pause=error.pause)

        state = "the registry does not answer; trying again"
        tolerant = Tolerant(look, self._patience.clock, self._is_lost, state, pause=_PAUSE)
        try:
            return wait_until(tolerant, what=f"the registry `{self._reference.host}`", patience=self._patience)
        except _NotNow as error:
            raise self._refusal(error.answer, str(error)) from error

    def _is_lost(self, error: Exception) -> bool:
        """Whether a later try may find the registry in a better state."""
        if isinstance(error, _NotNow):
            return True
        if not isinstance(error, requests.exceptions.RequestException) or not _is_cut(error):
            return False
        # Where nothing has ever answered, the address is wrong more likely than not, and waiting of no use.
        return self._has_answered or not _is_refused(error)

    def _find_manifest(self, tag: str) -> bool:
        doing = f"look for `{self._reference.repository}:{tag}`"
        answer = self._send("HEAD", f"{self._base}/manifests/{tag}", doing, headers={"Accept": _INDEX})
        if answer.status_code == requests.codes.not_found:
            return False
        self._check(answer, doing)
        return True

    def _blob(self, tar: tarfile.TarFile, blob: Mapping[str, Any]) -> None:
        digest = str(blob["digest"])
        if self._send("HEAD", f"{self._base}/blobs/{digest}", f"look for {digest}").status_code == requests.codes.ok:
            return
        if blob["size"] >= _WORTH_TELLING:
            self._patience.on_state(f"sending {blob['size'] / 1024**2:.0f} MiB")
        with _member(tar, digest) as content:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob["size"])}
            done = self._send(
                "PUT",
                self._upload_place(),
                f"send {digest}",
                params={"digest": digest},
                data=content,
                headers=headers,
                timeout=_UPLOAD_TIMEOUT,
            )
        self._check(done, f"send {digest}")

    def _upload_place(self) -> str:
        doing = "start an upload"
        started = self._send("POST", f"{self._base}/blobs/uploads/", doing)
        self._check(started, doing)
        place = started.headers.get("Location")
        if not place:
            raise ServiceError(
                f"the registry `{self._reference.host}` does not say where an upload goes to",
                code="RegistryNoLocation",
                hint="its answer lacks the header `Location`; a proxy in between may have taken it away",
            )
        return urljoin(started.url, place)

    def _manifest(self, name: str, media_type: str, document: bytes) -> None:
        doing = f"send the manifest `{name}`"
        url = f"{self._base}/manifests/{name}"
        self._check(self._send("PUT", url, doing, data=document, headers={"Content-Type": media_type}), doing)

    def _send(self, method: str, url: str, doing: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", _TIMEOUT)
        answer = self._session.request(method, url, **options)
        self._has_answered = True
        challenge = answer.headers.get("WWW-Authenticate")
        if answer.status_code == requests.codes.unauthorized and challenge:
            self._session.headers["Authorization"] = authorize(
                self._session, self._reference.host, challenge, self._credentials
            )
            content = options.get("data")
            if content is not None and not isinstance(content, bytes):
                content.seek(0)
            answer = self._session.request(method, url, **options)
        if answer.status_code == requests.codes.too_many_requests or answer.status_code >= 500:
            raise _NotNow(answer, doing)
        return answer

    def _check(self, answer: requests.Response, doing: str) -> None:
        if answer.status_code >= 300:
            raise self._refusal(answer, doing)

    def _refusal(self, answer: requests.Response, doing: str) -> AksWasmError:
        host = self._reference.host
        kind: type[AksWasmError] = {401: NotSignedIn, 403: NotAllowed}.get(answer.status_code, ServiceError)
        hint = {
            401: f"sign in: `docker login {host}`, or `az acr login` for a registry of Azure",
            403: "the login needs the right to push, on Azure the role AcrPush",
        }.get(answer.status_code)
        return kind(
            f"the registry `{host}` refuses to {doing}: {_said(answer)}",
            code=f"Registry{answer.status_code}",
            hint=hint,
            details=answer.text[:2000] or None,
        )


def _is_cut(error: requests.exceptions.RequestException) -> bool:
    """Whether a connection broke, while TLS was set up or later; what is not trusted is no such thing."""
    if isinstance(error, requests.exceptions.SSLError):
        return "UNEXPECTED_EOF" in str(error)
    return isinstance(error, requests.exceptions.ConnectionError | requests.exceptions.Timeout)


def _is_refused(error: requests.exceptions.RequestException) -> bool:
    """Whether nothing listens there, or the name is unknown."""
    return isinstance(getattr(error.args[0] if error.args else None, "reason", None), NewConnectionError)


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
