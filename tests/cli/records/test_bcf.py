"""What BCF has instead of names, and its typed values: as htslib has them."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from janusdna_cli.genome.vcf import VariantReader
from janusdna_cli.outputs.htslib import Converter
from janusdna_cli.records.bcf import CONTIGS, STRINGS, BcfInfo, dictionary, framed_header
from janusdna_cli.records.header import InfoField, RecordHeader, split_lines
from janusdna_cli.records.typed import Typed, typed_floats, typed_integer, typed_string

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
FILES = [
    *sorted((SHARED / "variants").glob("*.vcf.gz")),
    *sorted((SHARED / "awkward-vcf").rglob("*passed*.vcf")),
]

COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
ODD = [
    b'##FILTER=<ID=q10,Description="quality, ID=x">\n',
    b'##INFO=<ID=DP,Number=1,Type=Integer,Description="d">\n',
    b'##FORMAT=<ID=DP,Number=1,Type=Integer,Description="the same number">\n',
    b'##FILTER=<ID=PASS,Description="later">\n',
    b'##INFO=<ID=FAR,Number=1,Type=Integer,Description="d",IDX=40>\n',
    b'##INFO=<ID=AFTER,Number=1,Type=Integer,Description="d">\n',
    b'##INFO=<ID=NEAR,Number=1,Type=Integer,Description="d \\"q\\"",IDX=9>\n',
    b'##INFO=<ID=LAST,Number=1,Type=Integer,Description="d">\n',
    b"##contig=<ID=z,IDX=3>\n",
    b"##contig=<ID=a,length=5>\n",
    b"##contig=<ID=z,length=7>\n",
    b"##other=<ID=none>\n",
]


def by_htslib(header):
    """The numbers of strings and of contigs, as htslib writes them behind every line that has one."""
    text = Converter("x", header, to="bcf").header[9:].decode()
    numbered = re.findall(r"^##(FILTER|INFO|FORMAT|contig)=<ID=([^,>]+).*,IDX=(\d+)>$", text, re.MULTILINE)
    strings = {name: int(number) for kind, name, number in numbered if kind != "contig"}
    return strings, {name: int(number) for kind, name, number in numbered if kind == "contig"}


def by_us(lines):
    found = dictionary(lines, STRINGS), dictionary(lines, CONTIGS)
    return tuple({name.decode(): number for name, number in numbers.items()} for numbers in found)


@pytest.mark.parametrize("is_numbered", [True, False])
def test_numbers_of_an_odd_header(is_numbered):
    lines = [b"##fileformat=VCFv4.2\n", *ODD, COLUMNS]
    if not is_numbered:
        lines = [re.sub(rb",IDX=\d+", b"", line) for line in lines]
    assert by_us(lines) == by_htslib(framed_header(b"BCF\x02\x02", lines))
    assert len(by_us(lines)[0]) == 7


@pytest.mark.parametrize("path", FILES or [None], ids=lambda path: path and path.name)
def test_numbers_of_real_and_awkward_headers(path):
    if path is None:
        pytest.skip(f"{SHARED} is not here")
    with VariantReader.open(str(path)) as reader:
        text = b"".join(reader.header.lines)
    header = Converter(path.name, text, to="bcf").header
    lines = split_lines(header[9:].rstrip(b"\0"))
    expected = by_htslib(header)
    assert by_us(lines) == expected
    assert by_us([re.sub(rb",IDX=\d+>", b">", line) for line in lines]) == expected


FIELDS = [InfoField("NEAR", "Float", "m"), InfoField("NEW", "Float", "m"), InfoField("DP", "String", "m")]


def test_new_fields_have_new_numbers_and_old_ones_keep_theirs():
    header = RecordHeader("x", (b"##fileformat=VCFv4.2\n", *ODD, COLUMNS), b"BCF\x02\x02")
    info = BcfInfo(header, FIELDS)
    lines = split_lines(info.header(b"##more=1")[9:].rstrip(b"\0"))
    strings, contigs = by_htslib(info.header(b"##more=1"))
    before, contigs_before = by_us(header.lines)
    assert (strings, contigs) == (before | {"NEW": max(before.values()) + 1}, contigs_before)
    assert info.keys == [typed_integer(strings[field.name]) for field in FIELDS]
    declared = [line for line in lines if line.startswith((b"##INFO=<ID=NE", b"##INFO=<ID=DP,"))]
    assert [(line.count(b"Number=A"), line.count(b"IDX=")) for line in declared] == [(1, 1)] * 3
    assert lines[-2:] == (b"##more=1\n", COLUMNS)


@pytest.mark.parametrize(
    "value", [0, 1, 127, 128, -1, -120, -121, 32_767, 32_768, -32_760, -32_761, 2**31 - 1]
)
def test_integers_take_few_bytes_and_read_back(value):
    data = typed_integer(value)
    assert Typed(data, 0).integer() == value
    assert len(data) == 1 + (1 if -120 <= value <= 127 else 2 if -32_760 <= value <= 32_767 else 4)


@pytest.mark.parametrize("length", [0, 1, 14, 15, 127, 128, 40_000, 2**20])
def test_values_of_any_length_read_back(length):
    floats = np.arange(length, dtype="<f4").tobytes()
    values = Typed(typed_string(b"x" * length) + typed_floats(floats) + b"\x00", 0)
    assert values.next() == b"x" * length
    assert values.next() == floats
    assert values.next() == b""
    with pytest.raises(LookupError):
        values.next()


def test_damaged_values_are_errors():
    whole = typed_string(b"abc")
    for size in range(len(whole)):
        with pytest.raises((LookupError, ValueError)):
            Typed(whole[:size], 0).next()
    for descriptor in (0x14, 0x16, 0xF7, 0x1F):
        with pytest.raises((LookupError, ValueError)):
            Typed(bytes([descriptor]) + b"\xff" * 20, 0).next()
    with pytest.raises(ValueError, match="-1 values"):
        Typed(b"\xf7\x11\xff" + b"x" * 9, 0).next()


def test_a_damaged_record_is_an_error_and_no_other_record():
    header = RecordHeader("x", (b"##fileformat=VCFv4.2\n", *ODD, COLUMNS), b"BCF\x02\x02")
    site = struct.pack("<iiifHHI", 0, 0, 1, 0.0, 1, 1, 0)
    shared = (
        site + typed_string(b"id") + typed_string(b"A") + b"\x00" + typed_integer(9) + typed_floats(b"\0" * 4)
    )
    record = struct.pack("<II", len(shared), 3) + shared + b"own"
    assert BcfInfo(header, FIELDS).add(record, b"").endswith(b"own")
    for at in range(8 + len(site), len(record) - 3):
        damaged = record[:at] + bytes([record[at] ^ 0xFF]) + record[at + 1 :]
        try:
            assert BcfInfo(header, FIELDS).add(damaged, b"").endswith(b"own")
        except (LookupError, ValueError):
            continue
