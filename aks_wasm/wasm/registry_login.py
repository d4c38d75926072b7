"""Logins of registries: docker's configuration and its helpers, and the exchange of an Entra token at an ACR.

Answers demand 39 of shared/facts/demands.md.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from aks_wasm.errors import NotSignedIn

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_HELPER_SECONDS = 30.0
_TIMEOUT = (10.0, 60.0)
_ACR_USER = "00000000-0000-0000-0000-000000000000"  # ACR's name for "the password is a refresh token"
_NO_DOCKER_HUB = "<token>"  # docker's credential helpers say so for identity tokens


@dataclass(frozen=True)
class Login:
    """A user with a password, or with an identity (refresh) token."""

    user: str
    password: str = field(repr=False)
    identity_token: bool = False


@dataclass(frozen=True)
class Credentials:
    """Where logins come from.

    Attributes:
        docker_config: Docker's `config.json`; None to leave it alone.
        entra_token: Returns a token of Microsoft Entra for Resource Manager; None when nobody is signed in there.
        acr_suffixes: Hosts that take such a token.
    """

    docker_config: Path | None = None
    entra_token: Callable[[], str] | None = field(default=None, repr=False)
    acr_suffixes: tuple[str, ...] = (".azurecr.io", ".azurecr.us", ".azurecr.cn")

    def login(self, session: requests.Session, host: str) -> Login | None:
        """Return the login for a host, docker's before Entra's; None to go anonymously."""
        found = docker_login(self.docker_config, host) if self.docker_config else None
        if found is None and self.entra_token is not None and host.endswith(self.acr_suffixes):
            found = Login(_ACR_USER, _acr_refresh_token(session, host, self.entra_token()), identity_token=True)
        return found


def docker_config_file(environment: Mapping[str, str]) -> Path:
    """Return where docker keeps its logins."""
    folder = environment.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def docker_login(config: Path, host: str) -> Login | None:
    """Return what docker would log in with at a host, its credential helpers asked.

    Args:
        config: Docker's `config.json`; one that is missing or broken holds no login.
        host: The registry, with its port.
    """
    try:
        document = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    helper = document.get("credHelpers", {}).get(host) or document.get("credsStore")
    if helper:
        found = _from_helper(helper, host)
        if found is not None:
            return found
    for name in (host, f"https://{host}", f"https://{host}/v1/", f"https://{host}/v2/"):
        if name in document.get("auths", {}):
            return _from_entry(document["auths"][name])
    return None


def authorize(session: requests.Session, host: str, challenge: str, credentials: Credentials) -> str:
    """Answer a registry's challenge; return the value of the Authorization header.

    Raises:
        NotSignedIn: The registry does not take the login.
    """
    login = credentials.login(session, host)
    scheme, _, rest = challenge.partition(" ")
    if scheme.lower() == "basic":
        if login is None:
            raise NotSignedIn(
                f"the registry `{host}` wants a login", code="RegistryLogin", hint=f"sign in: `docker login {host}`"
            )
        return _basic(login)
    return f"Bearer {_bearer_token(session, host, dict(_CHALLENGE.findall(rest)), login)}"


def _bearer_token(session: requests.Session, host: str, challenge: Mapping[str, str], login: Login | None) -> str:
    scope, service = challenge.get("scope", ""), challenge.get("service", host)
    realm = challenge.get("realm", f"https://{host}/oauth2/token")
    if login is not None and login.identity_token:
        form = {"grant_type": "refresh_token", "service": service, "scope": scope, "refresh_token": login.password}
        answer = session.post(realm, data=form, headers={"Authorization": ""}, timeout=_TIMEOUT)
    else:
        headers = {"Authorization": _basic(login) if login else ""}
        query = {"service": service, "scope": scope}
        answer = session.get(realm, params=query, headers=headers, timeout=_TIMEOUT)
    document = _document(answer)
    token = document.get("access_token") or document.get("token")
    if answer.status_code != 200 or not token:
        raise NotSignedIn(
            f"the registry `{host}` does not take the login",
            code="RegistryLogin",
            hint=f"sign in again: `docker login {host}`, or `az acr login` for a registry of Azure",
            details=answer.text[:2000],
        )
    return str(token)


def _acr_refresh_token(session: requests.Session, host: str, entra_token: str) -> str:
    form = {"grant_type": "access_token", "service": host, "access_token": entra_token}
    answer = session.post(f"https://{host}/oauth2/exchange", data=form, timeout=_TIMEOUT)
    token = _document(answer).get("refresh_token")
    if answer.status_code != 200 or not token:
        raise NotSignedIn(
            f"the registry `{host}` does not know who is signed in to Azure",
            code="RegistryLogin",
            hint="the identity needs a role on the registry, for example AcrPush",
            details=answer.text[:2000],
        )
    return str(token)


def _document(answer: requests.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _from_helper(helper: str, host: str) -> Login | None:
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"],
            input=host,
            capture_output=True,
            text=True,
            timeout=_HELPER_SECONDS,
            check=True,
        )
        document = json.loads(done.stdout)
        return _login(document["Username"], document["Secret"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None  # a helper that is missing or knows no login is docker's "anonymous"


def _from_entry(entry: Mapping[str, str]) -> Login | None:
    if entry.get("identitytoken"):
        return Login(_ACR_USER, entry["identitytoken"], identity_token=True)
    try:
        user, _, password = base64.b64decode(entry.get("auth", "")).decode().partition(":")
    except ValueError:
        return None
    user, password = entry.get("username", user), entry.get("password", password)
    return _login(user, password) if user else None


def _login(user: str, password: str) -> Login:
    return Login(user, password, identity_token=user in (_NO_DOCKER_HUB, _ACR_USER))
