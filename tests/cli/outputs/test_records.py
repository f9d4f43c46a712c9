"""VCF and BCF outputs: the input's records, byte for byte, and the table's values in INFO."""

import gzip
import itertools
import logging
import os
import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pysam
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.outputs.annotation import Annotation
from janusdna_cli.outputs.bgzf import Bgzf
from janusdna_cli.outputs.formats import Format
from janusdna_cli.outputs.htslib import Converter

from ..made_up_scores import made_up_scores, without_ours, write_annotated
from .said import said_by_htslib

HEADER = (
    b"##fileformat=VCFv4.2\n"
    b'##INFO=<ID=DP,Number=1,Type=Integer,Description="depth, \\"total\\"">\n'
    b'##INFO=<ID=F,Number=.,Type=Float,Description="floats">\n'
    b'##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    b"##contig=<ID=1,length=1000>\n"
    b"##contig=<ID=X,length=1000>\n"
)
COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
RECORDS = [
    b"1\t5\trs1;rs2\tA\tG\t1e-5\tPASS\tDP=3;F=0.10,1.5000",
    b"1\t7\t.\tAC\tA,ACC,<DEL>,*\t.\t.\t.",
    b"1\t7\t.\tA\t.\t50\t.\tDP=9",
    b"X\t1\t.\tn\tT\t.\t.\t",
    b"X\t9\t.\tC\tT\t0\t.\tDP=1;",
]
PLAIN = HEADER + COLUMNS + b"\n" + b"".join(record + b"\n" for record in RECORDS)


VALUES = [0.1, None, -1e-30, 1234567.0, None, None, -0.5, np.nan]
STATUSES = ["ok", "ok", "ok", "symbolic", "spanning_deletion", "no_alt", "ok", "ok"]
ADDED = [
    b"JANUS_STATUS=ok;JANUS_LLR=0.1",
    b"JANUS_STATUS=ok,ok,symbolic,spanning_deletion;JANUS_LLR=.,-1e-30,1234567,.",
    b"",
    b"JANUS_STATUS=ok;JANUS_LLR=-0.5",
    b"JANUS_STATUS=ok;JANUS_LLR=nan",
]


