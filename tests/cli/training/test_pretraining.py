"""Runs of `janusdna pretrain` on small genomes: what they leave, how they end, how they go on."""

import errno
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboardX.proto.event_pb2 import Event

import janusdna
from janusdna_cli.training import run_directory

SIZES = {
    "hidden_size": 16,
    "num_layers": 2,
    "intermediate_size": 32,
    "fusion_scale_width": 32,
    "num_experts": 4,
    "expert_layers": [1],
    "trained_length": 64,
}
STEPS = 30
STEP_FIELDS = {
    *("step", "loss", "bits_per_base", "accuracy", "aux_loss", "lr", "gradient_norm", "tokens"),
    *("tokens_per_second", "expert_share_min", "expert_share_max"),
}
VALID_FIELDS = {
    *("step", "valid_loss", "valid_bits_per_base", "valid_accuracy", "valid_windows", "valid_expert_usage"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a made-up genome and the sizes of a small network."""
    folder = tmp_path_factory.mktemp("pretrain")
    chance = random.Random(5)
    motif = "".join(chance.choices("ACGT", k=40))
    lines = []
    for contig, repeats in (("one", 60), ("two", 12)):
        lines.append(f">{contig}")
        lines += ["".join(chance.choices("ACGTacgt", k=20)) + motif for _ in range(repeats)]
    (folder / "genome.fa").write_text("\n".join(lines) + "\n")
    (folder / "sizes.json").write_text(json.dumps(SIZES))
    return folder


def options(place: Path, run: str, **changes: object) -> list[str]:
    chosen = {
        "fasta": place / "genome.fa",
        "preset": place / "sizes.json",
        "output": place / run,
        "tokens_per_step": 512,
        "max_steps": STEPS,
        "valid_every": 9,
        "valid_contigs": "two",
        "checkpoint_every": 6,
        "batch_bp": 128,
        "soft_mask_weight": 0.5,
        "threads": 2,
    } | changes
    given = [
        (f"--{name.replace('_', '-')}", str(value)) for name, value in chosen.items() if value is not None
    ]
    return ["pretrain", "--shift", *(word for pair in given for word in pair)]


def janusdna_process(words: list[str], *launcher: str, env: dict[str, str] | None = None) -> subprocess.Popen:
    command = [sys.executable, *launcher, "-m", "janusdna_cli", *words]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"} | (env or {})
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_lines(run: Path, process: subprocess.Popen, count: int) -> None:
    """Until the metrics have so many lines, or the process has ended."""
    path = run / "metrics.jsonl"
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") >= count):
        time.sleep(0.005)


@pytest.fixture(scope="module")
def whole(place: Path) -> Path:
    """A run that nothing disturbed."""
    process = janusdna_process(options(place, "whole"))
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    (place / "whole" / "said").write_text(said)
    return place / "whole"


def metrics(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def timeless(run: Path) -> list[dict]:
    return [
        {name: value for name, value in line.items() if name != "tokens_per_second"} for line in metrics(run)
    ]


def weights(run: Path, folder: str = f"checkpoints/step-{STEPS}") -> dict[str, torch.Tensor]:
    return {
        f"{file}:{name}": tensor
        for file in ("model", "optimizer")
        if (run / folder / f"{file}.safetensors").exists()
        for name, tensor in load_file(run / folder / f"{file}.safetensors").items()
    }


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_run_directory_holds_what_is_promised(whole: Path) -> None:
    lines = metrics(whole)
    made = [line for line in lines if "loss" in line]
    validated = [line for line in lines if "valid_loss" in line]
    assert [line["step"] for line in made] == list(range(1, STEPS + 1))
    assert [line["step"] for line in validated] == [9, 18, 27, STEPS]
    assert all(set(line) == STEP_FIELDS for line in made)
    assert all(set(line) == VALID_FIELDS for line in validated)
    assert [line["tokens"] for line in made] == [512 * step for step in range(1, STEPS + 1)]
    assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == [
        "step-18",
        "step-24",
        "step-30",
    ]
    assert list(validated[0]["valid_expert_usage"]) == ["forward", "backward"]
    assert made[-1]["loss"] < made[0]["loss"] / 2


def test_the_model_is_the_best_of_the_validations(whole: Path) -> None:
    validated = [line for line in metrics(whole) if "valid_loss" in line]
    best = min(validated, key=lambda line: line["valid_bits_per_base"])
    model = janusdna.load(whole / "model", device="cpu")
    facts = model.info.provenance
    assert (facts["trained"], facts["step"]) == (True, best["step"])
    assert facts["valid_bits_per_base"] == best["valid_bits_per_base"]
    assert model.config.trained_length == 64


def test_the_model_reads(whole: Path, work) -> None:
    table = work.table("embed", whole.parent / "genome.fa", work.bed("one 5 10"))
    own = work.run(
        "embed", whole.parent / "genome.fa", work.bed("one 5 10"), "--model", whole / "model", "-o", "o.tsv"
    )
    assert (len(table), own.exit_code) == (1, 0)


def test_tensorboard_has_the_same_numbers(whole: Path) -> None:
    scalars = {}
    for path in whole.glob("events.out.tfevents.*"):
        data, at = path.read_bytes(), 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 8], "little")
            event = Event.FromString(data[at + 12 : at + 12 + size])
            scalars |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
            at += size + 16
    for line in metrics(whole):
        kind = "training/loss" if "loss" in line else "validation/loss"
        value = line.get("loss", line.get("valid_loss"))
        assert scalars[kind, line["step"]] == pytest.approx(value, rel=1e-6)
    assert ("experts/forward/layer0/3", STEPS) in scalars


def test_it_says_where_it_is_and_what_came_out(whole: Path) -> None:
    said = (whole / "said").read_text().splitlines()
    assert re.search(r"windows of 64 bases to train on, \d+ held out; 30 steps of 512 bases", said[0])
    assert any(
        re.search(r"step 30/30: loss \d.*bits per base, accuracy .*lr 0.0001, .*left", line) for line in said
    )
    assert re.search(
        r"30 steps, 15.4 kb in .*best \d\.\d{4} bits per base, after step \d+ -> .*model$", said[-1]
    )


def test_killed_at_any_step_and_resumed_the_weights_are_the_same(place: Path, whole: Path) -> None:
    run = place / "killed"
    for last in sorted(random.sample(range(7, STEPS - 2), 2)):
        process = janusdna_process([*options(place, "killed"), "--resume"])
        wait_for_lines(run, process, last)
        process.kill()
        process.communicate()
    process = janusdna_process([*options(place, "killed"), "--resume"])
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "going on after step" in said
    assert same(weights(run), weights(whole))
    assert same(weights(run, "model"), weights(whole, "model"))
    assert timeless(run) == timeless(whole)


def test_a_signal_writes_a_checkpoint_first(place: Path, whole: Path) -> None:
    run = place / "signalled"
    words = [*options(place, run.name, checkpoint_every=1000), "--resume"]
    process = janusdna_process(words)
    wait_for_lines(run, process, 5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143, said
    stopped = int(re.search(r"stopped after step (\d+); --resume goes on", said)[1])
    assert [path.name for path in (run / "checkpoints").iterdir()] == [f"step-{stopped}"]
    assert stopped < STEPS
    process = janusdna_process(words)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert same(weights(run), weights(whole))


def two_processes(*words: list[str]) -> list[subprocess.Popen]:
    """What `torchrun` starts, without it: each rank with its own command line."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    where = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    ranks = ({"RANK": str(rank), "LOCAL_RANK": str(rank)} | where for rank in (0, 1))
    return [janusdna_process(own, env=env) for own, env in zip(words, ranks, strict=True)]


def test_a_signal_stops_all_processes_at_the_same_step(place: Path) -> None:
    run = place / "stopped"
    words = options(place, "stopped", checkpoint_every=1000, threads=1, max_steps=1000)
    ranks = two_processes(words, words)
    wait_for_lines(run, ranks[0], 5)
    ranks[1].send_signal(signal.SIGINT)
    said = [process.communicate(timeout=60)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [130, 130], said
    stopped = int(re.search(r"stopped after step (\d+)", said[0])[1])
    assert [path.name for path in (run / "checkpoints").iterdir()] == [f"step-{stopped}"]
    assert said[1].splitlines() == ["janusdna: interrupted"]


def test_processes_that_do_not_see_the_same_folder_do_not_start(place: Path, whole: Path) -> None:
    shutil.copytree(whole, place / "elsewhere")
    folders = ([*options(place, name, threads=1), "--resume"] for name in ("here", "elsewhere"))
    for process in two_processes(*folders):
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "the processes find different checkpoints in it, expected one folder" in said


def test_a_process_whose_peer_fails_says_so(place: Path) -> None:
    good, bad = (options(place, "alone", threads=1, fasta=place / name) for name in ("genome.fa", "no.fa"))
    ranks = two_processes(good, bad)
    said = [process.communicate(timeout=60)[1].splitlines() for process in ranks]
    assert [process.returncode for process in ranks] == [1, 1], said
    assert said[0][-1].startswith("janusdna: error: rank 0 of 2: another process of the run has failed")
    assert len(said[1]) == 1
    assert "no.fa: " in said[1][0]


def test_two_processes_make_the_curve_of_one(place: Path, whole: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = janusdna_process(options(place, "two", threads=1), *launcher)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    one, two = (
        [(line["step"], line.get("loss", line.get("valid_loss"))) for line in metrics(run)]
        for run in (whole, place / "two")
    )
    assert [step for step, _ in one] == [step for step, _ in two]
    assert max(abs(a - b) for (_, a), (_, b) in zip(one, two, strict=True)) < 1e-3


def test_any_number_of_readers_and_lanes_gives_the_same_losses(place: Path, whole: Path, work) -> None:
    result = work.run(*options(place, "workers", threads=1, workers=5))
    assert result.exit_code == 0, result.output
    one, other = (
        [line.get("loss") for line in metrics(run) if "loss" in line] for run in (whole, place / "workers")
    )
    assert other == pytest.approx(one, abs=1e-4)


def test_a_finished_run_resumed_does_nothing_more(whole: Path, work) -> None:
    before = (whole / "metrics.jsonl").read_bytes()
    result = work.run(*options(whole.parent, "whole"), "--resume")
    assert result.exit_code == 0, result.output
    assert (whole / "metrics.jsonl").read_bytes() == before


def test_a_run_is_not_overwritten_unasked(whole: Path, work) -> None:
    result = work.run(*options(whole.parent, "whole"))
    assert result.exit_code == 1
    assert "holds a run; pass --resume to go on, --overwrite to start anew" in result.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"lr": 0.004},
            "was started with --lr 0.008, found --lr 0.004; pass the options it was started with",
        ),
        ({"seed": 3}, "was started with --seed 0, found --seed 3"),
        ({"length": 32}, "was started with --length None, found --length 32"),
    ],
)
def test_a_run_of_another_configuration_is_not_resumed(whole: Path, work, changes, message) -> None:
    result = work.run(*options(whole.parent, "whole", **changes), "--resume")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert message in result.stderr


