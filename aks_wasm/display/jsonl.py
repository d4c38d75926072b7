"""Progress for programs: one JSON object a line on stderr, and nothing that is not one."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aks_wasm.display.errors import error_document
from aks_wasm.display.terminal import write_talk
from aks_wasm.display.text import redact
from aks_wasm.errors import AksWasmError
from aks_wasm.events import Event


class JsonLinesDisplay:
    """Each line has `time` (UTC, ISO 8601) and `event`: the event's class name, `Note` or `Error`."""

    def emit(self, event: Event) -> None:
        """Write the event with its fields."""
        self._write(type(event).__name__, asdict(event))

    def say(self, text: str) -> None:
        """Write a remark as an event of its own."""
        self._write("Note", {"message": text})

    def fail(self, error: AksWasmError, *, verbose: bool) -> None:  # noqa: ARG002 - a program gets the details always
        """Write the error as JSON results have it."""
        self._write("Error", error_document(error))

    def close(self) -> None:
        """Nothing to put back."""

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": moment, "event": event, **fields}, ensure_ascii=False, default=str)
        write_talk(redact(line) + "\n")