def write(tmp_path, data, name="in.vcf"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def annotated(tmp_path, data, name="out.vcf", **options):
    """What is written of some records, with `VALUES` where there are as many."""
    source = write(tmp_path, data)
    table = made_up_scores(source)
    if table.num_rows == len(VALUES):
        for column, values in (("llr", VALUES), ("status", STATUSES)):
            at = table.schema.get_field_index(column)
            field = table.schema.field(at)
            table = table.set_column(at, field, pa.array(values, field.type, from_pandas=False))
    write_annotated(table, source, tmp_path / name, **({"scores": ("llr",)} | options))
    return tmp_path / name


def records(path):
    return [line for line in path.read_bytes().splitlines() if not line.startswith(b"#")]


def header(path):
    return [line for line in path.read_bytes().splitlines() if line.startswith(b"#")]


def test_text_keeps_every_byte_and_gains_info(tmp_path):
    path = annotated(tmp_path, PLAIN)
    expected = [
        RECORDS[0] + b";" + ADDED[0],
        RECORDS[1].removesuffix(b".") + ADDED[1],
        RECORDS[2],
        RECORDS[3] + ADDED[3],
        RECORDS[4] + ADDED[4],
    ]
    assert records(path) == expected
    *before, status, llr, origin, columns = header(path)
    assert b"".join(line + b"\n" for line in before) == HEADER
    assert status.startswith(b'##INFO=<ID=JANUS_STATUS,Number=A,Type=String,Description="ok, or why')
    assert llr.startswith(b'##INFO=<ID=JANUS_LLR,Number=A,Type=Float,Description="log p(ALT) - ')
    assert origin.startswith(b"##janusdna=<ID=run-1,")
    assert columns == COLUMNS


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
def test_records_may_be_split_over_tables(tmp_path, rows):
    assert (
        annotated(tmp_path, PLAIN, rows=rows).read_bytes()
        == annotated(tmp_path, PLAIN, "whole.vcf").read_bytes()
    )


@pytest.mark.parametrize(
    ("scores", "names"),
    [
        (None, ["STATUS", "LLR", "DPLL"]),
        (("llr",), ["STATUS", "LLR"]),
        (("embedding", "delta_pll"), ["STATUS", "DPLL", "L2", "COS"]),
    ],
)
def test_info_is_what_was_asked_for(tmp_path, scores, names):
    path = annotated(tmp_path, PLAIN, scores=scores)
    declared = [match for line in header(path) for match in re.findall(rb"##INFO=<ID=JANUS_(\w+),", line)]
    assert [name.decode() for name in declared] == names
    assert re.findall(rb"JANUS_(\w+)=", records(path)[0]) == declared


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize(("columns", "own"), [(b"", b""), (b"\tFORMAT\ta\tb", b"\tGT\t0/1\t./.")])
@pytest.mark.parametrize("last", [b"", None])
def test_line_ends_and_samples_stay(tmp_path, end, columns, own, last):
    lines = [*HEADER.splitlines(), COLUMNS + columns, *(record + own for record in RECORDS[:3])]
    data = end.join(lines) + (end if last is None else last)
    found = annotated(tmp_path, data).read_bytes()
    assert without_ours(found) == data
    assert found.count(b"JANUS_LLR=") == 2
    assert found.count(b"\r\n") == (found.count(b"\n") if end == b"\r\n" else 0)


def test_records_of_few_columns_are_filled_up(tmp_path):
    data = b"#CHROM\tPOS\tID\tREF\tALT\n1\t5\t.\tA\tG\n1\t6\t.\tA\t.\t9\n"
    path = annotated(tmp_path, data)
    first, second = records(path)
    assert first.startswith(b"1\t5\t.\tA\tG\t.\t.\tJANUS_STATUS=")
    assert second == b"1\t6\t.\tA\t.\t9\t.\t."
    assert header(path)[-1] == COLUMNS


def test_what_lies_between_records_goes_and_what_lies_in_the_header_stays(tmp_path):
    broken = b"\xef\xbb\xbf##fileformat=VCFv4.2\n\n##x=\xff\nno header line\n" + COLUMNS + b"\n"
    path = annotated(tmp_path, broken + b"#\n\n" + RECORDS[0] + b"\n\n")
    assert without_ours(path.read_bytes()) == broken.removeprefix(b"\xef\xbb\xbf") + RECORDS[0] + b"\n"


def test_fields_of_an_earlier_run_are_replaced_with_one_warning(tmp_path, caplog):
    first = annotated(tmp_path, PLAIN, scores=("llr", "delta_pll"))
    old = (
        first.read_bytes()
        .replace(b"JANUS_LLR=0.1", b"JANUS_LLR=77")
        .replace(b"Type=Float,D", b"Type=String,D")
    )
    old = old.replace(b"DP=9", b"JANUS_LLR;DP=9;XJANUS_LLR=1;JANUS_LLRX")
    with caplog.at_level(logging.WARNING, "janusdna_cli"):
        again = annotated(tmp_path, old, "again.vcf")
    assert len(caplog.records) == 1
    assert "in.vcf: INFO has JANUS_LLR, JANUS_STATUS of an earlier run" in caplog.text
    found = records(again)
    assert found[2] == RECORDS[2] + b";XJANUS_LLR=1;JANUS_LLRX"
    dpll = re.search(rb"JANUS_DPLL=[^;]+", found[0])[0]
    assert found[0] == RECORDS[0] + b";" + dpll + b";" + ADDED[0]
    lines = header(again)
    assert [line.split(b",")[0] for line in lines if b"JANUS_" in line[:20]] == [
        b"##INFO=<ID=JANUS_STATUS",
        b"##INFO=<ID=JANUS_LLR",
        b"##INFO=<ID=JANUS_DPLL",
    ]
    assert [line[: len("##janusdna=<ID=run-1")] for line in lines if line.startswith(b"##janusdna")] == [
        b"##janusdna=<ID=run-1",
        b"##janusdna=<ID=run-2",
    ]


def test_undeclared_fields_of_an_earlier_run_are_replaced_as_well(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "janusdna_cli"):
        path = annotated(tmp_path, PLAIN.replace(b"DP=", b"JANUS_LLR=1;DP="))
    assert [record.message.split(":")[1] for record in caplog.records] == [
        " INFO has JANUS_LLR, JANUS_STATUS of an earlier run, which this run replaces"
    ]
    assert records(path) == records(annotated(tmp_path, PLAIN, "new.vcf"))


@pytest.fixture
def bcf(tmp_path):
    """PLAIN as BCF, without what is odd in it."""
    lines = write(tmp_path, PLAIN_BCF, "plain.vcf").read_bytes().splitlines(keepends=True)
    converter = Converter("plain.vcf", b"".join(lines[:7]), to="bcf")
    path = tmp_path / "in.bcf"
    with path.open("wb") as file:
        target = Bgzf(file)
        target.write(converter.header + converter.convert(lines[7:]))
        target.close()
    return path


PLAIN_BCF = PLAIN.replace(b"\t\n", b"\t.\n").replace(b"DP=1;", b"DP=1")


def values_of(path, field):
    """By htslib, record by record; None where the record has none."""
    with pysam.VariantFile(str(path)) as file:
        return [record.info.get(field) for record in file]


def expected_values(table, column):
    """The same from the table; the rows of a record have one `id`, `pos` and `ref`."""
    rows = zip(
        *(table[name].to_pylist() for name in ("chrom", "pos", "id", "ref", "alt", column)), strict=True
    )
    found = []
    for _, group in itertools.groupby(rows, key=lambda row: row[:4]):
        alts, values = zip(*(row[4:] for row in group), strict=True)
        found.append(None if alts == (".",) else values)
    return found


def kept_records(path):
    with VariantReader.open(str(path), keep_records=True) as reader:
        return [variant.record for variant in reader]


FORMS = ["out.vcf", "out.vcf.gz", "out.bcf"]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("origin", ["text", "bcf"])
def test_every_form_becomes_every_form(tmp_path, bcf, origin, name):
    source = bcf if origin == "bcf" else tmp_path / "plain.vcf"
    table = made_up_scores(source)
    path = tmp_path / name
    write_annotated(table, source, path, scores=("llr", "embedding"))
    for column, field in {"llr": "JANUS_LLR", "emb_l2": "JANUS_L2", "emb_cosine": "JANUS_COS"}.items():
        assert values_of(path, field) == expected_values(table, column)
    assert values_of(path, "JANUS_STATUS") == expected_values(table, "status")
    assert values_of(path, "DP") == values_of(source, "DP")
    assert values_of(path, "F") == values_of(source, "F")
    with VariantReader.open(str(path)) as found, VariantReader.open(str(source)) as expected:
        assert list(found) == list(expected)


def test_windows_lines_become_bcf(tmp_path):
    plain, windows = (
        annotated(tmp_path, data, name)
        for data, name in ((PLAIN_BCF, "plain.bcf"), (PLAIN_BCF.replace(b"\n", b"\r\n"), "windows.bcf"))
    )
    assert gzip.decompress(windows.read_bytes()) == gzip.decompress(plain.read_bytes())


def test_bcf_keeps_every_byte_and_gains_info(tmp_path, bcf):
    table = made_up_scores(bcf)
    write_annotated(table, bcf, tmp_path / "out.bcf")
    alts = [0 if values is None else len(values) for values in expected_values(table, "llr")]
    for old, new, count in zip(kept_records(bcf), kept_records(tmp_path / "out.bcf"), alts, strict=True):
        (shared, own), (more, still) = (struct.unpack_from("<II", record) for record in (old, new))
        (n_info,), (n_more,) = (struct.unpack_from("<H", record, 24) for record in (old, new))
        assert own == still
        assert n_more - n_info == (3 if count else 0)
        assert new[8:24] + new[26:32] == old[8:24] + old[26:32]
        assert new[32:].startswith(old[32 : 8 + shared])
        assert new[8 + more :] == old[8 + shared :]


def test_bcf_of_an_earlier_run_is_replaced(tmp_path, bcf, caplog):
    table = made_up_scores(bcf)
    write_annotated(made_up_scores(bcf, seed=1), bcf, tmp_path / "first.bcf", scores=("llr", "delta_pll"))
    with caplog.at_level(logging.WARNING, "janusdna_cli"):
        write_annotated(table, tmp_path / "first.bcf", tmp_path / "again.bcf", scores=("llr",))
    assert "INFO has JANUS_LLR, JANUS_STATUS of an earlier run" in caplog.text
    assert values_of(tmp_path / "again.bcf", "JANUS_LLR") == expected_values(table, "llr")
    assert values_of(tmp_path / "again.bcf", "DP") == values_of(bcf, "DP")
    dpll = [values_of(tmp_path / name, "JANUS_DPLL") for name in ("first.bcf", "again.bcf")]
    assert dpll[0] == dpll[1]
    with pysam.VariantFile(str(tmp_path / "again.bcf")) as file:
        counts = [list(record.info).count("JANUS_LLR") for record in file]
    assert counts == [1, 1, 0, 1, 1]


def test_text_for_bcf_may_have_its_contigs_declared(tmp_path):
    source = write(tmp_path, PLAIN_BCF.replace(b"##contig=<ID=X,length=1000>\n", b""))
    table = made_up_scores(source)
    with pytest.raises(InputError, match=r"in\.vcf: record 4: the header does not declare contig X, "):
        write_annotated(table, source, tmp_path / "out.bcf")
    write_annotated(table, source, tmp_path / "out.bcf", contigs=[("1", 7), ("X", 99), ("other", 5)])
    with VariantReader.open(str(tmp_path / "out.bcf")) as reader:
        assert reader.contig_lengths == {"1": 1000, "X": 99, "other": 5}
        assert [variant.chrom for variant in reader] == ["1"] * 3 + ["X"] * 2


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (
            b"1\t9\t.\tA\tG\t.\t.\tUNKNOWN=3",
            "record 6: the header does not declare INFO UNKNOWN, as BCF",
        ),
        (b"1\t9\t.\tA\tG\t.\tq10\t.", "record 6: the header does not declare FILTER q10, as BCF"),
        (b"1\t9000000000\t.\tA\tG\t.\t.\t.", "record 6: htslib cannot read it"),
        (b"1\t-9\t.\tA\tG\t.\t.\t.", "record 6: htslib cannot read it"),
    ],
)
def test_what_bcf_cannot_hold_is_an_error_with_its_record(tmp_path, capfd, record, problem):
    with pytest.raises(InputError, match=rf"in\.vcf: {problem}[^\n]*; [^\n]+$"):
        annotated(tmp_path, PLAIN_BCF + record + b"\n" + RECORDS[0] + b"\n", "out.bcf")
    assert [path.name for path in tmp_path.iterdir()] == ["in.vcf"]
    assert said_by_htslib(capfd) == []
    annotated(tmp_path, PLAIN_BCF + record + b"\n", "out.vcf")


