"""The commands from end to end: files and options in, files, lines and exit codes out."""

import gzip
import io
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pysam
import pytest

import janusdna
import janusdna_cli
from janusdna.reader import Model
from janusdna_cli.reading.window_reader import WindowReader

COMMANDS = [
    ["info"],
    ["embed"],
    ["score-variants"],
    ["mutagenesis"],
    ["track"],
    ["merge"],
    ["plot"],
    ["models", "list"],
    ["models", "convert"],
    ["models", "info"],
    ["models", "pull"],
    ["models", "verify"],
    ["demo"],
    ["doctor"],
]


@pytest.fixture
def files(work, bases):
    contig = bases(200, seed=41)
    snvs = [(pos, contig[pos - 1], "ACGT"["ACGT".index(contig[pos - 1]) - 1]) for pos in range(20, 180, 20)]
    records = [f"c {pos} rs{pos} {ref} {alt},{ref}TT,<DEL>" for pos, ref, alt in snvs]
    return work.fasta(c=contig), work.vcf(*records), work.bed("c 10 20 x", "c 30 90 y")


def one_line(result, *parts):
    """An error as it must be: code 1, one line, nothing on stdout."""
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1), result.output
    assert result.stderr.startswith("janusdna: error: ")
    assert "bug" not in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(work, command):
    result = work.run(*command, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Example: janusdna {' '.join(command)}" in " ".join(result.stdout.replace("│", " ").split())


def test_help_of_every_command_loads_no_torch():
    calls = "".join(f"app({[*command, '--help']}, standalone_mode=False)\n" for command in COMMANDS)
    code = "import sys\nfrom janusdna_cli.app import app\n" + calls + "assert 'torch' not in sys.modules\n"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("Usage:") == len(COMMANDS)


def _is_public(name, value):
    return not name.startswith("_") and getattr(value, "__module__", "").startswith("janusdna")


@pytest.mark.parametrize("package", [janusdna, janusdna_cli])
def test_all_is_what_is_exported(package):
    names = package.__all__
    assert len(set(names)) == len(names)
    found = {name: getattr(package, name) for name in names}
    named = {name: value.__name__ for name, value in found.items() if not name.isupper()}
    assert named == {name: name for name in named}
    own = {name for name, value in vars(package).items() if _is_public(name, value)}
    assert own <= set(names)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


def test_the_tasks_are_functions_of_their_settings(work, files):
    fasta, vcf, bed = files
    summary = janusdna_cli.score_variants(
        janusdna_cli.ScoreSettings(vcf=vcf, fasta=fasta, model=str(work.model), output="scores.tsv")
    )
    assert (dict(summary.counts), summary.output) == ({"ok": 16, "symbolic": 8}, "scores.tsv")
    summary = janusdna_cli.embed_regions(
        janusdna_cli.EmbedSettings(fasta=fasta, regions=bed, model=str(work.model), quiet=True)
    )
    assert (dict(summary.counts), summary.windows, summary.bases) == ({"ok": 2}, 4, 256)
    assert len(pd.read_parquet("regions.janusdna.parquet")) == 2


def test_outputs_are_named_after_their_inputs(work, files):
    fasta, vcf, bed = files
    model = ["-m", work.model]
    with gzip.open("zipped.vcf.gz", "wb") as file:
        file.write(Path(vcf).read_bytes())
    runs = {
        "variants": (["score-variants", vcf, "-f", fasta], None),
        "zipped": (["score-variants", "zipped.vcf.gz", "-f", fasta], None),
        "stdin": (["score-variants", "-", "-f", fasta], Path(vcf).read_bytes()),
        "regions": (["embed", fasta, bed], None),
        "genome": (["embed", fasta], None),
    }
    for name, (arguments, stdin) in runs.items():
        result = work.run(*arguments, *model, stdin=stdin)
        assert (result.exit_code, result.stdout) == (0, "")
        assert len(pd.read_parquet(f"{name}.janusdna.parquet")) > 0
        assert result.stderr.count("\n") == 1
        assert f"-> {name}.janusdna.parquet" in result.stderr


@pytest.fixture
def scored(work, files):
    fasta, vcf, _ = files
    return work.score(vcf, "-f", fasta)


def as_bcf(vcf, path, mode):
    with pysam.VariantFile(vcf) as source:
        header = source.header.copy()
        header.add_line("##contig=<ID=c,length=200>")
    lines = str(header) + "".join(re.findall("^[^#].*\n", Path(vcf).read_text(), re.MULTILINE))
    declared = path.with_suffix(".declared.vcf")
    declared.write_text(lines.replace("<DEL>", "*"))
    with (
        pysam.VariantFile(str(declared)) as source,
        pysam.VariantFile(path, mode, header=source.header) as to,
    ):
        for record in source:
            to.write(record)
    return path


@pytest.mark.parametrize("form", ["plain", "gzip", "bgzip", "bcf", "uncompressed bcf"])
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_one_table_of_every_form_of_a_vcf(work, files, scored, form, way):
    fasta, vcf, _ = files
    path = work.folder / "other"
    if "bcf" in form:
        as_bcf(vcf, path, "wb" if form == "bcf" else "wb0")
        scored = scored.replace({"alt": {"<DEL>": "*"}, "status": {"symbolic": "spanning_deletion"}})
    elif form == "bgzip":
        with pysam.BGZFile(str(path), "wb") as file:
            file.write(Path(vcf).read_bytes())
    else:
        data = Path(vcf).read_bytes()
        path.write_bytes(gzip.compress(data) if form == "gzip" else data)
    if way == "file":
        table = work.score(path, "-f", fasta)
    else:
        table = work.score("-", "-f", fasta, stdin=path.read_bytes())
    pd.testing.assert_frame_equal(table, scored)


@pytest.mark.parametrize("form", ["vcf", "bcf"])
def test_a_missing_end_of_a_bgzip_file_is_one_warning(work, files, form):
    fasta, vcf, _ = files
    path = work.folder / "x.gz"
    if form == "bcf":
        as_bcf(vcf, path, "wb")
    else:
        pysam.tabix_compress(vcf, str(path))
    path.write_bytes(path.read_bytes()[:-28])
    result = work.run("score-variants", path, "-f", fasta, "-m", work.model, "-o", "out.tsv")
    assert result.exit_code == 0
    warnings = [line for line in result.stderr.splitlines() if "warning" in line]
    assert len(warnings) == 1
    assert f"{path}: the bgzip end marker is missing" in warnings[0]


def test_where_the_reference_comes_from(work, files, bases, scored):
    fasta, vcf, _ = files
    wrong = work.fasta("wrong.fa", c="N" * 200)
    text = Path(vcf).read_text().partition("\n")[2]
    assert work.score(vcf, "-f", fasta, JANUSDNA_FASTA=wrong).equals(scored)
    assert work.score(vcf, JANUSDNA_FASTA=fasta).equals(scored)
    for named in (f"file://{fasta}", fasta):
        meant = work.file("meant.vcf", f"##fileformat=VCFv4.2\n##reference={named}\n{text}")
        assert work.score(meant).equals(scored)
        assert not work.score(meant, JANUSDNA_FASTA=wrong).equals(scored)
    absent = work.file("absent.vcf", f"##fileformat=VCFv4.2\n##reference=file:///no/hg19.fa\n{text}")
    one_line(
        work.run("score-variants", absent), absent, "/no/hg19.fa, is not here", "--fasta", "JANUSDNA_FASTA"
    )
    one_line(work.run("score-variants", vcf), vcf, "has no ##reference", "--fasta", "JANUSDNA_FASTA")
    one_line(work.run("score-variants", vcf, "-f", "no.fa"), "no.fa: no such file")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_tsv_on_stdout_and_nothing_else(work, files, scored, quiet):
    fasta, vcf, bed = files
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "-", *quiet)
    assert result.exit_code == 0
    table = pd.read_csv(io.StringIO(result.stdout), sep="\t", na_values=".", dtype={"id": str})
    pd.testing.assert_frame_equal(
        table.astype({"llr": "float32", "delta_pll": "float32"})[["id", "alt", "status", "llr", "delta_pll"]],
        scored[["id", "alt", "status", "llr", "delta_pll"]],
    )
    assert result.stderr.count("\n") == (0 if quiet else 1)
    result = work.run("embed", fasta, bed, "-m", work.model, "-o", "-", *quiet)
    assert [line.split("\t")[:4] for line in result.stdout.splitlines()] == [
        ["chrom", "start", "end", "name"],
        ["c", "10", "20", "x"],
        ["c", "30", "90", "y"],
    ]


