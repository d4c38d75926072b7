"""The SDK's clients, each imported and made when first used, over one connection pool; and plain reads of ARM."""

from __future__ import annotations

from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import DecodeError
from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy

from aks_wasm import __version__
from aks_wasm.errors import ServiceError
from aks_wasm.providers.azure.connection import Connection, open_credential

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.pipeline.transport import RequestsTransport
    from azure.core.rest import HttpResponse
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.resource.features import FeatureClient
    from azure.mgmt.resource.resources import ResourceManagementClient

LONGEST_RETRY_AFTER = 10.0  # seconds the SDK may sleep without hearing Ctrl+C; what is longer is waited for by us
_OURS_TO_WAIT_FOR = (409, 412, 429)  # of a write: operations.py waits, by the clock that Ctrl+C stops
_SHOWN = 500  # characters of an answer that makes no sense, for the details of the error


class ShortRetry(RetryPolicy[Any, Any]):
    """azure-core's retries, without those it would sleep through.

    azure-core retries any status from 400 on that carries Retry-After, whatever the method, and sleeps exactly that
    long (seen on the wire). A 401 is tried once more, since the authentication policy then takes a fresh token.
    """

    def __init__(self) -> None:
        super().__init__(retry_total=3, retry_connect=1, retry_read=2, retry_status=3, retry_backoff_max=5)

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        """Say whether to send the request again."""
        status = response.http_response.status_code
        if status == 401:
            return not settings["history"]
        if status in _OURS_TO_WAIT_FOR and response.http_request.method not in ("GET", "HEAD"):
            return False
        if (self.get_retry_after(response) or 0.0) > LONGEST_RETRY_AFTER:
            return False
        return bool(super().is_retry(settings, response))


class NoPages(SansIOHTTPPolicy[Any, Any]):
    """Refuses a web page that a proxy sends with status 200; the SDK would stumble over it unexplained."""

    def on_response(self, request: Any, response: Any) -> None:
        """Look at the content type.

        Raises:
            DecodeError: It is a page.
        """
        del request
        kind = response.http_response.headers.get("content-type", "")
        if response.http_response.status_code < 400 and kind.startswith("text/html"):
            response.http_response.close()  # nobody will read it, and its connection would stay open
            raise DecodeError(f"a web page instead of a document, of type {kind}")


class Clients:
    """Everything that talks to one Resource Manager for one subscription. Safe to use from several threads."""

    def __init__(self, connection: Connection, credential: TokenCredential | None = None) -> None:
        self.connection = connection
        self.subscription = connection.subscription or ""
        self._credential = credential
        self._lock = RLock()

    @cached_property
    def credential(self) -> TokenCredential:
        """Who we are; signing in happens with the first request."""
        with self._lock:
            return self._credential or open_credential(self.connection)

    @cached_property
    def arm(self) -> ARMPipelineClient[Any, Any]:
        """Resource Manager itself, for what needs no SDK package of its own: SKUs, usages, locks, operations."""
        with self._lock:
            from azure.core.pipeline import policies
            from azure.mgmt.core import ARMPipelineClient
            from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

            pipeline = [
                policies.RequestIdPolicy(),
                policies.HeadersPolicy({"Accept": "application/json"}),
                policies.UserAgentPolicy(user_agent=f"aks-wasm/{__version__}"),
                NoPages(),
                ShortRetry(),
                ARMChallengeAuthenticationPolicy(self.credential, self.connection.scope),
            ]
            return ARMPipelineClient(self.connection.endpoint, policies=pipeline, transport=self._transport)

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """Resource groups and provider registration."""
        with self._lock:
            from azure.mgmt.resource.resources import ResourceManagementClient

            return ResourceManagementClient(self.credential, self.subscription, **self._options())

    @cached_property
    def features(self) -> FeatureClient:
        """Preview features."""
        with self._lock:
            from azure.mgmt.resource.features import FeatureClient

            return FeatureClient(self.credential, self.subscription, **self._options())

    @cached_property
    def aks(self) -> ContainerServiceClient:
        """Managed clusters and agent pools."""
        with self._lock:
            from azure.mgmt.containerservice import ContainerServiceClient

            return ContainerServiceClient(self.credential, self.subscription, **self._options())

    def send(self, method: str, url: str, **params: str) -> HttpResponse:
        """Send a request without body; `url` is a path, or a URL that an answer named. Any status is returned.

        Raises:
            ServiceError: The URL is on a host that must not see our token.
        """
        from azure.core.rest import HttpRequest

        if not url.startswith("/") and not self.connection.may_see_token(url):
            raise ServiceError(
                f"Resource Manager points to `{urlsplit(url).hostname}`, which is not part of it",
                code="ForeignOperationUrl",
                hint="no token was sent there; look at AKS_WASM_ARM_ENDPOINT and at proxies",
            )
        path = f"{self.connection.endpoint}{url}" if url.startswith("/") else url
        response: HttpResponse = self.arm.send_request(HttpRequest(method, path, params=params or None))
        return response

    def read(self, path: str, api_version: str, **params: str) -> dict[str, Any]:
        """GET a document of ARM's.

        Raises:
            HttpResponseError: Any status but 2xx.
        """
        response = self.send("GET", path, **{"api-version": api_version, **params})
        response.raise_for_status()
        return json_of(response)

    def read_all(self, path: str, api_version: str, **params: str) -> list[dict[str, Any]]:
        """GET a list, page after page."""
        page = self.read(path, api_version, **params)
        items: list[dict[str, Any]] = list(page.get("value", ()))
        while next_link := page.get("nextLink"):
            response = self.send("GET", next_link)
            response.raise_for_status()
            page = json_of(response)
            items += page.get("value", ())
        return items

    def close(self) -> None:
        """Close every connection."""
        if "_transport" in self.__dict__:
            self._transport.close()
        if "credential" in self.__dict__ and hasattr(self.credential, "close"):
            self.credential.close()

    @cached_property
    def _transport(self) -> RequestsTransport:
        with self._lock:
            from azure.core.pipeline.transport import RequestsTransport

            return RequestsTransport(**self.connection.transport_options())

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.connection.endpoint,
            "credential_scopes": [self.connection.scope],
            "per_call_policies": [NoPages()],
            "retry_policy": ShortRetry(),
            "transport": self._transport,
            "user_agent": f"aks-wasm/{__version__}",
        }


def json_of(response: Any) -> dict[str, Any]:
    """Return a response's JSON object.

    Raises:
        DecodeError: It is something else, for example a proxy's page.
    """
    try:
        document = response.json()
    except ValueError as error:
        raise DecodeError(f"not JSON: {response.text()[:_SHOWN]}", error=error) from error
    if not isinstance(document, dict):
        raise DecodeError(f"not a JSON object: {response.text()[:_SHOWN]}")
    return document


def document_of(response: Any, _model: Any, _headers: Any) -> Any:
    """Pass as `cls` to an SDK operation to get ARM's own document instead of the SDK's model."""
    return json_of(response.http_response)


def answer_of(response: Any, _model: Any, _headers: Any) -> Any:
    """Pass as `cls` with `polling=False` to a `begin_*` operation to get its first response, headers and all."""
    return response.http_response
