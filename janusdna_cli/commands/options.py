"""Options that several commands share: their names, help and parsing. Settings own the defaults."""

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any

import typer

from janusdna.bundled import BUNDLED
from janusdna_cli.errors import InputError
from janusdna_cli.outputs.formats import Format
from janusdna_cli.reading import settings
from janusdna_cli.reading.settings import DEVICE, LONGEST_WINDOW, SHORTEST_WINDOW
from janusdna_cli.runs.settings import RunSettings
from janusdna_cli.runtime.progress import configure_logging
from janusdna_cli.variants.scores import SCORES

__all__ = [
    "Background",
    "BatchBp",
    "Device",
    "Dtype",
    "Kernels",
    "KvDtype",
    "Model",
    "Output",
    "Overwrite",
    "Quiet",
    "Rc",
    "RegionNames",
    "RegionsFile",
    "Resume",
    "Scores",
    "ShardOption",
    "Span",
    "Threads",
    "Verbose",
    "Window",
    "Workers",
    "format_option",
    "names",
    "parse_bases",
    "parse_batch_bp",
    "parse_device",
    "parse_window",
    "parse_workers",
    "told_as_usage",
    "valid_contigs_option",
    "valid_share_option",
    "with_options",
    "with_run_options",
]

_UNITS = {"": 1, "k": 2**10, "m": 2**20}
_RUN = "What it runs on"
_SAY = "What it says"


def parse_window(text: str) -> int:
    """A window's length in bases: `131072`, `131,072`, `128k`.

    Raises:
        typer.BadParameter: It is no number, or not within 3 to 1,048,576.
    """
    return _parse_bases(text, SHORTEST_WINDOW, LONGEST_WINDOW)


def parse_bases(text: str) -> int:
    """A number of bases, 1 and up: `1048576`, `1,048,576`, `1M`.

    Raises:
        typer.BadParameter: It is no such number.
    """
    return _parse_bases(text, 1, None)


def parse_batch_bp(text: str) -> int | None:
    """Bases in one batch, None for `auto`.

    Raises:
        typer.BadParameter: It is neither a positive number nor `auto`.
    """
    return None if text == "auto" else parse_bases(text)


def parse_workers(text: str) -> int | str:
    """A number of processes, or `auto`.

    Raises:
        typer.BadParameter: It is neither.
    """
    text = str(text)
    if text == "auto":
        return text
    if text.isdecimal() and int(text):
        return int(text)
    raise typer.BadParameter(f"found {text!r}, expected a whole number, 1 or more, or auto")


def _parse_bases(text: str, low: int, high: int | None) -> int:
    match = re.fullmatch(r"(\d[\d,_]*)([kKmM]?)", str(text).strip())
    limits = f"at least {low:,}" if high is None else f"{low:,} to {high:,}"
    expected = f"expected {limits} bases, such as 1024, 1,024 or 1k (k is 1,024, M is 1,048,576)"
    if match is None:
        raise typer.BadParameter(f"found {text!r}, {expected}")
    bases = int(re.sub("[,_]", "", match[1])) * _UNITS[match[2].lower()]
    if bases < low or (high is not None and bases > high):
        raise typer.BadParameter(f"found {text!r}, {expected}")
    return bases


def parse_device(text: str) -> str:
    """A device's name, unchanged.

    Raises:
        typer.BadParameter: It is not one of auto, cpu, cuda, cuda:0, cuda:1, ...
    """
    if not DEVICE.holds(text):
        raise typer.BadParameter(f"found {text!r}, expected {DEVICE.expected}")
    return text


def names(text: str | None) -> tuple[str, ...] | None:
    """Names with commas between them."""
    return None if text is None else tuple(name.strip() for name in text.split(","))


def valid_contigs_option(panel: str) -> Any:
    """`--valid-contigs`, in a panel of the help."""
    return typer.Option(
        "--valid-contigs", metavar="A,B", rich_help_panel=panel, help="Contigs held out for validation."
    )


def valid_share_option(panel: str) -> Any:
    """`--valid-share`, in a panel of the help."""
    return typer.Option(
        "--valid-share",
        rich_help_panel=panel,
        help="Share held out, in blocks, where neither of the two above says what is.",
    )


def format_option(formats: Collection[Format]) -> Any:
    """`--format` of a command that can write these."""

    def parse(text: str) -> Format:
        if text not in formats:
            raise typer.BadParameter(f"found {text!r}, expected {' or '.join(formats)}")
        return Format(text)

    return typer.Option(
        "--format",
        metavar="|".join(formats),
        parser=parse,
        autocompletion=lambda: list(formats),
        show_default="by suffix",
        help="Write this format, whatever the suffix.",
    )


Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME|PATH",
        envvar="JANUSDNA_MODEL",
        show_default=f"{BUNDLED}, which is bundled",
        help="A model's directory, a pulled model's name, or a reference last.ckpt and its configuration.",
    ),
]

