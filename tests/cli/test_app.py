import os
import shlex
import signal
import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from janusdna import __version__
from janusdna.errors import CheckpointError
from janusdna_cli.app import app, new_app
from janusdna_cli.commands.options import (
    BatchBp,
    Device,
    Dtype,
    Model,
    Output,
    Overwrite,
    Quiet,
    Rc,
    Threads,
    Verbose,
    Window,
    format_option,
)
from janusdna_cli.errors import InputError, RecordError
from janusdna_cli.outputs.formats import TABLES, Format
from janusdna_cli.runtime.signals import Terminated

COMMANDS = ("embed", "score-variants", "merge", "plot", "info", "models", "demo", "doctor")

RAISED = {
    "input": InputError("v.vcf: found x,\nexpected y"),
    "record": RecordError("v.vcf", "line 12", "found 3 columns, expected 8"),
    "checkpoint": CheckpointError("m: no config.json"),
    "missing": FileNotFoundError(2, "No such file or directory", "a.fa"),
    "full": OSError(28, "No space left on device"),
    "memory": MemoryError(),
    "cuda": type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to\nallocate"),
    "bug": ZeroDivisionError("division by zero"),
    "interrupt": KeyboardInterrupt(),
}


@pytest.fixture
def program():
    program = new_app()

    @program.command("fail")
    def fail(how: str) -> None:
        raise RAISED[how]

    @program.command("show")
    def show(
        model: Model = None,
        window: Window = None,
        rc: Rc = True,
        output: Output = None,
        format_: Annotated[Format | None, format_option(TABLES)] = None,
        overwrite: Overwrite = False,
        device: Device = "auto",
        dtype: Dtype = "auto",
        batch_bp: BatchBp = None,
        threads: Threads = None,
        quiet: Quiet = False,
        verbose: Verbose = False,
    ) -> None:
        typer.echo(f"{model=} {window=} {rc=} {device=} {dtype=} {batch_bp=} {threads=} {format_=!s}")

    return program


@pytest.fixture
def invoke(program):
    environment = {"JANUSDNA_MODEL": None, "JANUSDNA_DEBUG": None, "COLUMNS": "200"}
    return lambda *argv, **env: CliRunner().invoke(program, argv, env=environment | env, prog_name="janusdna")


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("input", "v.vcf: found x, expected y"),
        ("record", "v.vcf: line 12: found 3 columns, expected 8"),
        ("checkpoint", "m: no config.json"),
        ("missing", "a.fa: No such file or directory"),
        ("full", "No space left on device"),
        ("memory", "out of memory; pass a smaller --batch-bp or --window, or use a machine with more"),
        ("cuda", "out of memory; pass a smaller --batch-bp or --window, or use a machine with more"),
    ],
)
def test_an_error_is_one_line_and_code_1(invoke, how, line):
    result = invoke("fail", how)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"janusdna: error: {line}\n")


def test_a_bug_says_so(invoke):
    result = invoke("fail", "bug")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "this is a bug in janusdna: ZeroDivisionError: division by zero" in result.stderr
    assert "janusdna --debug" in result.stderr


@pytest.mark.parametrize(
    ("how", "code", "line"),
    [("bug", 143, "terminated"), ("input", 1, "error: v.vcf: found x, expected y")],
)
def test_what_an_interruption_led_to_is_the_interruption(program, invoke, how, code, line):
    """A library that is not ready for one raises something else; what is raised here says more than it."""

    @program.command("unready")
    def unready() -> None:
        try:
            raise Terminated(signal.SIGTERM)
        finally:
            raise RAISED[how]

    result = invoke("unready")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"janusdna: {line}\n")


@pytest.mark.parametrize(("argv", "env"), [(["--debug"], {}), ([], {"JANUSDNA_DEBUG": "1"})])
def test_debug_shows_the_traceback(invoke, argv, env):
    result = invoke(*argv, "fail", "input", **env)
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback")
    assert result.stderr.endswith("janusdna: error: v.vcf: found x, expected y\n")


def test_interrupt_is_130(invoke):
    result = invoke("fail", "interrupt")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "janusdna: interrupted\n")


@pytest.mark.parametrize("argv", ["nothing", "fail", "show --nothing", "show --threads 0"])
def test_a_wrong_command_line_is_2(invoke, argv):
    result = invoke(*argv.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Usage" in result.stderr


def test_nothing_at_all_shows_the_help(invoke):
    result = invoke()
    assert result.exit_code == 2
    assert "Usage: janusdna" in result.output


def test_version(invoke):
    result = invoke("--version")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"janusdna {__version__}\n", "")


