"""A Wasm file made ready to run: compiled once for each digest, the result kept in a folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TypeVar

from wasmtime import Engine, Module, WasmtimeError
from wasmtime.component import Component

from aks_wasm.emulator.node.errors import ShimError

MAGIC = b"\0asm"
_MODULE_VERSION = b"\x01\0\0\0"
Compiled = TypeVar("Compiled", Module, Component)


def is_wasm(content: bytes) -> bool:
    """Tell whether it begins as a Wasm file."""
    return content[:4] == MAGIC


def is_component(content: bytes) -> bool:
    """Tell whether it is a component, not a core module."""
    return is_wasm(content) and content[4:8] != _MODULE_VERSION


def serves_http(content: bytes) -> bool:
    """Tell whether a component is a wasi:http one: it has the incoming handler and is no command."""
    return b"wasi:http/incoming-handler@0." in content and b"wasi:cli/run@0." not in content


class Programs:
    """Compiles modules and components, or takes them from the folder.

    The folder belongs to the emulator: what lies there is run as machine code.
    """

    def __init__(self, folder: Path) -> None:
        self.engine = Engine()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def module(self, content: bytes) -> Module:
        """Return the compiled core module.

        Raises:
            ShimError: It is not valid.
        """
        return self._compiled(Module, content)

    def component(self, content: bytes) -> Component:
        """Return the compiled component.

        Raises:
            ShimError: It is not valid.
        """
        return self._compiled(Component, content)

    def _compiled(self, kind: type[Compiled], content: bytes) -> Compiled:
        kept = self._folder / hashlib.sha256(content).hexdigest()
        # What another version of wasmtime has compiled is refused by it, and made anew.
        with contextlib.suppress(WasmtimeError):
            return kind.deserialize_file(self.engine, str(kept))
        try:
            compiled = kind(self.engine, content)
        except WasmtimeError as error:
            raise ShimError(f"failed to compile the module: {error}") from error
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        with os.fdopen(handle, "wb") as file:
            file.write(compiled.serialize())
        Path(temporary).replace(kept)
        return compiled
