"""What names, labels and keys may look like, and what the API server says when they don't.

Texts of k8s.io/apimachinery/pkg/util/validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

NameCheck = Callable[[str], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """A form that texts must have; calling it yields what keeps a text from having it.

    Attributes:
        pattern: The whole text must match it.
        longest: Letters at most.
        why: What the message says before it names the pattern.
    """

    pattern: str
    longest: int
    why: str

    def __call__(self, text: str) -> Iterator[str]:
        """Yield every problem of a text."""
        if len(text) > self.longest:
            yield f"must be no more than {self.longest} characters"
        if not re.fullmatch(self.pattern, text):
            yield f"{self.why} regex used for validation is '{self.pattern}')"


# Most objects' names.
subdomain = Rule(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com',",
)
# Namespaces, containers, volumes, handlers.
label = Rule(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    63,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc',",
)
# Services.
label_1035 = Rule(
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123',",
)
label_value = Rule(
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345',",
)
# Keys of ConfigMaps and Secrets.
config_key = Rule(
    r"[-._a-zA-Z0-9]+",
    253,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name',",
)
_qualified_name = Rule(
    r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]",
    63,
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc',",
)


def path_segment(name: str) -> Iterator[str]:
    """Yield what keeps a name out of a path: roles and bindings may be called nearly anything."""
    if name in {".", ".."}:
        yield f"may not be '{name}'"
    for letter in "/%":
        if letter in name:
            yield f"may not contain '{letter}'"


def qualified(key: str) -> Iterator[str]:
    """Yield what keeps a text from being a label's or annotation's key."""
    prefix, slash, name = key.rpartition("/")
    if slash and not prefix:
        yield "prefix part must be non-empty"
    elif slash:
        yield from (f"prefix part {problem}" for problem in subdomain(prefix))
    if not name:
        yield "name part must be non-empty"
    yield from (f"name part {problem}" for problem in _qualified_name(name))


def port_name(name: str) -> Iterator[str]:
    """Yield what keeps a text from being a container port's name."""
    if len(name) > 15:
        yield "must be no more than 15 characters"
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not any(letter.isalpha() for letter in name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
