"""The options that commands share, and the classes of commands that have them; their values land in the AppContext."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperOption

if TYPE_CHECKING:
    from typer._click.core import Context as ClickContext
    from typer._click.core import Parameter as ClickParameter

OutputName = Literal["table", "json", "yaml", "name"]
ProgressName = Literal["auto", "live", "plain", "jsonl", "none"]
TargetChoice = Literal["azure", "local", "emulator"]


@dataclass(frozen=True)
class Options:
    """What the shared options said; None or empty where nothing was said."""

    output: str | None = None
    progress: str | None = None
    verbose: bool = False
    debug: bool = False
    file: Path | None = None
    target: str | None = None
    local: bool = False
    sets: tuple[str, ...] = ()
    timeout: str | None = None
    kubeconfig: Path | None = None
    kube_context: str | None = None


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    """Put an option's value where the AppContext keeps it; an option that was not given changes nothing."""
    if value not in (None, False) and context.obj is not None and not context.resilient_parsing:
        context.obj.remember(str(parameter.name), tuple(value) if isinstance(value, list) else value)
    return value


class SparingOption(TyperOption):
    """An option that costs nothing while it is not given: to convert a value Typer imports pydantic (80 ms)."""

    def process_value(self, ctx: ClickContext, value: Any) -> Any:
        """Convert a value that was given."""
        return value if value is None else super().process_value(ctx, value)


def sparing(parameters: list[ClickParameter]) -> list[ClickParameter]:
    """Turn options that Typer made into sparing ones; it has no way to ask for another class."""
    for parameter in parameters:
        if type(parameter) is TyperOption:
            parameter.__class__ = SparingOption
    return parameters


def _shared(*names: str, about: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=about, metavar=metavar, callback=_remember, expose_value=False, show_default=False)


def _talk_options(
    output: Annotated[OutputName | None, _shared("-o", "--output", about="Format of the answer on stdout")] = None,
    progress: Annotated[ProgressName | None, _shared("--progress", about="How progress is shown on stderr")] = None,
    verbose: Annotated[bool, _shared("-v", "--verbose", about="Add what others said to an error")] = False,
    debug: Annotated[bool, _shared("--debug", about="Show tracebacks and the libraries' logs")] = False,
) -> None:
    """Take what every command takes."""


ABOUT_FILE = "The spec; default aks-wasm.yaml here, else a built-in hello"


def _file_option(file: Annotated[Path | None, _shared("-f", "--file", about=ABOUT_FILE)] = None) -> None:
    """Take the spec's file."""


def _file_option_of_logs(
    file: Annotated[Path | None, _shared("--file", about=ABOUT_FILE)] = None,
) -> None:
    """Take the spec's file where `-f` is `--follow`, as in kubectl."""


def _file_option_of_kubeconfig(
    file: Annotated[Path | None, _shared("-f", "--spec", about=ABOUT_FILE)] = None,
) -> None:
    """Take the spec's file where `--file` is the file to write."""


def _spec_options(
    target: Annotated[TargetChoice | None, _shared("--target", about="Wins over the file's target")] = None,
    local: Annotated[bool, _shared("--local", about="The same as --target local")] = False,
    sets: Annotated[
        list[str] | None,
        _shared("--set", about="Override a field, as in nodePools.0.count=3; may be repeated", metavar="FIELD=VALUE"),
    ] = None,
    timeout: Annotated[
        str | None, _shared("--timeout", about="How long to wait, as in 90s or 1h30m; default 45m", metavar="DURATION")
    ] = None,
) -> None:
    """Take what every command about a cluster takes."""


def _access_options(
    kubeconfig: Annotated[
        Path | None, _shared("--kubeconfig", about="Any cluster, in place of the file's: a kubeconfig of it")
    ] = None,
    kube_context: Annotated[
        str | None, _shared("--context", about="Which of its contexts; default its current one", metavar="NAME")
    ] = None,
) -> None:
    """Take what commands take that work on any cluster."""


def talk_options() -> tuple[ClickParameter, ...]:
    """Return the options of every command."""
    return _parameters_of(_talk_options)


@cache
def _parameters_of(function: Callable[..., None]) -> tuple[ClickParameter, ...]:
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return tuple(typer.main.get_command(app).params)


class TalkingCommand(TyperCommand):
    """A command with the options of every command."""

    def __init__(self, *args: Any, params: list[ClickParameter] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, params=[*(params or []), *self.shared_options()], **kwargs)

    def get_params(self, ctx: ClickContext) -> list[ClickParameter]:
        """Return all parameters, `--help` among them."""
        return sparing(super().get_params(ctx))

    def shared_options(self) -> tuple[ClickParameter, ...]:
        """Return the options that come after the command's own."""
        return talk_options()

    def parse_args(self, ctx: ClickContext, args: list[str]) -> list[str]:
        """Note which command it is before parsing, so that a failure's document has the right kind."""
        if ctx.obj is not None and not ctx.resilient_parsing:
            ctx.obj.command = ctx.command_path.partition(" ")[2]
        return super().parse_args(ctx, args)


class ClusterCommand(TalkingCommand):
    """A command about a cluster: it takes a spec as well."""

    file_option: Callable[..., None] = staticmethod(_file_option)

    def shared_options(self) -> tuple[ClickParameter, ...]:
        """Return the spec's options and those of every command."""
        return (*_parameters_of(self.file_option), *_parameters_of(_spec_options), *talk_options())


class AnyClusterCommand(ClusterCommand):
    """A command about the spec's cluster, or about any cluster by its kubeconfig."""

    def shared_options(self) -> tuple[ClickParameter, ...]:
        """Return the ways into a cluster, the spec's options and those of every command."""
        return (*_parameters_of(_access_options), *super().shared_options())


class LogsCommand(ClusterCommand):
    """`workload logs`."""

    file_option = staticmethod(_file_option_of_logs)


class KubeconfigCommand(ClusterCommand):
    """`kubeconfig`."""

    file_option = staticmethod(_file_option_of_kubeconfig)


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask; needed when not on a terminal")]
