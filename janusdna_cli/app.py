"""The command line's root, and the one place where errors become a line and an exit code.

| code | when |
|---|---|
| 0 | done; also when the reader of standard output has gone (`| head`), which ends the run quietly |
| 1 | the input or the environment is at fault, or janusdna is |
| 2 | the command line is wrong |
| 129 | hung up (SIGHUP) |
| 130 | interrupted (Ctrl-C) |
| 143 | terminated (SIGTERM) |
"""

import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from janusdna import __version__
from janusdna.errors import JanusDNAError
from janusdna_cli.commands import (
    benchmark,
    calibrate,
    corpus,
    demo,
    dependencies,
    doctor,
    embed,
    finetune,
    info,
    merge,
    models,
    mutagenesis,
    plot,
    predict,
    pretrain,
    probe,
    score_variants,
    track,
)
from janusdna_cli.errors import ReaderGoneError
from janusdna_cli.runtime.signals import Terminated, raise_on_signals, terminated
from janusdna_cli.runtime.standard_streams import (
    discard_stdout,
    prepare_standard_streams,
    say,
    stdout_reader_is_gone,
)

__all__ = ["app", "main", "new_app"]

_ENDS = {signal.SIGHUP: "hung up", signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class _Group(TyperGroup):
    def make_context(self, *args: Any, **options: Any) -> Any:
        with _one_line_errors(debug=False):  # --help and --version write, too
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with _one_line_errors(debug=bool(ctx.params.get("debug"))):
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result


@contextmanager
def _one_line_errors(*, debug: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(_tell_end(interrupt, interrupt)) from None
    except SystemExit as end:
        if end.code == 128 + signal.SIGINT and (taken := terminated()):  # by Typer, for a Ctrl-C
            raise typer.Exit(_tell_end(taken, taken)) from None
        if isinstance(end.__context__, BrokenPipeError):  # rich's own end, of a help page
            raise typer.Exit(0) from None
        raise
    except Exception as error:
        if hasattr(error, "exit_code") or isinstance(error, typer.Abort):  # Typer's own
            raise
        if _nobody_reads(error):
            discard_stdout()
            raise typer.Exit(0) from None
        if came := _interruption_behind(error):
            raise typer.Exit(_tell_end(came, error)) from None
        if debug:
            traceback.print_exception(error)
        say(f"janusdna: error: {_with_notes(_describe(error), error)}")
        raise typer.Exit(1) from None


def _tell_end(interrupt: KeyboardInterrupt, error: BaseException) -> int:
    """Say what interrupted, and what those have added whom the error has passed that it led to: the code."""
    number = interrupt.signal if isinstance(interrupt, Terminated) else signal.SIGINT
    say(f"janusdna: {_with_notes(_ENDS[number], error)}")
    return 128 + number


def _interruption_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The interruption that led to an error which says nothing, as where a library was not ready for it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, JanusDNAError):
            return None
        if isinstance(cause, KeyboardInterrupt):
            return cause
        cause = cause.__context__
    return terminated()


def _with_notes(text: str, error: BaseException) -> str:
    """What an error says, and what those whom it passed have added."""
    return "; ".join((text, *getattr(error, "__notes__", ())))


def _nobody_reads(error: Exception) -> bool:
    """Whether what is written to standard output, or to a pipe with a name, is wanted no more."""
    return isinstance(error, ReaderGoneError) or (
        isinstance(error, BrokenPipeError) and stdout_reader_is_gone()
    )


def _describe(error: Exception) -> str:
    text = " ".join(str(error).splitlines())
    if isinstance(error, JanusDNAError):
        return text
    # PyTorch's class by its name: to import it here would cost every --help a second.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory; pass a smaller --batch-bp or --window, or use a machine with more"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    found = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"this is a bug in janusdna: {found}; run again as `janusdna --debug ...` and report what it shows"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"janusdna {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="JANUSDNA_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Read genomic regions and score variants with JanusDNA, a bidirectional DNA language model."""


def new_app() -> typer.Typer:
    """A program without commands, with the options and the error handling of this one."""
    program = typer.Typer(
        cls=_Group,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
        epilog="Example: janusdna demo demo && janusdna embed demo/genome.fa demo/regions.bed -o emb.parquet",
    )
    program.callback()(_root)
    return program


app = new_app()
app.command("embed")(embed.embed)
app.command("score-variants")(score_variants.score_variants)
app.command("dependencies")(dependencies.dependencies)
app.command("mutagenesis")(mutagenesis.mutagenesis)
app.command("track")(track.track)
app.command("calibrate")(calibrate.calibrate)
app.command("merge")(merge.merge)
app.command("corpus")(corpus.corpus)
app.command("pretrain")(pretrain.pretrain)
app.command("finetune")(finetune.finetune)
app.command("predict")(predict.predict)
app.command("probe")(probe.probe)
app.add_typer(benchmark.app, name="benchmark")
app.command("plot")(plot.plot)
app.command("info")(info.info)
app.add_typer(models.app, name="models")
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Runs the command line and exits."""
    prepare_standard_streams()
    try:
        raise_on_signals()
        with _one_line_errors(debug=False):
            app(prog_name="janusdna")
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except KeyboardInterrupt as interrupt:  # before the command line is understood, or after all is done
        sys.exit(_tell_end(interrupt, interrupt))