def test_a_header_that_htslib_refuses_is_an_error_for_bcf_only(tmp_path, capfd):
    data = PLAIN_BCF.replace(b"##contig", b"no header line\n##contig", 1)
    with pytest.raises(InputError, match=r"in\.vcf: htslib cannot read its header, [^\n]+$"):
        annotated(tmp_path, data, "out.bcf")
    assert without_ours(annotated(tmp_path, data).read_bytes()) == data
    assert said_by_htslib(capfd) == []


def test_damage_in_bcf_is_an_error_with_its_record(tmp_path, bcf, capfd):
    """Where it is looked at: for text all of a record, for BCF only its site."""
    table = made_up_scores(bcf)
    plain = gzip.decompress(bcf.read_bytes())
    at = plain.index(b"\x11\x01\x11\x03")  # DP=3
    damaged = write(tmp_path, plain[:at] + b"\x11\x63" + plain[at + 2 :], "damaged.bcf")
    with pytest.raises(InputError, match=r"damaged\.bcf: record 1: htslib cannot read it"):
        write_annotated(table, damaged, tmp_path / "out.vcf")
    assert said_by_htslib(capfd) == []


def test_batches_that_htslib_is_given_are_one_output(tmp_path, monkeypatch):
    source = write(tmp_path, PLAIN_BCF)
    table = made_up_scores(source)
    write_annotated(table, source, tmp_path / "whole.bcf", rows=2)
    monkeypatch.setattr(
        Annotation, "batch_bytes", property(lambda self: 0, lambda self, value: None), raising=False
    )
    write_annotated(table, source, tmp_path / "parts.bcf", rows=2)
    whole, parts = (gzip.decompress((tmp_path / name).read_bytes()) for name in ("whole.bcf", "parts.bcf"))
    assert whole == parts
    write_annotated(table, tmp_path / "whole.bcf", tmp_path / "parts.vcf", rows=2)
    assert values_of(tmp_path / "parts.vcf", "JANUS_LLR") == values_of(tmp_path / "whole.bcf", "JANUS_LLR")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("form", [Format.vcf, Format.bcf])
