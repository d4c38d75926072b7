"""What the `runtime` commands share: labels read from options, the answer and its exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from aks_wasm.errors import UsageError

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext
    from aks_wasm.workflows.runtimes.answers import RuntimeResult


def selector_of(words: Sequence[str] | None) -> Mapping[str, str] | None:
    """Return the labels that `--node-selector` names; None when it was not given.

    Raises:
        UsageError: A word is no `KEY=VALUE`.
    """
    if not words:
        return None
    pairs = [part.partition("=") for word in words for part in word.split(",")]
    for key, equals, value in pairs:
        if not key or not equals:
            raise UsageError(
                f"`--node-selector {key}{equals}{value}` is no `KEY=VALUE`",
                hint="for example `--node-selector kubernetes.io/arch=arm64`",
            )
    return {key: value for key, _, value in pairs}


def images_of(words: Sequence[str] | None) -> Mapping[str, str]:
    """Return the images that `--probe-image` names, by shim; under "" the one for any.

    Raises:
        UsageError: A word is no `[SHIM=]IMAGE`, or names a second image for the same.
    """
    images: dict[str, str] = {}
    for word in words or ():
        shim, _, image = word.rpartition("=")
        if not image or shim in images:
            raise UsageError(
                f"`--probe-image {word}` is no `[SHIM=]IMAGE`, or one too many",
                hint="for example `--probe-image spin=myregistry.azurecr.io/hello:1`",
            )
        images[shim] = image
    return images


def complete_shim(incomplete: str) -> list[str]:
    """Return the shims of the catalogue that a word may become, their versions once the name is whole."""
    from aks_wasm.shims.catalogue import every_version

    shims = every_version()
    names = dict.fromkeys(shim.name for shim in shims)
    words = [*names, *(f"{shim.name}@{shim.version}" for shim in shims if "@" in incomplete or incomplete in names)]
    return [word for word in words if word.startswith(incomplete)]


def end(app: AppContext, result: RuntimeResult) -> None:
    """Show the result; exit with 1 when it is not what was asked for.

    Raises:
        typer.Exit: The result is not ok.
    """
    app.show(result)
    if not result.ok:
        raise typer.Exit(1)
