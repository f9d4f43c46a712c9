"""What INFO says of each ALT."""

import gzip

from janusdna_cli.labelled.info import read_alleles

HEADER = "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


def test_each_alt_is_given_its_own_info(tmp_path):
    path = tmp_path / "some.vcf.gz"
    two = "c\t5\t.\ta\tC,<DEL>\t.\t.\tAF=0.1,0.2;DB;N=3\n"
    others = "\nc\t9\t.\tAT\tGC\t.\t.\t.\nc\t9\t.\tA\t.\t.\t.\tAF=1\n"
    path.write_bytes(gzip.compress((HEADER + two + others).encode()))
    found = list(read_alleles(path))
    assert [(one.pos, one.ref, one.alt, one.info) for one in found] == [
        (5, "A", "C", {"AF": "0.1", "DB": "1", "N": "3"}),
        (5, "A", "<DEL>", {"AF": "0.2", "DB": "1", "N": "3"}),
        (9, "AT", "GC", {}),
    ]
    assert [one.is_substitution for one in found] == [True, False, True]
