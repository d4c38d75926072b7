"""Usage errors that Typer finds, in our words: what is wrong, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import typer

from aks_wasm.errors import UsageError

OUTPUTS = ("table", "json", "yaml", "name")
PROGRESSES = ("auto", "live", "plain", "jsonl", "none")


def is_help(error: typer.TyperException) -> bool:
    """Return whether the error is the help text, shown because nothing was asked for."""
    return type(error).__name__ == "NoArgsIsHelpError"


def in_our_words(error: typer.TyperException) -> UsageError:
    """Return the error as ours; it exits with 2."""
    context = getattr(error, "ctx", None)
    help_hint = f"`{context.command_path} --help` shows what there is" if context is not None else None
    if is_help(error):
        return UsageError("no command was given", code="UsageError", hint=help_hint)
    option = getattr(error, "option_name", None)
    if type(error).__name__ == "NoSuchOption" and option is not None:
        near = _nearest(option, _options_of(context))[:1] or getattr(error, "possibilities", None)
        meant = f"did you mean {_listed(near)}?" if near else help_hint
        return UsageError(f"there is no option `{option}`", code="UsageError", hint=meant)
    message = " ".join(error.format_message().split()).rstrip(".").replace("'", "`").replace("Value error, ", "")
    return UsageError(message[:1].lower() + message[1:], code="UsageError", hint=help_hint)


def no_such_command(name: str, group: str, known: Iterable[str]) -> UsageError:
    """Return the error for a command that is not there, naming those that look like it."""
    names = list(known)
    near = _nearest(name, names) or [other for other in names if name in other or other in name]
    meant = f"did you mean {_listed(near)}?" if near else f"`{group} --help` shows what there is"
    return UsageError(f"`{group}` has no command `{name}`", code="UsageError", hint=meant)


def output_asked_for(arguments: Sequence[str]) -> str | None:
    """Return the format of `-o` as far as it can be read where parsing failed."""
    return _asked_for(arguments, "--output", "-o", OUTPUTS)


def progress_asked_for(arguments: Sequence[str]) -> str | None:
    """Return the same of `--progress`."""
    return _asked_for(arguments, "--progress", None, PROGRESSES)


def _asked_for(arguments: Sequence[str], long: str, short: str | None, allowed: Sequence[str]) -> str | None:
    asked = None
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument == "--":
            break
        if argument in (long, short):
            asked = following
        elif argument.startswith(f"{long}="):
            asked = argument.partition("=")[2]
        elif short and argument.startswith(short):
            asked = argument.removeprefix(short)
    return asked if asked in allowed else None


def _options_of(context: typer.Context | None) -> list[str]:
    if context is None:
        return []
    return [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]


def _nearest(word: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)


def _listed(words: Iterable[str]) -> str:
    return " or ".join(f"`{word}`" for word in words)
