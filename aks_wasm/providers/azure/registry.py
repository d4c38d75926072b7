"""The registry that packaged modules are pushed to, with docker's login or the account's own token."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aks_wasm.providers.azure.errors import translated

if TYPE_CHECKING:
    from aks_wasm.providers.azure.clients import Clients
    from aks_wasm.waits import Patience
    from aks_wasm.wasm.archive import ImageArchive


class ImageRegistry:
    """One registry.

    Attributes:
        prefix: Its host and path, what the names of images begin with.
    """

    def __init__(self, prefix: str, clients: Clients) -> None:
        self.prefix = prefix.rstrip("/")
        self._clients = clients

    def push(self, image: ImageArchive, patience: Patience) -> None:
        """Push an image that is not there yet; `patience` hears what is being sent."""
        from aks_wasm.wasm.registry import push
        from aks_wasm.wasm.registry_login import Credentials, docker_config_file

        credentials = Credentials(docker_config=docker_config_file(os.environ), entra_token=self._token)
        push(image, credentials=credentials, verify=self._clients.connection.ca_file or True, patience=patience)

    def _token(self) -> str:
        with translated(f"get a token for the registry `{self.prefix}`"):
            return self._clients.credential.get_token(self._clients.connection.scope).token