@pytest.mark.parametrize("content", [None, b"", 300 * b"\0", b"[]", b'{"settings": 5}', b"{}"])
def test_a_run_whose_config_is_lost_or_damaged_is_kept_and_named(
    place: Path, whole: Path, work, content
) -> None:
    run = work.folder / "run"
    shutil.copytree(whole, run)
    if content is None:
        (run / "config.json").unlink()
    else:
        (run / "config.json").write_bytes(content)
    result = work.run(*options(place, "run", output=run), "--resume")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"{run}/config.json: " in result.stderr
    assert "put a copy back, or start anew with --overwrite" in result.stderr
    assert same(weights(run), weights(whole))


def test_what_is_in_memory_at_once_may_change_when_a_run_goes_on(place: Path, whole: Path, work) -> None:
    run = work.folder / "run"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "checkpoints" / f"step-{STEPS}")
    damaged = (run / "metrics.jsonl").read_bytes()
    (run / "metrics.jsonl").write_bytes(damaged[:300] + 300 * b"\0" + damaged[300:])
    words = options(place, "run", output=run, batch_bp=64, recompute="on", workers=1, threads=1)
    result = work.run(*words, "--resume")
    assert result.exit_code == 0, result.output
    assert re.search(r"metrics\.jsonl: line [12] cannot be read and is left out", result.stderr)
    assert "going on after step 24" in result.stderr
    one, other = (
        {line["step"]: line["loss"] for line in metrics(path) if "loss" in line} for path in (whole, run)
    )
    assert other == pytest.approx({step: one[step] for step in other}, abs=2e-2)


