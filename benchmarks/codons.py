"""What substitutions do to codons, by the standard code.

Legend: n codons.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from janusdna_cli.corpus.codes import Codes

# In the order of the numbers that `effects_of` gives them.
EFFECTS = ("synonymous", "missense", "stop")
NONE = -1
_SYNONYMOUS, _MISSENSE, _STOP = range(3)
# Codons in the order of BASES.
_AMINO_ACIDS = np.frombuffer(b"KNKNTTTTRSRSIIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSS*CWCLFLF", np.uint8)
_WEIGHTS = np.array([16, 4, 1])

Effects = npt.NDArray[np.int8]


def amino_acids(codons: Codes) -> npt.NDArray[np.uint8]:
    """The letter of each codon (n, 3) as ASCII, `*` for a stop, (n,)."""
    return _AMINO_ACIDS[codons.astype(np.int64) @ _WEIGHTS]


def effects_of(codons: Codes) -> Effects:
    """Which of EFFECTS each substitution has, of codons (n, 3), (n, 3, 4); NONE for the base itself."""
    changed = np.repeat(codons[:, None, None], 3, axis=1).repeat(4, axis=2)
    for position in range(3):
        changed[:, position, :, position] = np.arange(4)
    before = amino_acids(codons)[:, None, None]
    after = amino_acids(changed.reshape(-1, 3)).reshape(len(codons), 3, 4)
    effects = np.where(after == before, _SYNONYMOUS, np.where(after == ord("*"), _STOP, _MISSENSE))
    return np.where(codons[..., None] == np.arange(4), NONE, effects).astype(np.int8)
