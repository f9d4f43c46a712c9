"""Processes that find each other, lose each other, or should not be several at all."""

import os
import socket
import subprocess
import sys

import pandas as pd
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.runtime.ranks import joined

# Rank 1 goes without a word after the first sum; then rank 0 names the threads that its group left behind.
TWO = """
import os, sys
from pathlib import Path
import torch
from janusdna_cli.errors import InputError
from janusdna_cli.runtime.ranks import joined

with joined("cpu") as ranks:
    print(ranks.total(torch.ones(1)).item())
    import torch._dynamo
    if sys.argv[1] == "fails" and ranks.rank == 1:
        os._exit(3)
    try:
        ranks.first_alone(lambda: None)
        print(ranks.any(ranks.rank == 1), ranks.agree(ranks.rank), ranks.agree(7))
    except InputError as error:
        print(error)
names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
print([name for name in names if "gloo" in name])
"""


def run_two(*command: object, **env: str) -> list[tuple[int, str, str]]:
    """Exit code, standard output and standard error of two processes that know of each other."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port, **env}
    started = [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | where | {"RANK": rank, "LOCAL_RANK": rank},
        )
        for rank in "01"
    ]
    said = [process.communicate(timeout=120) for process in started]
    return [(process.returncode, *texts) for process, texts in zip(started, said, strict=True)]


def run_script_twice(what: str) -> list[tuple[int, list[str]]]:
    """Exit code and lines of both processes of the script."""
    ended = run_two("-c", TWO, what, PYTHONWARNINGS="ignore")
    return [(code, out.splitlines()) for code, out, _ in ended]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="threads are named in /proc")
def test_two_processes_agree_and_leave_nothing_of_their_group_behind() -> None:
    """Where the optimiser's imports come after the group: what is left may abort the interpreter's end."""
    assert run_script_twice("goes on") == [(0, ["2.0", "True False True", "[]"])] * 2


def test_the_failure_of_another_process_is_one_line() -> None:
    (code, lines), (other, _) = run_script_twice("fails")
    assert (code, other) == (0, 3)
    failed = "another process of the run has failed or was killed"
    cause = "what that one says, or the system's log, tells why"
    assert lines == ["2.0", f"rank 0 of 2: {failed}; {cause}", "[]"]


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"WORLD_SIZE": ""}, "WORLD_SIZE is '', expected 1 or more; start"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE is 'two', expected 1 or more; start"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is '0', expected 1 or more; start"),
        ({"WORLD_SIZE": "2"}, "RANK is not set, expected 0 or more, less than 2; start with torchrun"),
        ({"WORLD_SIZE": "2", "RANK": ""}, "RANK is '', expected 0 or more, less than 2"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "RANK is '2', expected 0 or more, less than 2"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "the 2 processes of the run did not find each other: "),
    ],
)
def test_an_environment_that_tells_of_no_processes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], problem: str
) -> None:
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught, joined("cpu"):
        pass
    assert problem in str(caught.value)
    assert "unset WORLD_SIZE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_gpu_is_not_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="--device cuda:1: found 2 processes for one GPU"), joined("cuda:1"):
        pass


def test_one_process_needs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined("cpu") as ranks:
        assert (ranks.rank, ranks.count, ranks.is_first, ranks.any(False), ranks.agree(3)) == (
            *(0, 1, True),
            *(False, True),
        )


def run_command_twice(words: tuple[object, ...]) -> list[tuple[int, str]]:
    """Exit code and what is said of both processes of a command."""
    return [(code, err) for code, _, err in run_two("-m", "janusdna_cli", *words, OMP_NUM_THREADS="1")]


def test_two_processes_share_a_run(work, bases) -> None:
    """The table is that of one: in one file, or in a folder of parts."""
    contig = bases(400)
    fasta = work.fasta(one=contig)
    vcf = work.vcf(*(f"one {pos} . {contig[pos - 1]} <DEL>,{contig[pos - 1]}A" for pos in range(1, 300)))
    words = ("score-variants", vcf, "-f", fasta, "-m", work.model, "--window", 64)
    expected = work.score(vcf, "-f", fasta, "--window", 64)
    assert [code for code, _ in run_command_twice((*words, "-o", work.folder / "two.parquet"))] == [0, 0]
    assert [code for code, _ in run_command_twice((*words, "-o", f"{work.folder}/parts/"))] == [0, 0]
    assert work.run("merge", work.folder / "parts", "-o", work.folder / "merged.parquet").exit_code == 0
    for name in ("two.parquet", "merged.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(work.folder / name), expected, rtol=0, atol=1e-5)
    assert not list(work.folder.glob("*.parts"))


def test_processes_cannot_share_a_stream(work, bases) -> None:
    fasta, vcf = work.fasta(one=bases(100)), work.vcf("one 5 . A <DEL>")
    words = ("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "-")
    for code, said in run_command_twice(words):
        assert code == 1
        assert "can be neither resumed nor shared out" in said