def test_a_run_on_another_genome_is_not_resumed(whole: Path, work, bases) -> None:
    fasta = work.fasta(one=bases(4000), two=bases(500))
    result = work.run(*options(whole.parent, "whole", fasta=fasta), "--resume")
    assert result.exit_code == 1
    assert "holds a run on another genome" in result.stderr


def test_resume_where_there_is_no_run_starts_one(place: Path, work) -> None:
    result = work.run(*options(place, "fresh", max_steps=2), "--resume")
    assert result.exit_code == 0, result.output
    assert (place / "fresh" / "checkpoints" / "step-2").is_dir()


def test_overwrite_removes_the_old_run_and_nothing_else(place: Path, work) -> None:
    work.run(*options(place, "again", max_steps=4))
    (place / "again" / "notes.txt").write_text("mine")
    result = work.run(*options(place, "again", max_steps=2), "--overwrite")
    assert result.exit_code == 0, result.output
    assert [line["step"] for line in metrics(place / "again") if "loss" in line] == [1, 2]
    assert (place / "again" / "notes.txt").read_text() == "mine"


def test_a_damaged_checkpoint_is_passed_over(place: Path, whole: Path, work) -> None:
    shutil.copytree(whole, place / "damaged")
    newest = place / "damaged" / "checkpoints" / f"step-{STEPS}" / "optimizer.safetensors"
    newest.write_bytes(newest.read_bytes()[:1000])
    result = work.run(*options(place, "damaged"), "--resume")
    assert result.exit_code == 0, result.output
    assert f"step-{STEPS} cannot be read and is passed over" in result.stderr
    assert "going on after step 24" in result.stderr
    assert same(weights(place / "damaged"), weights(whole))