def test_a_full_disk_is_one_line(tmp_path, form):
    source = write(tmp_path, HEADER + COLUMNS + b"\n" + (RECORDS[0] + b"\n") * 50_000)
    with pytest.raises(InputError, match=r"^/dev/full: cannot be written: No space left on device; [^\n]+$"):
        write_annotated(made_up_scores(source), source, "/dev/full", form=form)


SCRIPT = """
import resource, signal, sys
from janusdna_cli.outputs.formats import Format
from tests.cli.made_up_scores import made_up_scores, write_annotated
source, destination, form, limit = sys.argv[1:]
form = Format(form)
table = made_up_scores(source)
if limit != "no":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    write_annotated(table, source, destination, form=form)
except BrokenPipeError as error:
    message = type(error).__name__
except Exception as error:
    message = f"{type(error).__name__}: {error}"
else:
    message = "done"
sys.stderr.write(message)
sys.stderr.flush()
import os
os._exit(9)
"""


def script(*arguments):
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )


@pytest.mark.parametrize("form", ["vcf", "bcf"])
def test_a_file_that_may_not_grow_leaves_nothing(tmp_path, form):
    source = write(tmp_path, HEADER + COLUMNS + b"\n" + (RECORDS[0] + b"\n") * 50_000)
    with script(source, tmp_path / "out.vcf.gz", form, 100_000) as process:
        _, said = process.communicate()
    assert re.fullmatch(rb"InputError: [^\n]+out\.vcf\.gz: cannot be written: File too large; [^\n]+", said)
    assert [path.name for path in tmp_path.iterdir()] == ["in.vcf"]