def test_an_output_that_exists_is_not_replaced_unasked(work, files, monkeypatch):
    fasta, vcf, bed = files
    monkeypatch.setenv("JANUSDNA_MODEL", str(work.model))
    for command in (["score-variants", vcf, "-f", fasta], ["embed", fasta, bed]):
        work.file("old.tsv", "precious")
        one_line(work.run(*command, "-o", "old.tsv", "-m", work.model), "old.tsv: exists", "--overwrite")
        assert (work.folder / "old.tsv").read_text() == "precious"
        assert work.run(*command, "-o", "old.tsv", "-m", work.model, "--overwrite").exit_code == 0
        assert (work.folder / "old.tsv").read_text().startswith("chrom\t")


def test_a_format_nobody_writes(work, files):
    fasta, vcf, _ = files
    one_line(work.run("score-variants", vcf, "-f", fasta, "-o", "x.csv"), "x.csv", ".parquet", "--format")


def test_a_broken_record_is_told_before_anything_is_read(work, files, monkeypatch):
    fasta, _, _ = files

    def never(reader, requests):
        raise AssertionError("the model has read")

    monkeypatch.setattr(WindowReader, "answer", never)
    vcf = work.vcf(*["c 5 . N <DEL>"] * 3_000, "c five . A C", name="broken.vcf")
    bed = work.bed(*["c 5 10"] * 3_000, "c 10 5", name="broken.bed")
    options = ["-m", work.model, "-o", "out.parquet"]
    for context in ("centered", "tiled"):
        result = work.run("score-variants", vcf, "-f", fasta, "--context", context, *options)
        one_line(result, f"{vcf}: line 3003: POS is 'five'")
    for more in ([], ["--keep-columns"]):
        result = work.run("embed", fasta, bed, *more, *options)
        one_line(result, f"{bed}: line 3001: end 5 lies before start 10")
    assert not list(work.folder.glob("out.parquet*"))