def test_a_full_disk_leaves_the_last_good_checkpoint(place: Path, work, monkeypatch) -> None:
    write_tensors = run_directory.write_tensors

    def full(tensors, path) -> None:
        if "step-12" in str(path):
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_tensors(tensors, path)

    monkeypatch.setattr(run_directory, "write_tensors", full)
    result = work.run(*options(place, "full", max_steps=13))
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert re.search(
        r"the checkpoint of step 12 cannot be written: No space left on device; the last good", last
    )
    assert "step-6; make room" in last
    assert [path.name for path in (place / "full" / "checkpoints").iterdir()] == ["step-6"]
    monkeypatch.undo()
    assert work.run(*options(place, "full", max_steps=13), "--resume").exit_code == 0


def test_a_loss_that_is_not_finite_says_where(place: Path, work) -> None:
    result = work.run(*options(place, "nan", lr=1e25, clip=1e30, warmup=0))
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert re.search(
        r"nan: step \d+: the loss is nan, .*it comes from one:\d+-\d+, one:\d+-\d+.* and 1\d more|"
        r"nan: step \d+: the loss is (nan|inf).*it comes from one:\d+-\d+",
        last,
    )


def test_init_goes_on_from_weights_on_another_genome(whole: Path, work, bases) -> None:
    fasta = work.fasta(other=bases(3000))
    words = options(
        whole.parent,
        "tuned",
        fasta=fasta,
        init=whole / "model",
        valid_contigs=None,
        max_steps=1,
        preset=None,
        lr=1e-9,
        min_lr=0,
    )
    result = work.run(*words)
    assert result.exit_code == 0, result.output
    tuned, start = (weights(run, "model") for run in (whole.parent / "tuned", whole))
    assert tuned.keys() == start.keys()
    assert max(float((tuned[name] - start[name]).abs().max()) for name in start) < 1e-6


def test_init_takes_a_reference_checkpoint(golden, place: Path, work) -> None:
    case = golden("midattn-nomlp")
    result = work.run(*options(place, "reference", init=case / "last.ckpt", preset=None, max_steps=1))
    assert result.exit_code == 0, result.output
    assert janusdna.load(place / "reference" / "model", device="cpu").config.final_mlp is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "genome.fa: is empty, expected FASTA"),
        (
            ">one\nACGT\n>two\nACGTA\n",
            "its longest contig has 5 bases, expected at least a window of 64; lower --length",
        ),
        (f">one\n{'N' * 5000}\n", "50% other than A, C, G and T, or letters that are not DNA"),
    ],
)
def test_a_genome_that_is_of_no_use(place: Path, work, text, message) -> None:
    words = options(place, "useless", fasta=work.file("genome.fa", text), valid_contigs=None)
    result = work.run(*words, "--overwrite", "--quiet")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert message in result.stderr


