"""What names, labels and keys may look like, and what the API server says when they don't.

Texts of k8s.io/apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_1035 = r"[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
_CONFIG_KEY = r"[-._a-zA-Z0-9]+"
_PORT_NAME = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"

NameCheck = Callable[[str], Iterator[str]]


def subdomain(name: str) -> Iterator[str]:
    """Yield what keeps a name from being an RFC 1123 subdomain; most objects' names are."""
    if len(name) > 253:
        yield "must be no more than 253 characters"
    if not re.fullmatch(_SUBDOMAIN, name):
        yield (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
            f"'{_SUBDOMAIN}')"
        )


def label(name: str) -> Iterator[str]:
    """Yield what keeps a name from being an RFC 1123 label: namespaces, containers, volumes, handlers."""
    if len(name) > 63:
        yield "must be no more than 63 characters"
    if not re.fullmatch(_LABEL, name):
        yield (
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and "
            "end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
            f"'{_LABEL}')"
        )


def label_1035(name: str) -> Iterator[str]:
    """Yield what keeps a name from being an RFC 1035 label: Services."""
    if len(name) > 63:
        yield "must be no more than 63 characters"
    if not re.fullmatch(_LABEL_1035, name):
        yield (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
            "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
            f"validation is '{_LABEL_1035}')"
        )


def path_segment(name: str) -> Iterator[str]:
    """Yield what keeps a name out of a path: roles and bindings may be called nearly anything."""
    if name in {".", ".."}:
        yield f"may not be '{name}'"
    for letter in "/%":
        if letter in name:
            yield f"may not contain '{letter}'"


def label_value(value: str) -> Iterator[str]:
    """Yield what keeps a text from being a label's value."""
    if len(value) > 63:
        yield "must be no more than 63 characters"
    if not re.fullmatch(_LABEL_VALUE, value):
        yield (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
            f"validation is '{_LABEL_VALUE}')"
        )


def qualified(key: str) -> Iterator[str]:
    """Yield what keeps a text from being a label's or annotation's key."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        yield "prefix part must be non-empty"
    elif slash:
        yield from (f"prefix part {problem}" for problem in subdomain(prefix))
    if not name:
        yield "name part must be non-empty"
    elif len(name) > 63:
        yield "name part must be no more than 63 characters"
    if not re.fullmatch(_QUALIFIED, name):
        yield (
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            f"'{_QUALIFIED}')"
        )


def config_key(key: str) -> Iterator[str]:
    """Yield what keeps a text from being a key of a ConfigMap or Secret."""
    if len(key) > 253:
        yield "must be no more than 253 characters"
    if not re.fullmatch(_CONFIG_KEY, key):
        yield (
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            f"'KEY_NAME',  or 'key-name', regex used for validation is '{_CONFIG_KEY}')"
        )


def port_name(name: str) -> Iterator[str]:
    """Yield what keeps a text from being a container port's name."""
    if len(name) > 15:
        yield "must be no more than 15 characters"
    if not re.fullmatch(_PORT_NAME, name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not any(letter.isalpha() for letter in name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
