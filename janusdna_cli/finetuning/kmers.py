"""How often each short word is in a sequence: the features of the cheapest baseline."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from janusdna_cli.finetuning.data import LabelledData
from janusdna_cli.finetuning.sequences import SequenceStore, letters
from janusdna_cli.labelled.strands import reverse_complement

__all__ = ["LONGEST_WORD", "word_features"]

LONGEST_WORD = 6


def word_features(data: LabelledData, *, both_strands: bool) -> Any:
    """Shares of the words of one to six bases, sparse (n, words); words with other letters are none.

    Of pairs, those of the reference and how the alternative's differ from them.

    Args:
        data: The sequences.
        both_strands: Whether a word and its reverse complement are one.
    """
    from scipy.sparse import hstack

    features = _shares(data.sequences, both_strands)
    if data.alternatives is None:
        return features
    others = _shares(data.alternatives, both_strands)
    return hstack([features, others - features]).tocsr()


def _shares(store: SequenceStore, both_strands: bool) -> Any:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    words = ["".join(word) for size in range(1, LONGEST_WORD + 1) for word in product("ACGT", repeat=size)]
    counter = CountVectorizer(
        analyzer="char", ngram_range=(1, LONGEST_WORD), lowercase=False, vocabulary=words, dtype=np.float64
    )
    counts = counter.transform(letters(store[number]) for number in range(len(store)))
    if both_strands:
        named = {word: place for place, word in enumerate(words)}
        folded = [min(place, named[reverse_complement(word)]) for place, word in enumerate(words)]
        kept = {place: column for column, place in enumerate(sorted(set(folded)))}
        columns = [kept[place] for place in folded]
        counts = counts @ csr_matrix((np.ones(len(words)), (range(len(words)), columns)))
    return normalize(counts, norm="l1")
