"""Groups of commands: the root, which imports a command's module when it is called, and nouns with verbs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from aks_wasm.cli.boundary import guard
from aks_wasm.cli.context import AppContext
from aks_wasm.cli.misuse import no_such_command
from aks_wasm.cli.options import sparing, talk_options

if TYPE_CHECKING:
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context as ClickContext
    from typer._click.core import Parameter as ClickParameter
    from typer._click.formatting import HelpFormatter

PROGRAM = "aks-wasm"
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


def typer_app(text: str | None = None, *, completion: bool = False, **more: Any) -> typer.Typer:
    """Return an app with our habits: no markup, tracebacks left alone, `-h`, near names for misspelt commands."""
    return typer.Typer(
        help=text,
        add_completion=completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings=HELP_OPTIONS,
        **more,
    )


@dataclass(frozen=True)
class Lazy:
    """A command that is imported when it is called.

    Attributes:
        module: Has the Typer app `app`.
        summary: What `--help` says of it; the same as the first line of the command's own help.
    """

    module: str
    summary: str


class NounGroup(TyperGroup):
    """A noun such as `nodepool`: its verbs are commands."""

    def get_params(self, ctx: ClickContext) -> list[ClickParameter]:
        """Return all parameters, `--help` and those for completion among them."""
        return sparing(super().get_params(ctx))

    def resolve_command(self, ctx: ClickContext, args: list[str]) -> tuple[str | None, ClickCommand | None, list[str]]:
        """Find the command; name near ones when there is none of that name."""
        if not args[0].startswith("-") and not ctx.resilient_parsing and args[0] not in self.list_commands(ctx):
            raise no_such_command(args[0], ctx.command_path, self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: ClickContext, args: list[str]) -> list[str]:
        """Note the noun, so that a failure's document has the right kind."""
        if ctx.obj is not None and not ctx.resilient_parsing:
            ctx.obj.command = ctx.command_path.partition(" ")[2]
        return super().parse_args(ctx, args)


class RootGroup(NounGroup):
    """The program: lazy commands, the shared options (which may stand before the command too), the error boundary."""

    lazy: Mapping[str, Lazy] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.params = [*self.params, *talk_options()]

    def list_commands(self, ctx: ClickContext) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Return the names, in the order in which help shows them."""
        return list(self.lazy)

    def get_command(self, ctx: ClickContext, cmd_name: str) -> ClickCommand | None:  # noqa: ARG002 - Typer's signature
        """Import the command's module and return the command."""
        entry = self.lazy.get(cmd_name)
        if entry is None:
            return None
        command = typer.main.get_command(import_module(entry.module).app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: ClickContext, formatter: HelpFormatter) -> None:  # noqa: ARG002 - Typer's signature
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.lazy.items()])

    def main(self, *_positional: Any, **extra: Any) -> Any:
        """Run the command line inside the error boundary and exit with its code; takes what Typer's `main` takes."""
        given = extra.pop("args", None)
        arguments = list(sys.argv[1:] if given is None else given)
        app = extra.pop("obj", None) or AppContext.from_environment()
        app.arguments = tuple(arguments)
        extra |= {"prog_name": PROGRAM, "standalone_mode": False}

        def command() -> object:
            return super(RootGroup, self).main(arguments, obj=app, **extra)

        sys.exit(guard(app, command))

    def invoke(self, ctx: ClickContext) -> Any:
        """Run the command; Typer would turn Ctrl+C into a bare exit code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            raise typer.Abort from interrupt
