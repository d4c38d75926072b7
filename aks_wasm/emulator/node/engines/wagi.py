"""The WAGI executor: CGI variables in, an HTTP response on stdout, one module instance for each request.

Names and values follow Spin (crates/http/src/wagi/mod.rs and crates/trigger-http/src/headers.rs, v3).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from wasmtime import ExitTrap, Linker, Module, Store, WasiConfig

from aks_wasm.emulator.node.container_config import Mount
from aks_wasm.emulator.node.engines.command import preopen
from aks_wasm.emulator.node.engines.routes import RouteMatch

_LINE_FEED = b"\n\n"
_HIDDEN = {"HTTP_AUTHORIZATION", "HTTP_CONNECTION"}  # RFC 3875 section 4.1.18


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        method: For example `GET`.
        target: Path and query as sent.
        version: For example `HTTP/1.1`.
        headers: Names as sent, with values.
        body: All of it.
        client: Address and port of the other side.
    """

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: tuple[str, int]

    @property
    def path(self) -> str:
        """The path, still encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows `?`."""
        return self.target.partition("?")[2]

    def header(self, name: str, default: str = "") -> str:
        """Return the first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name), default)


@dataclass(frozen=True)
class Response:
    """What goes back to the client."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class WagiComponent:
    """A compiled component with what each of its instances gets.

    Attributes:
        module: The compiled module.
        linker: With WASI defined.
        argv: The executor's template.
        environment: From the manifest.
        mounts: Folders it may open.
    """

    module: Module
    linker: Linker
    argv: str
    environment: dict[str, str]
    mounts: tuple[Mount, ...]

    def answer(self, request: Request, match: RouteMatch) -> Response:
        """Run one instance.

        Raises:
            WasmtimeError: The module trapped, or ended with another code than 0.
            ValueError: What it wrote is no CGI response.
        """
        written: list[bytes] = []
        with tempfile.TemporaryFile() as body:
            body.write(request.body)
            body.flush()
            body.seek(0)
            wasi = WasiConfig()
            # WASI takes a path; the open file has none of its own, so that nothing is left behind.
            wasi.stdin_file = f"/dev/fd/{body.fileno()}" if request.body else os.devnull
            wasi.stdout_custom = written.append
            wasi.inherit_stderr()
            wasi.argv = _argv(self.argv, request)
            wasi.env = list((self.environment | variables(request, match)).items())
            preopen(wasi, self.mounts)
            store = Store(self.linker.engine)
            store.set_wasi(wasi)
            self._call(store)
        if not any(written):
            raise ValueError("the component is configured to use the WAGI executor but did not write to stdout")
        return parse_response(b"".join(written))

    def _call(self, store: Store) -> None:
        start = self.linker.instantiate(store, self.module).exports(store)["_start"]
        assert callable(start)  # noqa: S101 - a module without it was refused when the pod started
        try:
            start(store)
        except ExitTrap as error:
            if error.code != 0:
                raise


def _argv(template: str, request: Request) -> list[str]:
    filled = template.replace("${SCRIPT_NAME}", request.path).replace("${ARGS}", request.query.replace("&", " "))
    return filled.split(" ")


def variables(request: Request, match: RouteMatch) -> dict[str, str]:
    """Return the CGI variables of a request."""
    host, _, port = request.header("host", "localhost").partition(":")
    client = request.client[0]
    path_info = unquote(match.trailing)
    found = {
        "AUTH_TYPE": "",
        "CONTENT_LENGTH": str(len(request.body)),
        "CONTENT_TYPE": request.header("content-type"),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "PATH_TRANSLATED": path_info,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": client,
        "REMOTE_HOST": client,
        "REMOTE_USER": "",
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": match.prefix,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": request.version,
        "SERVER_SOFTWARE": "WAGI/1",
        "X_RAW_PATH_INFO": match.trailing,
    }
    for name, value in request.headers:
        key = f"HTTP_{name.upper().replace('-', '_')}"
        if key not in _HIDDEN:
            found[key] = value
    return found | _spin_variables(request, match)


def _spin_variables(request: Request, match: RouteMatch) -> dict[str, str]:
    named = {f"X_PATH_MATCH_{name.upper()}": value for name, value in match.named.items()}
    return named | {
        "PATH_INFO": match.trailing,
        "X_FULL_URL": f"http://{request.header('host', 'localhost')}{request.target}",
        "X_MATCHED_ROUTE": match.pattern,
        "X_BASE_PATH": "/",
        "X_RAW_COMPONENT_ROUTE": match.route.route,
        "X_COMPONENT_ROUTE": match.raw_prefix,
        "X_CLIENT_ADDR": "{}:{}".format(*request.client),
    }


def parse_response(written: bytes) -> Response:
    """Read a CGI response: headers, an empty line, the body.

    Raises:
        ValueError: Neither content-type, status nor location is there.
    """
    head, body = _split(written)
    status, headers, sufficient, explicit = 200, [], False, False
    for name, value in _header_lines(head):
        lower = name.lower()
        sufficient = sufficient or lower in {"content-type", "status", "location"}
        if lower == "status":
            explicit = True
            code = value.split(" ")[0]
            status = int(code) if code.isdigit() and 100 <= int(code) <= 999 else 502
        else:
            headers.append((name, value))
            if lower == "location" and not explicit:
                status = 302
    if not sufficient:
        raise ValueError("Exactly one of 'location' or 'content-type' must be specified")
    return Response(status, tuple(headers), body)


def _split(written: bytes) -> tuple[str, bytes]:
    """CR counts for nothing in the headers, only there."""
    for end, width in sorted((written.find(mark), len(mark)) for mark in (_LINE_FEED, b"\r\n\r\n", b"\n\r\n")):
        if end >= 0:
            return written[:end].replace(b"\r", b"").decode("utf-8", "replace"), written[end + width :]
    return "", written


def _header_lines(head: str) -> Iterable[tuple[str, str]]:
    for line in head.strip().split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()
