"""Durations, printable text, and what is never shown."""

from __future__ import annotations

import pytest

from aks_wasm.cli.durations import parse_duration
from aks_wasm.display.text import duration, for_encoding, one_line, printable, redact
from aks_wasm.errors import UsageError

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ0ZXN0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12, "12 s"), (59.7, "1 m 0 s"), (222, "3 m 42 s"), (3900, "1 h 5 m")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("45m", 2700), ("1h30m", 5400), ("1d", 86400)])
def test_durations_are_parsed(text: str, seconds: float) -> None:
    assert parse_duration(text, "--timeout") == seconds


@pytest.mark.parametrize("text", ["", "45", "m", "1.5h", "-1m", "0s", "1h 30m"])
def test_what_is_no_duration_is_refused_by_the_name_of_its_source(text: str) -> None:
    with pytest.raises(UsageError, match="AKS_WASM_TIMEOUT"):
        parse_duration(text, "AKS_WASM_TIMEOUT")


@pytest.mark.parametrize(
    "secret",
    [
        f"Authorization: Bearer {JWT}",
        f"token {JWT} was refused",
        "Authorization: Basic dXNlcjpwYXNzd29yZA==",
        "https://x/operations/1?api-version=2025-03-01&t=1&c=MIIH8DCCBtigAwIBAgI&s=abcdefghijklmnop&h=qrstuvwxyz012345",
        "POST body client_secret=Sup3rS3cretValue&grant_type=client_credentials",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhki\n-----END PRIVATE KEY-----",
    ],
)
def test_secrets_are_taken_out(secret: str) -> None:
    shown = redact(secret, {})
    for part in (JWT, "dXNlcjpwYXNzd29yZA", "MIIH8DCCBtigAwIBAgI", "abcdefghijklmnop", "Sup3rS3cret", "MIIEvQIBADAN"):
        assert part not in shown
    assert "[hidden]" in shown


def test_values_of_secret_variables_are_taken_out_wherever_they_stand() -> None:
    environment = {"AZURE_CLIENT_SECRET": "long-enough-secret", "SYSTEM_ACCESSTOKEN": "short"}
    assert redact("x=long-enough-secret, short", environment) == "x=[hidden], short"


def test_ordinary_text_is_left_alone() -> None:
    text = "`aks-wasm up -f a.yaml --set x=y` in /a?b=c&s=1 was not ready after 900 s (last seen: Creating)"
    assert redact(text, {}) == text


def test_text_of_others_can_not_steer_the_terminal() -> None:
    assert "\x1b" not in printable("\x1b]0;title\x07 red")
    assert one_line("a\n::error::b\r\n\tc") == "a ::error::b c"


def test_marks_survive_where_they_can() -> None:
    assert for_encoding("(✓) done", "utf-8") == "(✓) done"
    assert for_encoding("(✓) done (…) é", "ascii") == "(+) done (.) ?"
