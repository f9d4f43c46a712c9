import numpy as np
import pytest

from janusdna import SequenceError, tokens


def test_ids() -> None:
    assert tokens.encode("ACGTN").tolist() == [7, 8, 9, 10, 4]
    assert tokens.encode(b"acgtn").tolist() == [7, 8, 9, 10, 4]


def test_rna_is_read_as_its_dna() -> None:
    assert tokens.encode("ACGUacgu").tolist() == tokens.encode("ACGTACGT").tolist()


@pytest.mark.parametrize("code", "RYSWKMBDHVN")
def test_iupac_codes_are_no_bases(code: str) -> None:
    assert tokens.encode(code + code.lower()).tolist() == [tokens.PAD] * 2


@pytest.mark.parametrize("text", ["ACG!", "AC GT", "MEEP", "ACGé"])
def test_other_letters_are_named(text: str) -> None:
    with pytest.raises(SequenceError, match=r"position \d is '"):
        tokens.encode(text)


def test_reverse_complement() -> None:
    ids = tokens.encode("AACGTN")
    assert tokens.reverse_complement(ids).tolist() == tokens.encode("NACGTT").tolist()
    every = np.arange(12, dtype=np.uint8)
    assert tokens.complement(every).tolist() == [0, 1, 2, 3, 4, 5, 6, 10, 9, 8, 7, 11]


def test_is_base() -> None:
    assert tokens.is_base(np.arange(12, dtype=np.uint8)).nonzero()[0].tolist() == [7, 8, 9, 10]
