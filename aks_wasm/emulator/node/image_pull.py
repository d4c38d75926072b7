"""Pulls images: the OCI distribution API over TLS, with the token flows registries ask for."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import certifi

from aks_wasm.emulator.node.content import INDEX_TYPES, MANIFEST_TYPES, Content, choose_manifest
from aks_wasm.emulator.node.references import Reference

_SECONDS = aiohttp.ClientTimeout(total=None, connect=30, sock_read=60)
_LARGEST_DOCUMENT = 8 << 20
_ACCEPT = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES, "*/*"))
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class RegistryTrust:
    """Which registries are believed.

    Attributes:
        ca_file: A CA that is trusted beside certifi's; None for certifi's only.
        plain_http_hosts: `host:port` of registries that speak HTTP without TLS.
    """

    ca_file: Path | None = None
    plain_http_hosts: tuple[str, ...] = ()


class PullFailed(Exception):
    """A pull ended; the message is containerd's, `rpc error: ...`."""


async def pull(
    reference: Reference, platform: str, content: Content, trust: RegistryTrust, login: str | None = None
) -> str:
    """Fetch what an image needs on one platform; return the digest its name stands for.

    Args:
        reference: What is wanted.
        platform: `os/arch`; of an index only that one's manifest is fetched.
        content: Where blobs are put.
        trust: Which registries are believed.
        login: Base64 of `user:password`, or None to come as nobody.

    Raises:
        PullFailed: The registry can't be reached, refuses, or has no such image.
    """
    context = await asyncio.to_thread(_tls, trust)
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, timeout=_SECONDS, trust_env=True) as session:
        scheme = "http" if reference.registry in trust.plain_http_hosts else "https"
        puller = _Puller(session, reference, content, scheme, login)
        return await puller.run(platform)


def _tls(trust: RegistryTrust) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certifi.where())
    if trust.ca_file is not None and trust.ca_file.exists():
        context.load_verify_locations(cafile=trust.ca_file)
    return context


class _Puller:
    def __init__(
        self, session: aiohttp.ClientSession, reference: Reference, content: Content, scheme: str, login: str | None
    ) -> None:
        self._session = session
        self._reference = reference
        self._content = content
        host = "registry-1.docker.io" if reference.registry == "docker.io" else reference.registry
        self._base = f"{scheme}://{host}/v2/{reference.repository}"
        self._headers: dict[str, str] = {}
        self._login = {"Authorization": f"Basic {login}"} if login else {}

    async def run(self, platform: str) -> str:
        digest = await self._document(self._reference.digest or self._reference.tag)
        manifest = self._content.document(digest)
        if "manifests" in manifest:
            chosen = choose_manifest(manifest, platform)
            if chosen is None:
                return digest  # said when the image is looked at, in the same words as for loaded images
            await self._document(chosen)
            manifest = self._content.document(chosen)
        for blob in (manifest.get("config", {}), *manifest.get("layers", ())):
            await self._blob(str(blob.get("digest", "")))
        return digest

    async def _document(self, name: str) -> str:
        async with self._get(f"{self._base}/manifests/{name}", accept=_ACCEPT) as response:
            body = await response.content.read(_LARGEST_DOCUMENT)
            while not response.content.at_eof() and len(body) < _LARGEST_DOCUMENT:
                body += await response.content.read(_LARGEST_DOCUMENT - len(body))
        with self._named_failures():
            digest = self._content.add([body], name if name.startswith("sha256:") else None)
            self._content.document(digest)
        return digest

    async def _blob(self, digest: str) -> None:
        with self._named_failures():
            if self._content.has(digest):
                return
            async with self._get(f"{self._base}/blobs/{digest}", accept="*/*") as response:
                with self._content.receive(digest) as blob:
                    async for chunk in response.content.iter_chunked(1 << 20):
                        blob.write(chunk)

    @contextlib.contextmanager
    def _named_failures(self) -> Any:
        try:
            yield
        except ValueError as error:
            raise self._failed(str(error)) from error

    @contextlib.asynccontextmanager
    async def _get(self, url: str, *, accept: str) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            response = await self._session.get(url, headers={"Accept": accept, **self._headers})
            if response.status == 401 and "Authorization" not in self._headers:
                await self._authorize(response)
                response.release()
                response = await self._session.get(url, headers={"Accept": accept, **self._headers})
            async with response:
                if response.status >= 400:
                    raise self._refused(response.status, url)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failed(f'failed to do request: Head "{url}": {_network_words(error)}') from error

    async def _authorize(self, response: aiohttp.ClientResponse) -> None:
        scheme, _, rest = response.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() != "bearer":
            self._headers |= self._login
            return
        parameters = dict(_CHALLENGE.findall(rest))
        realm = parameters.pop("realm", "")
        scope = parameters.get("scope") or f"repository:{self._reference.repository}:pull"
        query = {"service": parameters.get("service", ""), "scope": scope}
        given = {key: value for key, value in query.items() if value}
        async with self._session.get(realm, params=given, headers=self._login) as answer:
            if answer.status == 200:
                document = await answer.json(content_type=None)
                token = document.get("token") or document.get("access_token", "")
                self._headers["Authorization"] = f"Bearer {token}"

    def _refused(self, status: int, url: str) -> PullFailed:
        name = self._reference.name
        if status in (401, 403):
            return self._failed(
                "pull access denied, repository does not exist or may require authorization: "
                "server message: insufficient_scope: authorization failed"
            )
        if status == 404:
            return self._failed(f"{name}: not found", code="NotFound")
        return self._failed(f"unexpected status from HEAD request to {url}: {status}")

    def _failed(self, why: str, *, code: str = "Unknown") -> PullFailed:
        name = self._reference.name
        return PullFailed(
            f'rpc error: code = {code} desc = failed to pull and unpack image "{name}": '
            f'failed to resolve reference "{name}": {why}'
        )


def _network_words(error: Exception) -> str:
    """Say a network failure as Go's net package does."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    if isinstance(error, aiohttp.ClientConnectorError):
        place = f"{error.host}:{error.port}"
        if isinstance(error.os_error, socket.gaierror):
            return f"dial tcp: lookup {error.host}: no such host"
        if isinstance(error.os_error, ConnectionRefusedError) or error.os_error.errno == 111:
            return f"dial tcp {place}: connect: connection refused"
        return f"dial tcp {place}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, TimeoutError):
        return "net/http: request canceled while waiting for connection"
    return str(error) or type(error).__name__
