"""Pushes image archives to a registry by the OCI distribution API; what is there already is not sent again."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from aks_wasm.errors import ServiceError, Unreachable
from aks_wasm.waits import Patience
from aks_wasm.wasm.archive import ImageArchive
from aks_wasm.wasm.registry_login import Credentials
from aks_wasm.wasm.registry_upload import Reference, Upload

__all__ = ["Reference", "push"]


def push(
    archive: ImageArchive,
    *,
    credentials: Credentials,
    verify: str | bool = True,
    patience: Patience,
) -> bool:
    """Send an image and all it consists of; return False when the registry had that tag already.

    Tags are made from the content (`ImageContent.tag`), so a tag that exists is the same image.

    Args:
        archive: The OCI layout tar and the name it gets.
        credentials: Where the login for the registry comes from.
        verify: A CA file, or True for the usual ones.
        patience: How long a busy registry is waited for; hears what is being sent.

    Raises:
        NotSignedIn: The registry wants a login, and there is none.
        NotAllowed: The login may not push.
        Unreachable: The registry does not answer.
        ServiceError: It says no.
        TimedOut: It was busy all the time.
        Interrupted: The user stopped waiting.
    """
    reference = Reference.parse(archive.name)
    with _Session(verify=verify) as session, _errors(reference, verify):
        upload = Upload(session, reference, credentials, patience)
        if upload.has_manifest(reference.tag):
            return False
        with tarfile.open(archive.path) as tar:
            upload.index(tar, archive.digest)
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


@contextmanager
def _errors(reference: Reference, verify: str | bool) -> Iterator[None]:  # noqa: FBT001
    try:
        yield
    except requests.exceptions.RequestException as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise Unreachable(
                f"the certificate of the registry `{reference.host}` is not trusted",
                code="RegistryCertificate",
                hint="name its authority with `REQUESTS_CA_BUNDLE`",
                details=f"{error} (trusted: {verify})",
            ) from error
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
