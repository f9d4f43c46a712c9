"""The line of a VCF's header that says where its INFO comes from."""

import json

import pytest

from janusdna_cli.outputs.vcf_provenance import provenance_line, provenances

METADATA = {
    "version": "0.1.0",
    "command": ["janusdna", "score-variants", 'odd "name"\\,<x>=\n\té.vcf'],
    "model": {"name": "janusdna-32", "sha256": "c82247b8"},
    "reference": "genome.fa",
    "contig_md5": {"chr1": "49f3", "chr2": None},
    "window": 1024,
    "both_strands": True,
    "scores": ["llr"],
}


def test_it_reads_back():
    line = provenance_line(METADATA, [])
    assert b"\n" not in line
    assert provenances([b"##other=<JSON=1>\n", line + b"\r\n"]) == [METADATA]


def test_its_first_keys_are_for_people():
    line = provenance_line({**METADATA, "command": ["janusdna", "score-variants", "x.vcf"]}, [])
    assert line.startswith(
        b'##janusdna=<ID=run-1,Version="0.1.0",Command="janusdna score-variants x.vcf",'
        b'Model="janusdna-32",Reference="genome.fa",Window="1024",JSON="{\\"version\\": '
    )


def test_each_run_has_its_own_id_and_the_last_comes_last():
    first = provenance_line({"version": "1"}, [])
    second = provenance_line({"version": "2"}, [first])
    third = provenance_line({"version": "3"}, [second])  # the first was taken out
    assert [line.split(b",")[0] for line in (first, second, third)] == [
        b"##janusdna=<ID=run-1",
        b"##janusdna=<ID=run-2",
        b"##janusdna=<ID=run-3",
    ]
    assert [found["version"] for found in provenances([first, second, third])] == ["1", "2", "3"]


def test_what_is_no_text_is_replaced_as_in_parquet():
    name = b"caf\xe9.vcf".decode("utf-8", "surrogateescape")
    (found,) = provenances([provenance_line({"command": [name]}, [])])
    assert found == {"command": ["caf\ufffd.vcf"]}


@pytest.mark.parametrize(
    "line", [b"##janusdna=<ID=run-1>", b'##janusdna=<ID=run-1,JSON="{">', b"##janusdna=7"]
)
def test_a_damaged_line_tells_nothing(line):
    assert provenances([line]) == []


def test_ten_thousand_contigs():
    many = {"contig_md5": {f"contig{i}": f"{i:032x}" for i in range(10_000)}}
    assert provenances([provenance_line(json.loads(json.dumps(many)), [])]) == [many]
