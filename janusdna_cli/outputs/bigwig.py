"""bigWig: values by base, in blocks that are found by place, with the summaries that browsers zoom out to.

    header | zoom headers | summary | B+ tree of contigs | blocks of values | their R-tree | zoomed | magic

Written here, for the libraries that write it, libBigWig and bigtools, end the process or say nothing where a
disk is full. Source: Kent et al. 2010, doi:10.1093/bioinformatics/btq351, supplementary tables 5 to 19.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from janusdna_cli.errors import InputError
from janusdna_cli.outputs.bedgraph import with_values

__all__ = ["BigWigSink"]

Array = npt.NDArray[Any]

_MAGIC, _CONTIGS_MAGIC, _INDEX_MAGIC = 0x888FFC26, 0x78CA8C91, 0x2468ACE0
_VERSION, _FIXED_STEP = 4, 3
_LONGEST_CONTIG = 2**32 - 1
_VALUES_A_BLOCK, _ZOOMED_A_BLOCK, _ITEMS_A_NODE = 4096, 512, 256
# Bases that one value of a zoom level stands for: nearer, browsers read the values themselves.
_FIRST_ZOOM, _ZOOM_STEP, _ZOOM_LEVELS = 1024, 4, 8

_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_ZOOM_HEADER = struct.Struct("<IIQQ")
_SUMMARY = struct.Struct("<Qdddd")
_BLOCK_HEADER = struct.Struct("<IIIIIBBH")
_NODE_HEADER = struct.Struct("<BBH")
_PLACE = [("contig", "<u4"), ("start", "<u4"), ("end_contig", "<u4"), ("end", "<u4"), ("offset", "<u8")]
_BRANCH = np.dtype(_PLACE)
_LEAF = np.dtype([*_PLACE, ("size", "<u8")])
_ZOOMED = np.dtype(
    [("contig", "<u4"), ("start", "<u4"), ("end", "<u4"), ("count", "<u4")]
    + [(name, "<f4") for name in ("least", "most", "sum", "squares")]
)
_EXACT = np.dtype([(each[0], "<f8" if each[1] == "<f4" else each[1]) for each in _ZOOMED.descr])


class BigWigSink:
    """Takes tables of `chrom`, `pos` and `value`, in the order of the contigs, sorted and without overlap.

    What it keeps in memory is about a byte for twenty bases.

    Args:
        path: Where to.
        contigs: The genome's, with their lengths.
        destination: As messages name it.

    Raises:
        InputError: A contig is too long for the format.
    """

    def __init__(self, path: Path, contigs: Mapping[str, int], destination: str) -> None:
        for name, length in contigs.items():
            if length > _LONGEST_CONTIG:
                problem = f"contig {name} has {length:,} bases, a bigWig takes {_LONGEST_CONTIG:,}"
                raise InputError(f"{destination}: {problem}; write .bedgraph.gz or .parquet")
        self._numbers = {name: number for number, name in enumerate(contigs)}
        self._blocks: list[tuple[int, int, int, int, int, int]] = []
        self._zoomed: list[Array] = []
        self._file = path.open("wb")
        self._file.write(b"\0" * (_HEADER.size + _ZOOM_LEVELS * _ZOOM_HEADER.size + _SUMMARY.size))
        self._contigs_at = self._file.tell()
        self._file.write(_contig_tree(self._contigs_at, contigs))
        self._data_at = self._file.tell()
        self._file.write(struct.pack("<Q", 0))

    def write(self, table: Any) -> None:
        """Takes some rows."""
        rows = with_values(table)
        names = rows["chrom"].combine_chunks().dictionary_encode()
        of_names = np.array([self._numbers[name] for name in names.dictionary.to_pylist()], np.int64)
        contigs, starts = of_names[names.indices.to_numpy()], rows["pos"].to_numpy() - 1
        values = rows["value"].to_numpy().astype("<f4")
        ends_run = (np.diff(contigs) != 0) | (np.diff(starts) != 1)
        for first, last in itertools.pairwise([0, *(np.flatnonzero(ends_run) + 1).tolist(), len(starts)]):
            for at in range(first, last, _VALUES_A_BLOCK):
                self._add(int(contigs[at]), int(starts[at]), values[at : min(at + _VALUES_A_BLOCK, last)])

    def close(self, metadata: Mapping[str, object]) -> None:
        """Completes the file."""
        file = self._file
        blocks = np.array(self._blocks, _LEAF)
        index_at = file.tell()
        file.write(_index(index_at, blocks, _VALUES_A_BLOCK))
        zoomed = np.concatenate([np.zeros(0, _EXACT), *self._zoomed])
        headers: list[bytes] = []
        reduction = _FIRST_ZOOM
        while len(headers) < _ZOOM_LEVELS and len(zoomed := _merged(zoomed, reduction)):
            headers.append(_ZOOM_HEADER.pack(reduction, 0, *_write_zoom(file, zoomed)))
            reduction *= _ZOOM_STEP
        file.write(struct.pack("<I", _MAGIC))
        summary_at = self._contigs_at - _SUMMARY.size
        largest = max(_BLOCK_HEADER.size + 4 * _VALUES_A_BLOCK, _ZOOMED.itemsize * _ZOOMED_A_BLOCK)
        file.seek(0)
        places = (self._contigs_at, self._data_at, index_at)
        file.write(_HEADER.pack(_MAGIC, _VERSION, len(headers), *places, 0, 0, 0, summary_at, largest, 0))
        file.write(b"".join(headers))
        file.seek(summary_at)
        file.write(_summary(zoomed))
        file.seek(self._data_at)
        file.write(struct.pack("<Q", len(blocks)))
        file.close()

    def abandon(self) -> None:
        """Lets go of it incomplete."""
        self._file.close()

    def _add(self, contig: int, start: int, values: Array) -> None:
        """Neighbouring bases, as one block."""
        end, at = start + len(values), self._file.tell()
        header = _BLOCK_HEADER.pack(contig, start, end, 1, 1, _FIXED_STEP, 0, len(values))
        block = zlib.compress(header + values.tobytes())
        self._file.write(block)
        self._blocks.append((contig, start, contig, end, at, len(block)))
        exact = values.astype(np.float64)
        bins = np.arange(start, end) // _FIRST_ZOOM
        firsts = np.flatnonzero(np.diff(bins, prepend=-1))
        zoomed = np.zeros(len(firsts), _EXACT)
        zoomed["contig"] = contig
        zoomed["start"] = start + firsts
        zoomed["end"] = start + np.append(firsts[1:], len(values))
        zoomed["count"] = zoomed["end"] - zoomed["start"]
        zoomed["least"], zoomed["most"] = (
            merge.reduceat(exact, firsts) for merge in (np.minimum, np.maximum)
        )
        zoomed["sum"], zoomed["squares"] = (np.add.reduceat(each, firsts) for each in (exact, exact**2))
        self._zoomed.append(zoomed)


def _merged(zoomed: Array, reduction: int) -> Array:
    """Summaries put together where they lie in the same `reduction` bases of a contig."""
    if not len(zoomed):
        return zoomed
    bins = zoomed["start"] // reduction
    firsts = np.flatnonzero((np.diff(bins, prepend=-1) != 0) | (np.diff(zoomed["contig"], prepend=-1) != 0))
    merged = zoomed[firsts]
    merged["end"] = zoomed["end"][np.append(firsts[1:], len(zoomed)) - 1]
    for name, merge in _MERGES.items():
        merged[name] = merge.reduceat(zoomed[name], firsts)
    return merged


_MERGES: Mapping[str, Any] = {
    "count": np.add,
    "least": np.minimum,
    "most": np.maximum,
    "sum": np.add,
    "squares": np.add,
}


def _write_zoom(file: BinaryIO, zoomed: Array) -> tuple[int, int]:
    """A zoom level: where its summaries begin, and where their index."""
    data_at = file.tell()
    file.write(struct.pack("<I", len(zoomed)))
    written = zoomed.astype(_ZOOMED)
    blocks = []
    for first in range(0, len(written), _ZOOMED_A_BLOCK):
        part = written[first : first + _ZOOMED_A_BLOCK]
        at, block = file.tell(), zlib.compress(part.tobytes())
        file.write(block)
        places = part["contig"][0], part["start"][0], part["contig"][-1], part["end"][-1]
        blocks.append((*places, at, len(block)))
    index_at = file.tell()
    file.write(_index(index_at, np.array(blocks, _LEAF), _ZOOMED_A_BLOCK))
    return data_at, index_at


def _summary(zoomed: Array) -> bytes:
    """Of all values."""
    if not len(zoomed):
        return _SUMMARY.pack(0, 0, 0, 0, 0)
    total = [_MERGES[name].reduce(zoomed[name].astype(np.float64)) for name in _MERGES]
    return _SUMMARY.pack(int(total[0]), *total[1:])


def _index(at: int, blocks: Array, items_a_block: int) -> bytes:
    """The R-tree of some blocks, to be written at a place of the file."""
    span = (0, 0, 0, 0)
    if len(blocks):
        span = (blocks["contig"][0], blocks["start"][0], blocks["end_contig"][-1], blocks["end"][-1])
    head = struct.pack("<IIQIIIIQII", _INDEX_MAGIC, _ITEMS_A_NODE, len(blocks), *span, at, items_a_block, 0)

    def parents(items: Array, firsts: Array, lasts: Array) -> Array:
        found = np.zeros(len(firsts), _BRANCH)
        for name in ("contig", "start"):
            found[name] = items[name][firsts]
        for name in ("end_contig", "end"):
            found[name] = items[name][lasts]
        return found

    return head + _tree(at + len(head), blocks, parents)


def _contig_tree(at: int, contigs: Mapping[str, int]) -> bytes:
    """The B+ tree of the contigs' names."""
    keys = [name.encode() for name in contigs]
    width = max(map(len, keys), default=1)
    leaf = np.dtype([("key", f"S{width}"), ("number", "<u4"), ("length", "<u4")])
    items = np.array(list(zip(keys, range(len(keys)), contigs.values(), strict=True)), leaf)
    head = struct.pack("<IIIIQQ", _CONTIGS_MAGIC, _ITEMS_A_NODE, width, 8, len(items), 0)

    def parents(items: Array, firsts: Array, lasts: Array) -> Array:
        found = np.zeros(len(firsts), [("key", f"S{width}"), ("offset", "<u8")])
        found["key"] = items["key"][firsts]
        return found

    return head + _tree(at + len(head), items[np.argsort(items["key"], kind="stable")], parents)