@pytest.mark.parametrize(
    ("text", "bases"),
    [("3", 3), ("1k", 1_024), ("1K", 1_024), ("1M", 2**20), ("131,072", 131_072), ("131_072", 131_072)],
)
def test_window(invoke, text, bases):
    assert f"window={bases} " in invoke("show", "--window", text).stdout


@pytest.mark.parametrize("text", ["2", "0", "2M", "1048577", "1.5k", "k", "12kb", "x", "", "-5"])
def test_a_wrong_window_is_2(invoke, text):
    result = invoke("show", f"--window={text}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"found {text!r}, expected 3 to 1,048,576" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(("text", "bases"), [("auto", "None"), ("64k", "65536"), ("1", "1")])
def test_batch_bp(invoke, text, bases):
    assert f"batch_bp={bases} " in invoke("show", "--batch-bp", text).stdout
    assert invoke("show", "--batch-bp", "0").exit_code == 2


@pytest.mark.parametrize("text", ["auto", "cpu", "cuda", "cuda:1"])
def test_device(invoke, text):
    assert f"device={text!r}" in invoke("show", "--device", text).stdout


@pytest.mark.parametrize("argv", [["--device", "cuda:x"], ["--dtype", "float16"], ["--format", "csv"]])
def test_wrong_choices_are_2(invoke, argv):
    result = invoke("show", *argv)
    assert (result.exit_code, result.stdout) == (2, "")
    assert argv[1] in result.stderr


def test_the_model_comes_from_the_environment(invoke):
    assert "model='tiny'" in invoke("show", JANUSDNA_MODEL="tiny").stdout
    assert "model='big'" in invoke("show", "-m", "big", JANUSDNA_MODEL="tiny").stdout


def test_help_tells_the_defaults(invoke):
    text = invoke("show", "--help").stdout
    for expected in (
        "A model's directory",
        "the model's trained length",
        "128k",
        "JANUSDNA_MODEL",
        "by suffix",
    ):
        assert expected in text


def run(*arguments, **options):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, **options)


def test_help_loads_no_torch():
    code = (
        "import sys\n"
        "from janusdna_cli.app import main\n"
        "sys.argv = ['janusdna', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert end.code == 0, end\n"
        "assert 'torch' not in sys.modules"
    )
    result = run("-c", code)
    assert (result.returncode, result.stderr) == (0, "")
    for command in COMMANDS:
        assert command in result.stdout


def test_every_command_has_help_without_torch():
    for command in COMMANDS:
        call = f"app(['{command}', '--help'], standalone_mode=False)"
        code = f"import sys; from janusdna_cli.app import app; {call}; assert 'torch' not in sys.modules"
        result = run("-c", code)
        assert (result.returncode, result.stderr) == (0, "")


def test_python_m_is_the_same_program():
    result = run("-m", "janusdna_cli", "--version")
    assert (result.returncode, result.stdout) == (0, f"janusdna {__version__}\n")
    assert run("-m", "janusdna_cli", "nothing").returncode == 2


def test_the_program_is_named_once():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"janusdna {__version__}\n"


STREAM = r"""
import logging, sys, time, typer, warnings
from janusdna_cli import app
from janusdna_cli.runtime.progress import configure_logging, progress
app.app = app.new_app()

@app.app.command()
def lines(n: int) -> None:
    for i in range(n):
        typer.echo(i) if n > 1 else print(i)

@app.app.command()
def work(path: str, note: str) -> None:
    from rich.console import Console
    configure_logging()
    logging.getLogger("janusdna").warning(note)
    warnings.warn(note)
    typer.echo(note, err=True)
    print(note, file=sys.stderr)
    Console(stderr=True).print(note)
    with progress("Scoring", 1, "variants") as bar:
        bar.advance(1)
    with open(path, "w") as file:
        file.write("done")
        print(file.fileno() > 2, file=file)

@app.app.command()
def fail() -> None:
    raise FileNotFoundError(2, "No such file", "\udce9\xe9.fa")

@app.app.command()
def another_pipe() -> None:
    raise BrokenPipeError(32, "Broken pipe")

@app.app.command()
def wait(path: str) -> None:
    import pyarrow
    from janusdna_cli.outputs.tables import Format, open_table
    with open_table(path, pyarrow.schema([("a", pyarrow.int64())]), Format.parquet) as table:
        table.write({"a": [1, 2]})
        print("ready", flush=True)
        time.sleep(60)

app.main()
"""
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def program_run(*words, redirected="", **env):
    """The program above under a shell, which opens and closes streams for it."""
    command = shlex.join([sys.executable, "-c", STREAM, *words])
    shell = ["bash", "-c", f"{command} {redirected}"]
    return subprocess.run(shell, capture_output=True, timeout=60, env=os.environ | env)


