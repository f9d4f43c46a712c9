"""What differs between small runs."""

import pytest

WEIGHTS = "c\t0\t10\tsplice\t1\nc\t10\t12\trepeat\t0.1\nc\t12\t14\tcoding\t1\nc\t14\t20\tintron\t10\n"


@pytest.mark.parametrize(
    ("column", "other", "name", "last"),
    [
        (3, {"splice": 4.0, "repeat": 0.3}, "weights-splice-4-repeat-0.3.bed", ["4", "0.3", "1", "10"]),
        (4, {"10": 30.0}, "weights-10-30.bed", ["1", "0.1", "1", "30"]),
    ],
)
def test_weights_go_by_what_is_in_a_column(tmp_path, module, column, other, name, last):
    table = tmp_path / "weights.bed"
    table.write_text(WEIGHTS)
    (tmp_path / "runs").mkdir()
    changed = module("small_runs").weighed(table, column, other, tmp_path / "runs")
    assert changed == tmp_path / "runs" / name
    given, found = (
        [line.split("\t") for line in text.splitlines()] for text in (WEIGHTS, changed.read_text())
    )
    assert [fields[:4] for fields in found] == [fields[:4] for fields in given]
    assert [fields[4] for fields in found] == last
