"""Small words that every medium shares: marks of states, durations, quoting, and what must never be shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

DONE, FAILED, WARNING, SKIPPED, RUNNING = "(✓)", "(x)", "(!)", "(-)", "(…)"
ASCII_MARKS = {DONE: "(+)", RUNNING: "(.)"}

SECRET_VARIABLES = (
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "SYSTEM_ACCESSTOKEN",
)
SHORTEST_SECRET = 8  # characters; shorter values of a secret variable are common words and would blank out the text
HIDDEN = "[hidden]"

_SECRET_SHAPES = re.compile(
    r"(?P<jwt>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    r"|(?P<lead>(?i:bearer|basic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<name>\b(?i:client_secret|client_assertion|access_token|refresh_token|password|sig)=|[?&][sch]=)[^&\s\"']{12,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def duration(seconds: float) -> str:
    """Return seconds in words: `0.4 s`, `12 s`, `3 m 42 s`, `1 h 5 m`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} m {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} m"


def printable(text: str) -> str:
    """Replace control characters, so that text of others can't steer the terminal; tabs and newlines stay."""
    return _CONTROL.sub("�", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return text of others as one printable line."""
    return " ".join(printable(text).split())


def redact(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Take out what looks like a secret, and the values of the variables that hold one."""
    source = os.environ if environment is None else environment
    for variable in SECRET_VARIABLES:
        value = source.get(variable, "")
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, HIDDEN)
    return _SECRET_SHAPES.sub(lambda match: f"{match['lead'] or match['name'] or ''}{HIDDEN}", text)


def for_encoding(text: str, encoding: str | None) -> str:
    """Replace the marks that the stream can't write by ASCII ones."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        for mark, plain in ASCII_MARKS.items():
            text = text.replace(mark, plain)
        return text.encode(encoding or "ascii", "replace").decode(encoding or "ascii")
    except LookupError:
        return text
    return text