def _tree(at: int, leaves: Array, parents: Callable[[Array, Array, Array], Array]) -> bytes:
    """Nodes of a tree, the root first.

    Args:
        at: Where in the file they will be.
        leaves: Its items, in order.
        parents: What stands for nodes one level up, from a level's items and the first and last of each node.
    """
    levels = [leaves]
    while len(levels[0]) > _ITEMS_A_NODE:
        firsts = np.arange(0, len(levels[0]), _ITEMS_A_NODE)
        lasts = np.append(firsts[1:], len(levels[0])) - 1
        levels.insert(0, parents(levels[0], firsts, lasts))
    nodes = []
    for depth, items in enumerate(levels):
        count = max(1, -(-len(items) // _ITEMS_A_NODE))
        at += count * _NODE_HEADER.size + items.nbytes  # the next level
        if depth + 1 < len(levels):
            below = levels[depth + 1]
            full = _NODE_HEADER.size + _ITEMS_A_NODE * below.itemsize
            items["offset"] = at + np.arange(len(items)) * full
        for first in range(0, max(1, len(items)), _ITEMS_A_NODE):
            part = items[first : first + _ITEMS_A_NODE]
            nodes.append(_NODE_HEADER.pack(depth + 1 == len(levels), 0, len(part)) + part.tobytes())
    return b"".join(nodes)