def test_a_broken_record_on_a_pipe_leaves_no_output(work, files):
    fasta, _, _ = files
    header = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    data = header + b"c\t5\t.\tA\t<X>\t.\t.\t.\n" * 9_000 + b"oops\n"
    arguments = ["-f", fasta, "-m", work.model, "-o", "out.parquet"]
    one_line(work.run("score-variants", "-", *arguments, stdin=data), "stdin: line 9003: found 1 columns")
    assert not list(work.folder.glob("*out.parquet*"))


def test_an_interruption_leaves_no_output(work, files, monkeypatch):
    fasta, vcf, bed = files

    def interrupt(reader, requests):
        raise KeyboardInterrupt

    monkeypatch.setattr(WindowReader, "answer", interrupt)
    for command in (["score-variants", vcf, "-f", fasta], ["embed", fasta, bed]):
        result = work.run(*command, "-m", work.model, "-o", "out.parquet")
        assert (result.exit_code, result.stdout, result.stderr) == (130, "", "janusdna: interrupted\n")
        assert not list(work.folder.glob("*out.parquet*"))


def test_lack_of_memory_says_what_to_do(work, files, monkeypatch):
    fasta, vcf, _ = files

    def too_much(model, *arguments, **options):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")

    monkeypatch.setattr(Model, "read", too_much)
    result = work.run("score-variants", vcf, "-f", fasta, "-m", work.model, "-o", "out.parquet")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(
        "janusdna: error: out of memory; pass a smaller --batch-bp"
    )


@pytest.mark.parametrize("command", ["score-variants", "embed"])
def test_a_window_beyond_the_trained_length_is_one_warning(work, files, command):
    fasta, vcf, bed = files
    arguments = [vcf, "-f", fasta] if command == "score-variants" else [fasta, bed]
    arguments += ["-m", work.model, "-o", "out.tsv", "--overwrite"]
    longer = work.run(command, *arguments, "--window", 65)
    assert longer.exit_code == 0
    warning = "janusdna: warning: window 65 is longer than the 64 bases that tiny was trained on"
    assert [line for line in longer.stderr.splitlines() if "warning" in line] == [warning]
    for fits in ([], ["--window", 64], ["--window", 20]):
        assert "warning" not in work.run(command, *arguments, *fits).stderr


def test_a_model_that_is_not_there(work, files):
    fasta, vcf, _ = files
    one_line(work.run("score-variants", vcf, "-f", fasta, "-m", "no"), "no: no model of this name")
    one_line(work.run("score-variants", vcf, "-f", fasta, "-m", "."), "neither config.json nor last.ckpt")


def test_a_fasta_that_holds_no_nucleotides(work, files):
    _, _, bed = files
    fasta = work.fasta("protein.fa", c="MEEPQSDPSVEPPLSQETFSDLWKLLPEN" * 5)
    one_line(work.run("embed", fasta, bed, "-m", work.model), "protein.fa: c:", "is this a nucleotide FASTA?")


def test_a_run_from_a_shell(work, files):
    """The whole program once, in a process of its own."""
    fasta, vcf, _ = files
    command = [sys.executable, "-m", "janusdna_cli", "score-variants", vcf, "-f", fasta, "-m", work.model]
    done = subprocess.run([*map(str, command), "-o", "-"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1 + 24
    assert done.stderr.startswith("janusdna: 24 alleles: 16 ok, 8 symbolic; ")
    assert done.stderr.count("\n") == 1
