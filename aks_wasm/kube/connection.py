"""Opens the connection that a kubeconfig describes; keys are on disk only while they are being loaded."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterable
from typing import Any

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import load_kube_config_from_dict

from aks_wasm import __version__
from aks_wasm.errors import NotSignedIn
from aks_wasm.kube.errors import bad_kubeconfig

# Only what is harmless to repeat is repeated: reads, and writes that say the whole of what they want.
_REPEATABLE = frozenset({"GET", "PATCH", "DELETE"})
_BUSY = (429, 503)  # the API server's priority and fairness answers 429 with Retry-After
_CUT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


class _Retries(urllib3.Retry):
    """Retries that take a connection cut while TLS was being set up for what it is.

    urllib3 counts every error of TLS as `other`, where a certificate that is not trusted belongs. A server that goes
    down, or a load balancer in front of it, cuts connections at any moment.
    """

    def increment(self, *args: Any, **more: Any) -> _Retries:
        """Return the retries that are left after one error or answer."""
        error = more.get("error")
        if isinstance(error, urllib3.exceptions.SSLError) and error.args and isinstance(error.args[0], _CUT):
            more["error"] = urllib3.exceptions.ProtocolError("Connection aborted.", error.args[0])
        return super().increment(*args, **more)


class _SharedContext(ssl.SSLContext):
    """A context that threads may set up connections with at the same time.

    urllib3 sets the same ALPN protocols before each connection. OpenSSL frees the old list meanwhile, and a thread that
    copies it at that moment sends a greeting that the server takes for broken: it hangs up.
    """

    _protocols: list[str] | None = None

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Set them, unless they are the same as before."""
        wanted = list(alpn_protocols)
        if wanted != self._protocols:
            super().set_alpn_protocols(wanted)
            self._protocols = wanted


def open_connection(text: str) -> ApiClient:
    """Return a client for a kubeconfig's current context.

    Raises:
        NotSignedIn: The text is no kubeconfig, or its credentials cannot be had.
    """
    document = _document(text)
    configuration = Configuration()
    configuration.retries = _Retries(
        total=4,
        connect=2,
        read=2,
        status=4,
        other=0,  # a certificate that is not trusted will not be trusted a second later
        backoff_factor=0.2,
        status_forcelist=_BUSY,
        allowed_methods=_REPEATABLE,
        raise_on_status=False,
    )
    with tempfile.TemporaryDirectory(prefix="aks-wasm-") as folder:
        try:
            load_kube_config_from_dict(
                document, client_configuration=configuration, persist_config=False, temp_file_path=folder
            )
            context = _tls_context(configuration)
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise bad_kubeconfig(error) from error
    _check_exec(document, configuration)
    configuration.ssl_ca_cert = configuration.cert_file = configuration.key_file = None
    api = ApiClient(configuration)
    api.user_agent = f"aks-wasm/{__version__}"
    if context is not None:
        api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = context
    return api


def _document(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise bad_kubeconfig(error) from error
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise bad_kubeconfig(ValueError("it is not a `Config` document"))
    return document


def _tls_context(configuration: Configuration) -> ssl.SSLContext | None:
    if not str(configuration.host).startswith("https"):
        return None
    # Not create_default_context(): from Python 3.13 on that is strict in ways the authorities of AKS are not.
    context = _SharedContext(ssl.PROTOCOL_TLS_CLIENT)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif configuration.ssl_ca_cert:
        context.load_verify_locations(configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _check_exec(document: dict[str, Any], configuration: Configuration) -> None:
    """Refuse to go on as nobody: the kubernetes package only logs it when an exec credential fails."""
    context = _named(document, "contexts", document.get("current-context")).get("context", {})
    command = _named(document, "users", context.get("user")).get("user", {}).get("exec")
    if command and "BearerToken" not in configuration.api_key and not configuration.cert_file:
        raise NotSignedIn(
            f"the cluster's credential command `{command.get('command')}` gave no token",
            code="ExecCredentialFailed",
            hint="run it by hand to see why, or sign in again: `az login`",
        )


def _named(document: dict[str, Any], section: str, name: object) -> dict[str, Any]:
    return next((entry for entry in document.get(section) or () if entry.get("name") == name), {})