Window = Annotated[
    int | None,
    typer.Option(
        "--window",
        "-w",
        metavar="N",
        parser=parse_window,
        show_default="the model's trained length",
        help="Bases of context, 3 to 1,048,576; 128k is 131,072.",
    ),
]

Rc = Annotated[bool, typer.Option("--rc/--no-rc", help="Average over both strands.")]

RegionNames = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        "-r",
        metavar="CONTIG:FIRST-LAST",
        help="A stretch by its first and last base, 1-based, or a whole contig; may be repeated.",
    ),
]

RegionsFile = Annotated[
    str | None,
    typer.Option("--regions", metavar="BED", help="Regions of a BED file; - is stdin."),
]

Scores = Annotated[
    str | None,
    typer.Option(
        "--scores",
        metavar="A,B",
        show_default="llr of substitutions, delta_pll of the others",
        help=f"Some of {', '.join(SCORES)}.",
    ),
]

Span = Annotated[
    int,
    typer.Option(
        "--span",
        metavar="N",
        min=1,
        help="Bases on each side that delta_pll, embedding and influence read.",
    ),
]

Background = Annotated[
    str,
    typer.Option(
        "--background",
        metavar="auto|none|FILE",
        help="What percentiles are told by; auto finds what `calibrate` made, or came with the model.",
    ),
]

Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="Where to write, format by suffix; - is stdout."),
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]

Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with a run that was cut off; what is done lies in OUTPUT.parts."),
]

ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        show_default="all of it",
        help="Do the I-th of N equal parts of the work; -o is a folder, which `janusdna merge` takes.",
    ),
]

Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        metavar="N|auto",
        parser=parse_workers,
        rich_help_panel=_RUN,
        help="Processes that share the work on a CPU; auto is one a processor, as far as memory allows.",
    ),
]

Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda[:i]",
        parser=parse_device,
        rich_help_panel=_RUN,
        help="auto takes CUDA where it is there.",
    ),
]

Dtype = Annotated[
    settings.Dtype,
    typer.Option(
        "--dtype", rich_help_panel=_RUN, help="auto is bfloat16 on a GPU that has it, else float32."
    ),
]

KvDtype = Annotated[
    settings.Dtype,
    typer.Option(
        "--kv-dtype",
        rich_help_panel=_RUN,
        help="What a window's keys and values are kept in; auto is --dtype, bfloat16 takes half the memory.",
    ),
]

Kernels = Annotated[
    settings.Kernels,
    typer.Option(
        "--kernels",
        rich_help_panel=_RUN,
        help="Who computes: auto is the fastest, triton or mamba-ssm scans on a GPU, reference is PyTorch.",
    ),
]

BatchBp = Annotated[
    int | None,
    typer.Option(
        "--batch-bp",
        metavar="N|auto",
        parser=parse_batch_bp,
        show_default="auto",
        rich_help_panel=_RUN,
        help="Bases in one batch; auto fits it to the memory.",
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", min=1, show_default="all", rich_help_panel=_RUN, help="CPU threads."
    ),
]

Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel=_SAY, help="Say nothing but warnings and errors."),
]

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", rich_help_panel=_SAY, help="Say what is done and why.")
]

# The fields of `RunSettings` that all commands take alike, as options; "rc" is short for both strands.
_OF_RUN = {
    "overwrite": Overwrite,
    "resume": Resume,
    "shard": ShardOption,
    "workers": Workers,
    "model": Model,
    "window": Window,
    "both_strands": Rc,
    "device": Device,
    "dtype": Dtype,
    "kv_dtype": KvDtype,
    "kernels": Kernels,
    "batch_bp": BatchBp,
    "threads": Threads,
    "quiet": Quiet,
}


def with_options(
    command: Callable[..., None], shared: Mapping[str, Any], defaults: Mapping[str, object]
) -> Callable[..., None]:
    """Adds options and `--verbose` to a command.

    The command takes the former as keywords, and finds logging configured.

    Args:
        command: Which has `**options`.
        shared: Options by field, `quiet` among them.
        defaults: Of these fields.
    """
    own = [each for each in inspect.signature(command).parameters.values() if each.kind != each.VAR_KEYWORD]

    @wraps(command)
    def run(*, verbose: bool, **options: Any) -> None:
        configure_logging(quiet=options["quiet"], verbose=verbose)
        command(**options)

    parameters = [
        *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own),
        *(_keyword(name, annotation, defaults[name]) for name, annotation in shared.items()),
        _keyword("verbose", Verbose, False),
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def with_run_options(command: Callable[..., None], *, but: Collection[str] = ()) -> Callable[..., None]:
    """Adds the options of `RunSettings`, as `with_options` does.

    Args:
        command: Which.
        but: Fields of the settings that it has no options for.
    """
    shared = {name: annotation for name, annotation in _OF_RUN.items() if name not in but}
    return with_options(command, shared, {name: getattr(RunSettings, name) for name in shared})


def _keyword(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


@contextmanager
def told_as_usage() -> Iterator[None]:
    """Makes values that settings refuse an error of the command line, exit code 2."""
    try:
        yield
    except InputError as error:
        raise typer.BadParameter(str(error)) from None
