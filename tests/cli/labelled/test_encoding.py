"""What labels mean, told from what they are."""

import numpy as np
import pytest

from janusdna_cli.errors import InputError
from janusdna_cli.labelled.encoding import encoding_of


@pytest.mark.parametrize(
    ("labels", "columns", "kind", "names"),
    [
        (["0", "1", "0"], ["label"], "binary", ("0", "1")),
        (["yes", "no"], ["label"], "binary", ("no", "yes")),
        (["-1", "1"], ["label"], "binary", ("-1", "1")),
        (
            ["2", "10", "3", "4", "5", "6", "7", "8", "9"],
            ["label"],
            "multiclass",
            (*tuple("23456789"), "10"),
        ),
        (["b", "a", "c"], ["label"], "multiclass", ("a", "b", "c")),
        (["0.5", "1.5", "2"], ["label"], "regression", ("label",)),
        (["0", "10", "20"], ["label"], "regression", ("label",)),
        (["0,1", "1,1", "0,0"], ["a", "b"], "multilabel", ("a", "b")),
        (["0,1.5", "1,1"], ["a", "b"], "regression", ("a", "b")),
    ],
)
def test_the_kind_is_told(labels, columns, kind, names):
    found = encoding_of("x.tsv", labels, columns)
    assert (found.kind, found.names) == (kind, names)


def test_numbers_of_labels():
    assert encoding_of("x", ["b", "a", "b"], ["label"]).encode(["a", "b"]).tolist() == [0, 1]
    several = encoding_of("x", ["0,1", "1,1", "0,0"], ["a", "b"])
    np.testing.assert_array_equal(several.encode(["True,0"]), [[1, 0]])
    assert encoding_of("x", ["1", "2.5"], ["y"], "regression").encode(["2.5"]).tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("labels", "kind", "said"),
    [
        (["a", "a"], "auto", "x.tsv: all labels are 'a', expected two classes or more"),
        (["a", "b", "c"], "binary", "x.tsv: --task binary: found 3 classes (a, b, c), expected two"),
        (["0,2"], "multilabel", "x.tsv: found the label '2', expected 0 or 1 in each column"),
    ],
)
def test_what_they_cannot_be_is_one_line(labels, kind, said):
    with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
        encoding_of("x.tsv", labels, ["a"] if kind != "multilabel" else ["a", "b"], kind)