@pytest.mark.parametrize("form", ["vcf", "bcf"])
def test_a_closed_pipe_ends_it(tmp_path, form):
    source = write(tmp_path, HEADER + COLUMNS + b"\n" + (RECORDS[0] + b"\n") * 50_000)
    with script(source, "-", form, "no") as process:
        process.stdout.read(100)
        process.stdout.close()
        assert process.stderr.read() == b"ReaderGoneError"


@pytest.mark.parametrize("form", ["vcf", "bcf"])
def test_standard_output_has_what_a_file_has(tmp_path, form):
    source = write(tmp_path, PLAIN_BCF)
    with script(source, "-", form, "no") as process:
        found, said = process.communicate()
    assert said == b"done"
    write_annotated(made_up_scores(source), source, tmp_path / f"out.{form}")
    assert found == (tmp_path / f"out.{form}").read_bytes()
    assert found[:2] == (b"##" if form == "vcf" else b"\x1f\x8b")


def test_what_is_left_incomplete_has_no_end_marker(tmp_path):
    """A pipe cannot be taken back: its reader has to see that it was cut off."""
    source, pipe = write(tmp_path, PLAIN_BCF + b"1\t9\t.\tA\tG\t.\t.\tNO=1\n"), tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        with pytest.raises(InputError, match="record 6"):
            write_annotated(made_up_scores(source), source, pipe, form=Format.bcf)
        assert not read.result().endswith(BGZF_END)


BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
