"""What every request handler of one API server works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aks_wasm.emulator.cluster.logs import LogSource
from aks_wasm.emulator.cluster.resources import Kinds
from aks_wasm.emulator.cluster.service_accounts import TokenIssuer
from aks_wasm.emulator.cluster.store import Store

Tokens = Callable[[str], list[str] | None]


@dataclass
class ApiContext:
    """One API server's parts.

    Attributes:
        store: The cluster's objects.
        kinds: What is served now.
        logs: Where container logs come from.
        tokens: Bearer token to [user, *groups], None when it is not known.
        issuer: Makes and checks the tokens of service accounts.
        version: For example `1.35.5`.
        url: Where the server listens, `""` before it does.
    """

    store: Store
    kinds: Kinds
    logs: LogSource
    tokens: Tokens
    issuer: TokenIssuer
    version: str
    url: str = field(default="")
