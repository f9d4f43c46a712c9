"""A background of made-up values."""

import numpy as np

from janusdna_cli.backgrounds.background import Conditions, as_json_text, summarise

SNV, DELETION, INSERTION = "SNV:A>C", "deletion:2:repeat", "insertion:3"
CONDITIONS = {"window": 64, "context": "centered", "span": 128, "both_strands": True}
COUNTS = {SNV: 101, DELETION: 60, INSERTION: 49}


def background_text(sha256, conditions=CONDITIONS, counts=COUNTS):
    """The file of one: values from -9 to 9 of each score, llr of SNVs alone."""
    columns = {
        name: {
            score: np.linspace(-9, 9, count, dtype=np.float32)
            if score != "llr" or name.startswith("SNV")
            else np.full(count, np.nan, np.float32)
            for score in ("llr", "delta_pll", "influence")
        }
        for name, count in counts.items()
    }
    return as_json_text(
        {"name": "tiny", "sha256": sha256}, Conditions(**conditions), {"seed": 0}, summarise(columns)
    )