def test_intervals_of_another_assembly(place: Path, work) -> None:
    bed = work.bed("one 0 2000 train", "one 2000 900000 valid")
    result = work.run(*options(place, "intervals", intervals=bed, valid_contigs=None))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "line 2: one:2000-900000 reaches outside the contig's 3,600 bases" in result.stderr
    assert "probably of another assembly than" in result.stderr


def test_two_genomes_with_weights(place: Path, work, bases) -> None:
    other = work.fasta(one=bases(2000))
    bed = work.bed(
        "human.one 0 1000 train 4", "human.one 1000 3000 train 0.5", "human.two 0 700 valid",
        "other.one 0 1000 train", "other.one 1000 2000 valid 9",
    )  # fmt: skip
    weights = work.file(
        "weights.bed",
        "human.one\t0\t500\texon\t1\nhuman.two\t0\t300\texon\t2\nother.one\t0\t2000\trepeat\t0.1\n",
    )
    words = options(place, "genomes", fasta=f"human={place / 'genome.fa'}", intervals=bed, weights=weights)
    words = [word for word in words if word not in ("--valid-contigs", "two")]
    result = work.run(*words, "--fasta", f"other={other}")
    assert result.exit_code == 0, result.output
    assert "61 windows of 64 bases to train on (92 a pass, by their weights)" in result.stderr.replace(
        "\n", " "
    )
    lines = [line for line in metrics(place / "genomes") if "valid_bits_by_kind" in line]
    assert [line["step"] for line in lines] == [9, 18, 27, 30]
    for line in lines:
        found = line["valid_bits_by_kind"]
        assert set(found) == {"unmarked", "human.exon", "other.repeat"}
        assert all(1 < bits < 2.5 for bits in found.values())
    known = (place / "genomes" / "intervals.bed").read_text().splitlines()
    assert "human.one\t0\t1000\ttrain\t4.0" in known
    (Path(weights)).write_text("human.one\t0\t500\texon\t3\n")
    again = work.run(*words, "--fasta", f"other={other}", "--resume")
    assert again.exit_code == 1
    assert "on another genome or other intervals or weights" in again.stderr.replace("\n", " ")


def test_two_genomes_of_the_same_names(place: Path, work, bases) -> None:
    other = work.fasta(one=bases(2000))
    result = work.run(*options(place, "same", valid_contigs=None), "--fasta", str(other))
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert f"{other}: has a contig one, as {place / 'genome.fa'} has; name the genomes" in result.stderr


def test_the_command_line_is_checked_before_the_work(place: Path, work) -> None:
    result = work.run(*options(place, "wrong", warmup=1.5))
    assert result.exit_code == 2
    assert "--warmup: found 1.5, expected a share, 0 to 1" in result.stderr
    assert not (place / "wrong").exists()


def test_plain_gzip_is_converted_once(place: Path, work) -> None:
    import gzip

    packed = Path(work.folder) / "genome.fa.gz"
    packed.write_bytes(gzip.compress((place / "genome.fa").read_bytes()))
    words = options(place, "packed", fasta=packed, max_steps=1)
    first = work.run(*words, XDG_CACHE_HOME=str(work.folder / "cache"))
    second = work.run(*words, "--overwrite", XDG_CACHE_HOME=str(work.folder / "cache"))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert first.stderr.count("is gzip, which has no random access; converted once to") == 1
    assert "is gzip" not in second.stderr


@pytest.mark.parametrize("objective", ["mlm", "clm"])
def test_other_objectives_learn_too_and_say_so(place: Path, work, objective) -> None:
    result = work.run(*options(place, objective, objective=objective))
    assert result.exit_code == 0, result.output
    made = [line["bits_per_base"] for line in metrics(place / objective) if "loss" in line]
    assert made[-1] < made[0]
    read = work.run(
        "embed",
        place / "genome.fa",
        work.bed("one 5 10"),
        "-o",
        "o.tsv",
        "--model",
        place / objective / "model",
    )
    assert f"was trained with --objective {objective}" in read.stderr
