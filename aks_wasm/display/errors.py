"""An error as text and as the `error` member of a document; hints by code come from hints.yaml, read only now."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from aks_wasm.display.text import printable, redact
from aks_wasm.errors import AksWasmError

HINTS_FILE = Path(__file__).with_name("hints.yaml")


@cache
def hints() -> dict[str, str]:
    """Return hints by code in lower case: ARM writes some codes in more than one way."""
    import yaml

    loaded: dict[str, str] = yaml.safe_load(HINTS_FILE.read_text(encoding="utf-8"))
    return {code.lower(): " ".join(hint.split()) for code, hint in loaded.items()}


def hint_for(error: AksWasmError) -> str | None:
    """Return the error's own hint, else the one for its code, else the one for its kind."""
    if error.hint:
        return error.hint
    known = hints()
    return known.get(error.code.lower()) or known.get(type(error).__name__.lower())


def render_error(error: AksWasmError, *, verbose: bool) -> str:
    """Return the error for people: what, what to do, where to read more; the third party's words when verbose."""
    parts = [f"error: {printable(error.message)}"]
    hint = hint_for(error)
    if hint:
        parts.append(f"hint: {printable(hint)}")
    if error.docs_url:
        parts.append(f"see {error.docs_url}")
    if verbose and error.details:
        parts.append("details:\n" + "\n".join(f"  {line}" for line in printable(error.details).splitlines()))
    return redact("\n\n".join(parts))


def error_document(error: AksWasmError) -> dict[str, Any]:
    """Return the error for programs, with the hint that people would see."""
    document: dict[str, Any] = {**error.to_dict(), "hint": hint_for(error)}
    return {key: redact(value) if isinstance(value, str) else value for key, value in document.items()}
