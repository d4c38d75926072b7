"""What commands are handed: settings and options in one place, where output goes, how work is begun and asked about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aks_wasm.cli.durations import parse_duration
from aks_wasm.cli.interrupts import Interrupts
from aks_wasm.cli.options import Options
from aks_wasm.cli.use_cases import UseCases
from aks_wasm.display.terminal import Terminal, write_output
from aks_wasm.errors import Refused, UsageError
from aks_wasm.settings import Settings

if TYPE_CHECKING:
    import typer

    from aks_wasm.cli.steps_seen import StepsSeen
    from aks_wasm.display.base import Display, ProgressMode
    from aks_wasm.display.ci import Pipeline
    from aks_wasm.display.results import OutputFormat
    from aks_wasm.events import Event, EventSink
    from aks_wasm.spec.models import ClusterSpec
    from aks_wasm.waits import Clock
    from aks_wasm.workflows.context import Run
    from aks_wasm.workflows.results import Result

DEFAULT_TIMEOUT = "45m"  # an AKS cluster takes 4 to 10 minutes, a slow region with a busy queue some three times that
SHOW_CURSOR = b"\x1b[?25h\n"  # the live display hides it


def _open_run(
    settings: Settings, spec: ClusterSpec, emit: EventSink, clock: Clock, timeout: float, kubeconfig: str | None = None
) -> Run:
    from aks_wasm.workflows.context import Run

    return Run.open(settings, spec, emit, clock, timeout, kubeconfig=kubeconfig)


def _system_clock() -> Clock:
    from aks_wasm.waits import SystemClock

    return SystemClock()


@dataclass
class AppContext:
    """One invocation of the command line.

    Attributes:
        settings: The AKS_WASM_* variables.
        environment: All variables; what pipelines and terminals say of themselves.
        terminal: What the streams can do.
        new_clock: Makes the clock, whose waits Ctrl+C ends.
        use_cases: What commands can ask for.
        open_run: Opens a provider for a spec.
        options: What the shared options said.
        command: Which command it is, for example `nodepool add`.
        arguments: The command line without the program's name.
    """

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    terminal: Terminal = field(default_factory=Terminal)
    new_clock: Callable[[], Clock] = _system_clock
    use_cases: UseCases = field(default_factory=UseCases)
    open_run: Callable[..., Run] = _open_run
    options: Options = field(default_factory=Options)
    command: str = ""
    arguments: tuple[str, ...] = ()
    current: Run | None = field(default=None, init=False)

    @classmethod
    def from_environment(cls) -> AppContext:
        """Look at this process's variables and streams."""
        return cls(Settings.from_environment(), os.environ, Terminal.look())

    @classmethod
    def of(cls, context: typer.Context) -> AppContext:
        """Return the one that a command was called with."""
        return cast(AppContext, context.obj)

    def remember(self, option: str, value: Any) -> None:
        """Keep what a shared option said."""
        self.options = replace(self.options, **{option: value})

    # Choices: a flag wins over the variable, which wins over the default.

    @property
    def output(self) -> OutputFormat:
        """The format of the answer."""
        allowed = ("table", "json", "yaml", "name")
        return cast("OutputFormat", _choice(self.options.output, self.settings.output, "AKS_WASM_OUTPUT", allowed))

    @property
    def progress(self) -> ProgressMode:
        """How progress is shown."""
        allowed = ("auto", "live", "plain", "jsonl", "none")
        return cast(
            "ProgressMode", _choice(self.options.progress, self.settings.progress, "AKS_WASM_PROGRESS", allowed)
        )

    @property
    def timeout(self) -> float:
        """Seconds that the whole command may wait."""
        if self.options.timeout:
            return parse_duration(self.options.timeout, "--timeout")
        return parse_duration(self.settings.timeout or DEFAULT_TIMEOUT, "AKS_WASM_TIMEOUT")

    @property
    def verbose(self) -> bool:
        """Whether what others said is shown with an error."""
        return self.options.verbose or self.options.debug

    # Talk.

    @cached_property
    def display(self) -> Display:
        """Where progress and remarks go."""
        from aks_wasm.display.base import open_display

        return open_display(self.progress, self.terminal)

    @cached_property
    def pipeline(self) -> Pipeline | None:
        """The pipeline service around us, if any; stderr stays pure where it is for a program."""
        from aks_wasm.display.ci import find_pipeline, print_nothing
        from aks_wasm.display.terminal import write_talk

        return find_pipeline(self.environment, print_nothing if self.progress == "jsonl" else write_talk)

    @cached_property
    def steps(self) -> StepsSeen:
        """How steps went so far."""
        from aks_wasm.cli.steps_seen import StepsSeen

        return StepsSeen()

    @cached_property
    def clock(self) -> Clock:
        """Where time comes from."""
        return self.new_clock()

    @cached_property
    def interrupts(self) -> Interrupts:
        """What Ctrl+C does."""
        return Interrupts(self._end_waits, self.say, self._leave)

    def emit(self, event: Event) -> None:
        """Show an event and remember what it says of a step."""
        self.steps.note(event)
        self.display.emit(event)

    def _end_waits(self) -> None:
        from aks_wasm.waits import SystemClock

        if isinstance(self.clock, SystemClock):
            self.clock.interrupt()

    def _leave(self, code: int) -> None:
        if self.terminal.redraws:
            os.write(2, SHOW_CURSOR)
        os._exit(code)

    # Work.

    def spec(self) -> ClusterSpec:
        """Load the spec that the options speak of.

        Raises:
            UsageError: The options contradict each other, or the spec is off.
        """
        from aks_wasm.spec.load import load_spec

        options = self.options
        if options.local and options.target not in (None, "local"):
            raise UsageError(
                f"`--local` and `--target {options.target}` contradict each other", hint="give one of them"
            )
        target = "local" if options.local else options.target
        return load_spec(options.file, sets=options.sets, target=target, settings=self.settings)

    def run(self) -> Run:
        """Load the spec and open its provider; from here on Ctrl+C ends waits in order."""
        return self._begin(self.spec)

    def run_on(self, kubeconfig: str, spec: ClusterSpec) -> Run:
        """Open the cluster of a kubeconfig (YAML); the spec says in whose name, and what is to be on it."""
        return self._begin(lambda: spec, kubeconfig=kubeconfig)

    def _begin(self, load: Callable[[], ClusterSpec], **more: str) -> Run:
        from aks_wasm.cli.logs import quieten_libraries

        # Before anything else: a bad option must not cost a request.
        timeout, _, _ = self.timeout, self.output, self.progress
        spec = load()
        quieten_libraries(debug=self.options.debug)
        self.current = self.open_run(self.settings, spec, self.emit, self.clock, timeout, **more)
        self.interrupts.in_order = True
        return self.current

    # Answers.

    def show(self, result: Result) -> None:
        """Put a result on stdout, and where the pipeline wants it."""
        from aks_wasm.display.results import document_of, render_result
        from aks_wasm.workflows.results import ClusterResult

        self.close_display()
        write_output(render_result(result, self.output, self.terminal.width))
        if self.pipeline is not None and isinstance(result, ClusterResult):
            self.pipeline.publish(document_of(result))

    def write(self, text: str) -> None:
        """Put text that is an answer in itself on stdout, for example a kubeconfig."""
        self.close_display()
        write_output(text if text.endswith("\n") else text + "\n")

    def write_document(self, document: Mapping[str, Any]) -> None:
        """Put a document with a form of its own on stdout: JSON, or YAML when asked for."""
        from aks_wasm.display.results import render_document

        self.write(render_document(document, self.output))

    def write_yaml(self, text: str) -> None:
        """Put text that is YAML on stdout: as it is, or as JSON when asked for."""
        if self.output != "json":
            self.write(text)
            return
        import yaml

        self.write_document(yaml.safe_load(text))

    def stream(self, lines: Iterable[str]) -> None:
        """Put lines on stdout as they come; Ctrl+C ends that at once."""
        self.close_display()
        self.interrupts.in_order = False
        for line in lines:
            write_output(line if line.endswith("\n") else line + "\n")

    def say(self, text: str) -> None:
        """Make a remark on stderr."""
        self.display.say(text)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is done that can't be undone or costs money.

        Raises:
            UsageError: There is nobody to ask; `--yes` is needed.
            Refused: The answer was no.
        """
        if yes:
            return
        if not self.terminal.prompts:
            raise UsageError(
                f"`--yes` is needed when not on a terminal: {question}", code="ConfirmationNeeded", hint="add `--yes`"
            )
        import typer

        self.close_display()
        in_order, self.interrupts.in_order = self.interrupts.in_order, False
        if not typer.confirm(question, err=True):
            raise Refused("nothing was changed, since the answer was no", code="NotConfirmed", hint="`--yes` skips it")
        self.interrupts.in_order = in_order

    def close_display(self) -> None:
        """Put the terminal back before something else is written."""
        if "display" in self.__dict__:
            self.display.close()
        if self.__dict__.get("pipeline") is not None:
            cast("Pipeline", self.pipeline).end()

    def close(self) -> None:
        """Let go of what was opened."""
        self.close_display()
        if self.current is not None:
            self.current.close()

    def log_folder(self) -> Path:
        """Where tracebacks of unexpected errors go."""
        return self.settings.home / "logs"


def _choice(flag: str | None, variable: str | None, name: str, allowed: tuple[str, ...]) -> str:
    if flag is not None:
        return flag
    if variable is not None and variable not in allowed:
        raise UsageError(f"`{name}` is `{variable}`, which is none of {', '.join(allowed)}", hint=f"unset {name}")
    return variable or allowed[0]
