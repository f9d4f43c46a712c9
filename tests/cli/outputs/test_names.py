"""What outputs are called."""

import pytest

from janusdna_cli.outputs.names import default_output, stem


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/variants.vcf.gz", "variants"),
        ("x.y.bcf", "x.y"),
        ("hg38.fa.gz", "hg38"),
        ("peaks.narrowPeak", "peaks"),
        ("-", "stdin"),
        ("regions.txt", "regions.txt"),
    ],
)
def test_stem(path, name):
    assert stem(path) == name
    assert default_output(path) == f"{name}.janusdna.parquet"
