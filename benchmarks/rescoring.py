"""Are ALT haplotypes that are read from saved states the same as full passes over them, and how much faster?

    python benchmarks/rescoring.py --preset janusdna-72 janusdna-72-midattn --windows 1024 8192

One strand: a window with edits (SNVs, insertions and deletions in turn), each read within 128 bases of it,
against full passes over the edited windows, read at the same positions. "Difference" is the largest one
between two log-probabilities of a base. "An edit" is what one adds to the pass over the window.
"""

import made_up
import torch
from measure import Row, arguments, best, report
from torch import Tensor

from janusdna import PRESETS, Model, Reading
from janusdna.nn.edits import Edit
from janusdna.tokens import ACGT

SPAN = 128
# Bases removed and bases put in their place, in turn.
KINDS = ((1, 1), (0, 3), (4, 0), (2, 5))


def main() -> None:
    """Measure and report."""
    parser = arguments(__doc__, "rescoring")
    parser.add_argument("--windows", type=int, nargs="+", default=(1024, 8192, 131_072))
    parser.add_argument(
        "--preset", nargs="+", default=("janusdna-72", "janusdna-72-midattn"), choices=PRESETS
    )
    parser.add_argument("--edits", type=int, default=8)
    parser.add_argument("--passes", type=int, default=4, help="edited windows that are read in full")
    options = parser.parse_args()
    rows = []
    for preset in options.preset:
        model = made_up.make_model(preset)
        for window in options.windows:
            # A full pass over a long window takes long enough to be measured once.
            passes = options.passes if window < 1 << 16 else 1
            rows.append(compare(model, preset, window, options.edits, min(passes, options.edits)))
    report(rows, options.json)


def compare(model: Model, preset: str, window: int, count: int, passes: int) -> Row:
    """Edits of one window, read both ways; `passes` of them in full."""
    torch.manual_seed(0)
    ids = torch.randint(ACGT.start, ACGT.stop, (1, window))
    edits = [edit_at(window * (i + 1) // (count + 1), KINDS[i % len(KINDS)], window) for i in range(count)]
    targets = torch.cat([torch.arange(edit.first, edit.last) for edit in edits]).unique()[None]
    short = window < 1 << 16
    found: dict[str, Reading] = {}
    plain = best(lambda: model.read(ids, targets), 3 if short else 1, warm_up=short)
    edited = best(
        lambda: found.update(edited=model.read(ids, targets, edits=edits)), 3 if short else 1, warm_up=short
    )
    full, difference = 0.0, 0.0
    for i, edit in enumerate(edits[:passes]):
        whole = edit.bases(ids[0], 0, window + edit.shift)[None]
        at = torch.arange(edit.first, edit.stop)[None]
        full += best(lambda whole=whole, at=at: found.update(full=model.read(whole, at)), 1, warm_up=False)
        apart = logp(found["full"])[0] - logp(found["edited"].edits[i])
        difference = max(difference, float(apart.abs().max()))
    each = (edited - plain) / count
    return {
        "preset": preset,
        "window": window,
        "edits": count,
        "REF pass, s": plain,
        "an edit, ms": each * 1e3,
        "a full pass, ms": full / passes * 1e3,
        "faster": full / passes / each,
        "difference": difference,
        "compared": passes,
    }


def edit_at(start: int, kind: tuple[int, int], window: int) -> Edit:
    """Bases replaced at `start`, and where they are read."""
    removed, added = kind
    ids = torch.randint(ACGT.start, ACGT.stop, (added,))
    end = start + removed
    return Edit(0, start, end, ids, max(0, start - SPAN), min(window, end + SPAN))


def logp(reading: Reading) -> Tensor:
    """Log-probabilities over A, C, G, T."""
    return reading.logits[..., ACGT].float().log_softmax(-1)


if __name__ == "__main__":
    main()
