"""What does a model know of biology that nobody has told it?

    python benchmarks/biology.py --model janusdna-32
    python benchmarks/biology.py --fasta genome.fa --intervals splits.bed --model my-model

The valid intervals are read window by window, both strands averaged, every base predicted from all others:

    bases         bits per base in tandem repeats (periods of 1 to 6), in other repeats (16-mers that the
                  train intervals hold --times times and more, on either strand) and in what is left
    substitution  mean llr of the six substitutions, at CpG and elsewhere: deamination makes C>T at CpG common
    codon         mean llr of substitutions at the three positions of codons, and by what they do to the
                  protein, in open reading frames longer than chance explains (--chance) and outside of
                  repeats; of all intervals, as the valid ones have hardly any
    Alu           bits per base along Alu elements, and beside them

and, of --splice (the splice junctions of the UCI repository, 60 bases each, gene strand), the mean llr of
substitutions by the distance from the junction: introns begin with GT and end with AG.

Without files of your own: human sequence in ../shared/data, if it is there. In lower case (soft-masked) bases
there, repeats as found here are compared with RepeatMasker's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from baselines import SHARED, Bits, files, human_data, places_of, spread
from codons import EFFECTS, effects_of
from common_variants import FASTA as SOFT_MASKED
from counts import Floats, read_codes
from elements import alus, open_frames
from measure import Row, arguments, report

from janusdna import tokens
from janusdna_cli.corpus.codes import BASES, OTHER, Codes, Mask, encode, opposite
from janusdna_cli.corpus.repeats import covered, frequent, tandem
from janusdna_cli.genome.fasta import Reference
from janusdna_cli.genome.splits import read_splits
from janusdna_cli.genome.windows import Window
from janusdna_cli.reading.opening import open_model
from janusdna_cli.reading.requests import BOTH_STRANDS, Request
from janusdna_cli.reading.settings import ModelSettings
from janusdna_cli.reading.window_reader import WindowReader

SPLICE = SHARED / "labelled" / "uci_splice.data"
K = 16
JUNCTION = 30
_AT_ONCE = 64
_BESIDE, _BIN = 100, 10
_AROUND, _MOST_REPEATS = 256, 0.2


class Piece(NamedTuple):
    """An interval as the model sees it.

    Attributes:
        codes: Of its bases, (T,).
        logp: Natural, the mean of both strands, (T, 4); NaN where it was not read.
    """

    codes: Codes
    logp: Floats

    @property
    def known(self) -> Mask:
        """Bases that are A, C, G or T and were read, (T,)."""
        return (self.codes != OTHER) & np.isfinite(self.logp[:, 0])

    @property
    def own(self) -> Floats:
        """Log p of the base that stands there, (T,)."""
        return np.take_along_axis(self.logp, np.minimum(self.codes, 3)[:, None].astype(np.int64), 1)[:, 0]

    @property
    def bits(self) -> Floats:
        """Surprise of the base that stands there, (T,)."""
        return -self.own / np.log(2)

    @property
    def llr(self) -> Floats:
        """Of each base against the one that stands there, (T, 4); NaN for itself."""
        found = self.logp - self.own[:, None]
        found[np.arange(len(found)), np.minimum(self.codes, 3)] = np.nan
        return found

    def turned(self) -> Piece:
        """The other strand."""
        return Piece(opposite(self.codes), self.logp[::-1, ::-1])


def main() -> None:
    """Read and report."""
    options = parse()
    reader = WindowReader(open_model(ModelSettings(model=options.model, device=options.device, window=1024)))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        fasta, intervals = human_data(Path(name)) if options.fasta is None else files(options)
        with Reference.open(fasta) as reference:
            splits = read_splits(intervals, reference.lengths, fasta)
            pieces = [read_interval(reference, reader, one, options) for one in splits["valid"]]
            train = [read_codes(reference, interval, 0, interval) for interval in splits["train"]]
            repeated = frequent(train, K, options.times)
            frames = list(coding(reference, reader, [*splits["train"], *splits["valid"]], repeated, options))
    rows += by_kind(pieces, repeated)
    if options.fasta is None and SOFT_MASKED.exists():
        rows += agreement(repeated)
    rows += by_substitution(pieces)
    rows += by_codon(frames)
    rows += along_alus(pieces)
    if options.splice.exists():
        rows += around_junctions(options.splice, reader)
    report(rows, options.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = arguments(__doc__, "biology")
    parser.add_argument("--fasta", type=Path)
    parser.add_argument("--intervals", type=Path, help="BED with train or valid in column 4")
    parser.add_argument("--model", help="the bundled one where none is named")
    parser.add_argument("--window", type=int, default=1024)
    parser.add_argument("--most", type=int, help="windows of an interval, at equal distances")
    parser.add_argument("--times", type=int, default=4, help="how often a 16-mer of a repeat is found")
    parser.add_argument("--chance", type=float, default=1e-8, help="of an open reading frame, at most")
    parser.add_argument("--splice", type=Path, default=SPLICE)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


def read_interval(
    reference: Reference, reader: WindowReader, interval: Window, options: argparse.Namespace
) -> Piece:
    """Every base of an interval, each from its own window."""
    codes = read_codes(reference, interval, 0, interval)
    logp = np.full((len(codes), 4), np.nan)
    places = spread(list(places_of([interval], options.window)), options.most)
    parts = [
        slice(place.window.start - interval.start, place.window.end - interval.start) for place in places
    ]
    for part, found in zip(parts, read(reader, [codes[part] for part in parts]), strict=True):
        logp[part] = found
    return Piece(codes, logp)


def read(
    reader: WindowReader, sequences: Sequence[Codes], targets: Sequence[npt.NDArray[np.int64]] | None = None
) -> Iterator[Floats]:
    """Log p of each base, the mean of both strands, (T, 4) of each sequence; of its targets (n,) (n, 4)."""
    for first in range(0, len(sequences), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        ids = [
            np.where(codes == OTHER, tokens.PAD, codes + tokens.A).astype(np.uint8)
            for codes in sequences[some]
        ]
        wanted = [np.arange(len(own)) for own in ids] if targets is None else targets[some]
        requests = [Request(own, at, BOTH_STRANDS) for own, at in zip(ids, wanted, strict=True)]
        answers = reader.answer(requests)
        yield from (answers[request].logp.mean(axis=0, dtype=np.float64) for request in requests)


def by_kind(pieces: Sequence[Piece], repeated: npt.NDArray[np.int64]) -> Iterator[Row]:
    """Bits per base in tandem repeats, other repeats, and what is left."""
    sums: defaultdict[str, Floats] = defaultdict(lambda: np.zeros(2))
    for piece in pieces:
        in_tandem = tandem(piece.codes)
        repeat = covered(piece.codes, K, repeated) & ~in_tandem
        kinds = {"all": True, "tandem repeats": in_tandem, "other repeats": repeat}
        for kind, there in (kinds | {"the rest": ~(in_tandem | repeat)}).items():
            counted = piece.known & there
            sums[kind] += piece.bits[counted].sum(), counted.sum()
    every = sums["all"][1]
    for kind, (bits, count) in sums.items():
        if count:
            yield {
                "bases": kind,
                "number": int(count),
                "share": count / every,
                "bits per base": Bits(bits / count),
            }


def agreement(repeated: npt.NDArray[np.int64]) -> Iterator[Row]:
    """How repeats as found here compare with lower case, where a FASTA has it."""
    with Reference.open(str(SOFT_MASKED)) as reference:
        contig, length = next(iter(reference.lengths.items()))
        letters = np.frombuffer(reference.fetch_as_written(contig, 0, length), np.uint8)
    at = np.flatnonzero(letters >= ord("a"))
    start, end = at.min(), at.max()
    soft = letters[start:end] >= ord("a")
    codes = encode(letters[start:end].tobytes().decode().upper())
    found = covered(codes, K, repeated) | tandem(codes)
    yield {
        "soft-masked": f"{contig}:{start:,}-{end:,}",
        "share in lower case": soft.mean(),
        "share found here": found.mean(),
        "of lower case, found here": found[soft].mean(),
        "of what is found, lower case": soft[found].mean(),
    }


def by_substitution(pieces: Sequence[Piece]) -> Iterator[Row]:
    """Mean llr of each substitution, with its complement, at CpG and elsewhere."""
    sums: defaultdict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros(2))
    for piece in (strand for both in pieces for strand in (both, both.turned())):
        following = np.append(piece.codes[1:], OTHER)
        llr, known = piece.llr, piece.known & (following != OTHER)
        for ref in "CT":
            here = known & (piece.codes == BASES.index(ref))
            at_cpg = here & (following == BASES.index("G")) if ref == "C" else np.zeros_like(here)
            for where, there in (("CpG", at_cpg), ("elsewhere", here & ~at_cpg)):
                for alt in set(BASES) - {ref}:
                    found = llr[there, BASES.index(alt)]
                    sums[f"{ref}>{alt}", where] += found.sum(), len(found)
    for (name, where), (total, count) in sorted(sums.items()):
        if count:
            yield {"substitution": name, "where": where, "number": int(count), "mean llr": total / count}


def coding(
    reference: Reference,
    reader: WindowReader,
    intervals: Iterable[Window],
    repeated: npt.NDArray[np.int64],
    options: argparse.Namespace,
) -> Iterator[Piece]:
    """Open reading frames, each on the strand that it is read from."""
    for interval in intervals:
        codes = read_codes(reference, interval, 0, interval)
        for frame in open_frames(codes, options.chance):
            if covered(codes[frame.start : frame.end], K, repeated).mean() > _MOST_REPEATS:
                continue
            first, last = max(0, frame.start - _AROUND), min(len(codes), frame.end + _AROUND)
            around = Window(interval.contig, interval.start + first, interval.start + last)
            piece = read_interval(reference, reader, around, options)
            inside = slice(frame.start - first, frame.end - first)
            own = Piece(piece.codes[inside], piece.logp[inside])
            yield own.turned() if frame.reverse else own


def by_codon(frames: Sequence[Piece]) -> Iterator[Row]:
    """Mean llr of substitutions by the position in the codon and by what they do to the protein."""
    groups: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for piece in frames:
        codons, llr = piece.codes.reshape(-1, 3), piece.llr.reshape(-1, 3, 4)
        found = [(("position", str(place + 1)), llr[:, place]) for place in range(3)]
        found += [(("effect", name), values) for name, values in effects(codons, llr)]
        for group, values in found:
            groups[group] += values[np.isfinite(values)].tolist()
    for (kind, name), values in sorted(groups.items(), key=lambda one: (one[0][0] != "position", one[0])):
        row = {"codon": kind, "which": name, "frames": len(frames), "substitutions": len(values)}
        yield row | {"mean llr": np.mean(values), "standard error": np.std(values) / len(values) ** 0.5}


def effects(codons: Codes, llr: Floats) -> Iterator[tuple[str, Floats]]:
    """Llr of the substitutions of codons (n, 3), (n, 3, 4), by what they do to the protein."""
    found = effects_of(codons)
    yield from ((name, llr[found == number]) for number, name in enumerate(EFFECTS))


def along_alus(pieces: Sequence[Piece]) -> Iterator[Row]:
    """Bits per base in bins along AluY, its flanks included: below 0 and beyond its length."""
    sums: defaultdict[int, Floats] = defaultdict(lambda: np.zeros(2))
    count = 0
    for piece in pieces:
        bits, known = piece.bits, piece.known
        for element in alus(piece.codes):
            count += 1
            start, end = max(0, element.start - _BESIDE), min(len(bits), element.end + _BESIDE)
            # Of the other strand's elements, places fall along the sequence.
            step = -1 if element.reverse else 1
            left = element.places[0] + step * np.arange(start - element.start, 0)
            right = element.places[-1] + step * np.arange(1, end - element.end + 1)
            places = np.concatenate((left, element.places, right))
            for place, value, there in zip(places // _BIN, bits[start:end], known[start:end], strict=True):
                if there:
                    sums[int(place) * _BIN] += value, 1
    for place, (total, number) in sorted(sums.items()):
        yield {"Alu": place, "elements": count, "bases": int(number), "bits per base": total / number}


def around_junctions(path: Path, reader: WindowReader) -> Iterator[Row]:
    """Mean llr of substitutions by the distance from the junction: -1 the last base before it, 1 the next."""
    for kind, name in (("EI", "donor"), ("IE", "acceptor"), ("N", "neither")):
        sequences = [encode(sequence) for sequence in sorted(set(junctions(path, kind)))]
        whole = [codes for codes in sequences if len(codes) == 2 * JUNCTION and (codes != OTHER).all()]
        pieces = [Piece(codes, logp) for codes, logp in zip(whole, read(reader, whole), strict=True)]
        mean = np.stack([np.nanmean(piece.llr, axis=1) for piece in pieces])
        bits = np.stack([piece.bits for piece in pieces])
        for place in range(2 * JUNCTION):
            offset = place - JUNCTION + (place >= JUNCTION)
            yield {
                "junction": name,
                "offset": offset,
                "sequences": len(whole),
                "mean llr": mean[:, place].mean(),
                "standard error": mean[:, place].std() / len(whole) ** 0.5,
                "bits": bits[:, place].mean(),
            }


def junctions(path: Path, kind: str) -> Iterable[str]:
    """The sequences of one kind."""
    for line in path.read_text().splitlines():
        found = [field.strip() for field in line.split(",")]
        if found[0] == kind:
            yield found[-1]


if __name__ == "__main__":
    main()
