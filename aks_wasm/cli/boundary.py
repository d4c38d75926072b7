"""The one place that turns errors into text, a document, a pipeline's annotation and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from aks_wasm.cli.kinds import CLUSTER_KINDS, kind_of
from aks_wasm.display.terminal import OutputClosed, OutputLost, write_output, write_talk
from aks_wasm.errors import AksWasmError, Interrupted, UsageError

if TYPE_CHECKING:
    from aks_wasm.cli.context import AppContext

BROKEN_PIPE = 141  # 128 + SIGPIPE: what the shell reports for any tool whose reader has gone


def guard(app: AppContext, command: Callable[[], object]) -> int:
    """Run a command; return its exit code, having said all there is to say about a failure."""
    try:
        with app.interrupts.watched():
            return _guarded(app, command)
    except KeyboardInterrupt:  # while the failure was being told
        return Interrupted.exit_code


def _guarded(app: AppContext, command: Callable[[], object]) -> int:
    try:
        # With Typer's standalone mode off an Exit comes back as its code, and a command itself returns None.
        code = command()
    except OutputClosed:
        return BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        return _failed(app, Interrupted("interrupted"))
    except typer.TyperException as error:
        return _misused(app, error)
    except AksWasmError as error:
        return _failed(app, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the user gets a line and the log a traceback
        return _failed(app, _as_internal(app, error))
    finally:
        _close(app)
    return code if isinstance(code, int) else 0


def _failed(app: AppContext, error: AksWasmError) -> int:
    from aks_wasm.cli.aftermath import Aftermath

    _settle_how_to_tell(app)
    app.close_display()
    aftermath = Aftermath.of(app, error)
    app.display.fail(error, verbose=app.verbose)
    remark = aftermath.text()
    if remark:
        app.say(f"\n{remark}")
    if app.pipeline is not None:
        app.pipeline.fail(error)
    with suppress(OutputClosed, OutputLost):
        _write_failure(app, error, aftermath.content())
    return error.exit_code


def _write_failure(app: AppContext, error: AksWasmError, content: dict[str, Any]) -> None:
    from aks_wasm.display.errors import error_document
    from aks_wasm.display.results import failure_document, render_document

    document = failure_document(kind_of(app.command), content, error_document(error))
    if app.output in ("json", "yaml"):
        write_output(render_document(document, app.output))
    if app.pipeline is not None and app.command in CLUSTER_KINDS:
        app.pipeline.publish(document)


def _misused(app: AppContext, error: typer.TyperException) -> int:
    """Tell a usage error that Typer found; help that was asked for by giving nothing is shown as it is."""
    from aks_wasm.cli.misuse import in_our_words, is_help

    context = getattr(error, "ctx", None)
    if context is not None:
        app.command = context.command_path.partition(" ")[2]
    _settle_how_to_tell(app)
    if is_help(error) and app.output not in ("json", "yaml"):
        write_talk(error.format_message() + "\n")
        return UsageError.exit_code
    return _failed(app, in_our_words(error))


def _as_internal(app: AppContext, error: Exception) -> AksWasmError:
    from aks_wasm.cli.logs import traceback_text, write_traceback
    from aks_wasm.display.text import one_line

    path = write_traceback(error, app.log_folder(), app.arguments)
    if app.options.debug:
        app.close_display()
        write_talk(traceback_text(error))
    where = f"; the traceback is in `{path}`" if path else ""
    internal = AksWasmError(
        f"this is a bug in aks-wasm: {type(error).__name__}: {one_line(str(error))}{where}", code="InternalError"
    )
    internal.__cause__ = error
    return internal


def _settle_how_to_tell(app: AppContext) -> None:
    """See to it that the error can be told, even when the choice of how was not parsed or is itself the error."""
    from aks_wasm.cli.misuse import output_asked_for, progress_asked_for

    app.options = replace(
        app.options,
        output=app.options.output or output_asked_for(app.arguments),
        progress=app.options.progress or progress_asked_for(app.arguments),
    )
    if not _is_valid(lambda: app.output):
        app.options = replace(app.options, output="table")
    if not _is_valid(lambda: app.progress):
        app.options = replace(app.options, progress="plain")


def _is_valid(choice: Callable[[], str]) -> bool:
    try:
        choice()
    except UsageError:
        return False
    return True


def _close(app: AppContext) -> None:
    try:
        app.close()
    except AksWasmError as error:
        if app.options.debug:
            write_talk(f"closing: {error.message}\n")