@pytest.mark.parametrize("n", ["1", "1000000"])
def test_a_closed_pipe_ends_it_quietly(n):
    result = program_run("lines", n, redirected="> >(exec true)")
    assert (result.returncode, result.stderr) == (0, b"")


BEFORE_A_COMMAND = """
import signal, sys
from janusdna_cli import app

def comes(program):
    signal.raise_signal(int(sys.argv[1]))

type(app.app).__call__ = lambda program, **options: comes(program)
app.main()
"""


@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up")],
)
def test_a_signal_before_the_command_line_is_understood_is_a_line(number, said):
    result = run("-c", BEFORE_A_COMMAND, str(int(number)))
    assert (result.returncode, result.stdout, result.stderr) == (128 + number, "", f"janusdna: {said}\n")


BESIDE_A_COMMAND = """
import signal, sys
from janusdna_cli import app

app._Group.invoke = lambda group, context: signal.raise_signal(int(sys.argv.pop()))
app.main()
"""


@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up")])
def test_a_signal_that_typer_takes_for_another_is_told_as_what_it_is(number, said):
    result = run("-c", BESIDE_A_COMMAND, "doctor", str(int(number)))
    assert (result.returncode, result.stdout) == (128 + number, "")
    assert result.stderr.split("\n")[-2:] == [f"janusdna: {said}", ""]


LOST = """
import signal
from janusdna_cli import app

@app.app.command()
def lose() -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        pass
    error = RuntimeError("could not determine the shape")
    error.add_note("on we go")
    raise error from None

app.main()
"""


def test_a_signal_that_a_library_has_lost_is_told_all_the_same():
    """PyTorch takes one for the lack of a length where it comes while a tensor is made."""
    result = run("-c", LOST, "lose")
    assert (result.returncode, result.stdout, result.stderr) == (143, "", "janusdna: terminated; on we go\n")


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_a_closed_pipe_ends_help_quietly(word):
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-c", STREAM, word], stdout=writer, stderr=subprocess.PIPE
    ) as process:
        os.close(writer)
        assert (process.communicate(timeout=60)[1], process.returncode) == (b"", 0)


def test_the_broken_pipe_of_something_else_is_an_error():
    result = program_run("another-pipe")
    assert (result.returncode, result.stderr) == (1, b"janusdna: error: Broken pipe\n")


@pytest.mark.parametrize(
    "redirected",
    ["2> >(exec true)", "2> /dev/full", ">&-", "2>&-", "<&-", "<&- >&- 2>&-"],
    ids=["nobody reads", "full disk", "no stdout", "no stderr", "no stdin", "none"],
)
def test_what_is_said_is_not_the_work(tmp_path, redirected):
    done = tmp_path / "done"
    result = program_run("work", str(done), "note", redirected=f"{redirected}; exit $?")
    assert result.returncode == 0
    assert done.read_text() == "doneTrue\n"  # and it did not get the number of a stream


def test_what_is_said_while_somebody_listens(tmp_path):
    result = program_run("work", str(tmp_path / "done"), "note")
    said = [b"janusdna: warning: note", b"janusdna: warning: UserWarning: note", b"note", b"note", b"note"]
    assert (result.stderr.splitlines(), result.stdout) == (said, b"")


def test_a_locale_without_the_letters(tmp_path):
    result = program_run("work", str(tmp_path / "done"), "\u03b1", **PLAIN)
    assert result.returncode == 0
    assert rb"janusdna: warning: \udcce\udcb1" in result.stderr
    result = program_run("fail", **PLAIN)
    assert (result.returncode, result.stderr) == (
        1,
        b"janusdna: error: \\udce9\\xe9.fa: No such file\n",
    )


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 130, b"janusdna: interrupted\n"),
        (signal.SIGTERM, 143, b"janusdna: terminated\n"),
        (signal.SIGHUP, 129, b"janusdna: hung up\n"),
    ],
)
def test_signals(tmp_path, number, code, line):
    command = [sys.executable, "-c", STREAM, "wait", str(tmp_path / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, b"", line)
    assert list(tmp_path.iterdir()) == []


def test_nohup_stays(tmp_path):
    command = ["nohup", sys.executable, "-c", STREAM, "wait", str(tmp_path / "x")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.terminate()
        assert process.wait(timeout=60) == 143


@pytest.mark.parametrize(
    ("command", "offered"), [("embed", "parquet|tsv|npz|h5ad "), ("score-variants", "parquet|tsv|vcf|bcf ")]
)
def test_help_offers_the_formats_that_a_command_can_write(command, offered):
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, [command, "--help"]).output
    (line,) = (line for line in shown.splitlines() if "--format" in line)
    assert offered in line
