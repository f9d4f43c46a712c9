"""Embeddings of any layer, of either dtype, in every format: against hooks on the network in float64."""

import json
import logging
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch

import janusdna
from janusdna.checkpoint import Checkpoint, save
from janusdna_cli import EmbedSettings, embed_regions
from janusdna_cli.outputs import parquet
from janusdna_cli.reading.requests import BOTH_STRANDS, FORWARD, REVERSE, Request
from janusdna_cli.reading.window_reader import WindowReader
from janusdna_cli.regions import embedding
from janusdna_cli.regions.precision import Rounding

from ...networks import WIDTH
from .test_embedding import EXACT, WINDOW, per_base

LAYERS = ["forward:0", "forward:1", "forward:3", "backward:2", "backward:3", "0", "2"]


@pytest.fixture(scope="module")
def states(oracle):
    """A layer's states of a sequence by both strands, (2, n, w), in forward order: what modules give."""

    def of_strand(ids, name):
        network, found = oracle.model.module, {}
        for direction in ("forward", "backward"):
            stream = getattr(network, f"{direction}_stream")
            found[direction, 0] = network.embedding.weight[ids]
            for depth, layer in enumerate(stream.layers, start=1):

                def keep(module, inputs, out, at=(direction, depth)):
                    found[at] = out[0]

                layer.register_forward_hook(keep)
        try:
            with torch.no_grad():
                network(ids)
        finally:
            for direction in ("forward", "backward"):
                for layer in getattr(network, f"{direction}_stream").layers:
                    layer._forward_hooks.clear()
        stream, _, depth = name.rpartition(":")
        directions = [stream] if stream else ["forward", "backward"]
        return torch.cat([found[each, int(depth)][0] for each in directions], dim=-1).numpy()

    def of(sequence, name):
        ids = torch.from_numpy(janusdna.tokens.encode(sequence)).long()[None]
        other = torch.from_numpy(janusdna.tokens.reverse_complement(ids[0].numpy().astype(np.uint8))).long()
        return np.stack([of_strand(ids, name), of_strand(other[None], name)[::-1]])

    return of


def embeddings(table):
    return np.stack(table["embedding"].to_list())


@pytest.mark.parametrize("strands", [BOTH_STRANDS, FORWARD, REVERSE], ids=["both", "forward", "reverse"])
@pytest.mark.parametrize("name", LAYERS)
def test_answers_of_a_layer(model_dir, states, bases, name, strands):
    model = janusdna.load(model_dir, device="cpu", dtype="float32")
    sequences = [bases((31, 64)[number % 2], seed=number) for number in range(6)]
    requests = [
        Request(janusdna.tokens.encode(sequence), np.arange(number, 5 * number + 1), strands)
        for number, sequence in enumerate(sequences)
    ]
    answers = WindowReader(model, layer=name, batch_bp=100).answer(requests)
    for sequence, request in zip(sequences, requests, strict=True):
        wanted = states(sequence, name)[[int(strand) for strand in strands]].mean(axis=0)
        np.testing.assert_allclose(answers[request].hidden, wanted[request.targets], **EXACT)
        assert answers[request].logp.shape == (len(strands), len(request.targets), 0)


@pytest.mark.parametrize("name", LAYERS)
def test_a_region_is_the_mean_of_its_bases_in_that_layer(work, states, bases, name):
    contig = bases(90, seed=71)
    table = work.embed(
        work.fasta(c=contig), work.bed("c 30 50", "c 0 90"), "--layer", name, "--window", WINDOW
    )
    of_layer = SimpleNamespace(hidden=lambda sequence: states(sequence, name))
    for (start, end), found in zip([(30, 50), (0, 90)], table["embedding"], strict=True):
        wanted = per_base(of_layer, contig, start, end).mean(axis=(0, 1))
        np.testing.assert_allclose(found, wanted, **EXACT)


def test_one_strand_of_a_layer(work, states, bases):
    contig = bases(60, seed=72)
    bed = work.bed("c 10 30 x 0 +", "c 10 30 x 0 -")
    table = work.embed(
        work.fasta(c=contig), bed, "--layer", "forward:2", "--no-rc", "--strand-aware", "--pool", "max"
    )
    wanted = states(contig, "forward:2")[:, 10:30].max(axis=1)
    np.testing.assert_allclose(embeddings(table), wanted, **EXACT)
    assert np.abs(wanted[0] - wanted[1]).max() > 1e-2


def test_the_other_strand_of_the_genome_has_the_same_layers(work, bases, revcomp):
    contig = bases(101, seed=73)
    fasta, other = work.fasta(c=contig), work.fasta("mirror.fa", c=revcomp(contig))
    bed, mirrored = work.bed("c 20 41"), work.bed("c 60 81", name="mirror.bed")
    for name in ("forward:3", "1"):
        options = ["--window", 63, "--layer", name]
        one, two = work.embed(fasta, bed, *options), work.embed(other, mirrored, *options)
        np.testing.assert_allclose(embeddings(one), embeddings(two), rtol=0, atol=1e-5)


def test_fused_is_the_default(work, bases):
    fasta, bed = work.fasta(c=bases(90, seed=74)), work.bed("c 30 50")
    plain = work.embed(fasta, bed)
    assert json.loads(pq.read_metadata("out.parquet").metadata[b"janusdna"])["layer"] == "fused"
    pd.testing.assert_frame_equal(work.embed(fasta, bed, "--layer", "fused"), plain)
    assert len(plain["embedding"][0]) == WIDTH
    both = work.embed(fasta, bed, "--layer", "3", "--embedding-dtype", "float16")
    assert len(both["embedding"][0]) == 2 * WIDTH
    facts = json.loads(pq.read_metadata("out.parquet").metadata[b"janusdna"])
    assert (facts["layer"], facts["embedding_dtype"]) == ("3", "float16")
    field = pq.read_schema("out.parquet").field("embedding")
    assert field.type == pa.list_(pa.float16(), 2 * WIDTH)
    assert field.metadata[b"meaning"] == b"residual stream after layer 3"


def test_a_layer_that_is_not_there_ends_the_run_before_the_work(work, bases, monkeypatch):
    fasta, bed = work.fasta(c=bases(90, seed=74)), work.bed("c 30 50")
    monkeypatch.setattr(WindowReader, "answer", None)
    result = work.run("embed", fasta, bed, "-m", work.model, "-o", "x.tsv", "--layer", "forward:4")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "janusdna: error: layer is 'forward:4': this model's streams have layers 0 to 3\n"
    )
    monkeypatch.setattr(embedding, "open_model", None)
    for option, value in (("--layer", "last"), ("--layer", "forward:-1"), ("--embedding-dtype", "int8")):
        result = work.run("embed", fasta, bed, "-m", work.model, "-o", "x.tsv", option, value)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"'{value}'" in result.stderr


def test_halves_are_the_rounded_singles(work, bases):
    fasta, bed = work.fasta(c=bases(90, seed=75) + "NNN"), work.bed("c 30 50", "c 90 93", "c 0 9")
    options = ["--pool", "none"]
    singles, halves = (
        work.embed(fasta, bed, *options),
        work.embed(fasta, bed, *options, "--embedding-dtype", "float16"),
    )
    assert halves["embedding"].isna().tolist() == singles["embedding"].isna().tolist()
    assert halves["embedding"].isna().sum() == 3
    kept = singles["embedding"].notna()
    assert embeddings(halves[kept]).dtype == np.float16
    np.testing.assert_array_equal(embeddings(halves[kept]), embeddings(singles[kept]).astype(np.float16))
    arguments = [fasta, bed, *options, "-m", work.model, "--embedding-dtype", "float16", "-o", "-", "--quiet"]
    result = work.run("embed", *arguments)
    texts = [line.split("\t")[-1] for line in result.stdout.splitlines()[1:]]
    read = [np.array(text.split(","), np.float32) for text in texts if text != "."]
    np.testing.assert_array_equal(np.stack(read), embeddings(halves[kept]).astype(np.float32))


@pytest.fixture
def loud(tmp_path, model_dir):
    """A model whose last states are a million times as large."""
    model = janusdna.load(model_dir, device="cpu")
    tensors = {name: parameter.detach().clone() for name, parameter in model.module.named_parameters()}
    tensors["final_norm.weight"] *= 1e6
    save(Checkpoint("loud", model.config, tensors, ""), tmp_path / "loud")
    return tmp_path / "loud"


def test_a_value_beyond_a_half_is_told_once_and_written_as_infinite(work, loud, bases):
    fasta, bed = work.fasta(c=bases(90, seed=76)), work.bed("c 30 50", "c 40 60", "c 0 9")
    arguments = [fasta, bed, "-m", loud, "-o", "x.parquet", "--overwrite", "--quiet"]
    singles = work.run("embed", *arguments)
    assert (singles.exit_code, singles.stderr) == (0, "")
    large = embeddings(pd.read_parquet("x.parquet"))
    result = work.run("embed", *arguments, "--embedding-dtype", "float16")
    assert result.exit_code == 0
    [line] = result.stderr.splitlines()
    assert line.startswith("janusdna: warning: an embedding holds ")
    assert "beyond the largest float16, 65504: such values are written as inf" in line
    found = embeddings(pd.read_parquet("x.parquet"))
    assert (np.isinf(found) == (np.abs(large) >= 65520)).all()
    assert np.isinf(found).any()
    assert (np.sign(found) == np.sign(large)).all()


def test_rounding(caplog):
    rounding = Rounding("float16")
    with caplog.at_level(logging.WARNING, "janusdna_cli"):
        assert rounding(None) is None
        assert rounding(np.array([65519, -1e-9, np.nan], np.float32)).tolist()[0] == 65504
        assert caplog.messages == []
        assert rounding(np.array([1, -1e6], np.float32)).tolist() == [1, -np.inf]
        assert rounding(np.array([1e9], np.float32)).tolist() == [np.inf]
    assert caplog.messages == [
        "an embedding holds -1e+06, beyond the largest float16, 65504: such values are written as inf; "
        "pass --embedding-dtype float32 to keep them"
    ]
    same = np.array([1e9], np.float32)
    assert Rounding("float32")(same) is same


@pytest.fixture
def genome(work, bases):
    contigs = {"chr1": bases(150, seed=77), "chr2": "N" * 4 + bases(80, seed=78), "tiny": "AC"}
    lines = ["chr2 0 30 b", "chr1 10 20 a", "chr2 40 50 c", "nowhere 1 5", "tiny 0 2", "chr1 0 150 d"]
    return work.fasta(**contigs), work.bed(*lines)


@pytest.mark.parametrize("pool", ["mean", "none"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_format_holds_the_same(work, genome, pool, dtype):
    options = ["--pool", pool, "--embedding-dtype", dtype, "--keep-columns"]
    table = work.embed(*genome, *options)
    facts = json.loads(pq.read_metadata("out.parquet").metadata[b"janusdna"])
    for name in ("out.npz", "out.h5ad", "folder/"):
        result = work.run("embed", *genome, *options, "-m", work.model, "-o", name)
        assert result.exit_code == 0, result.stderr
        assert f"-> {name}" in result.stderr
    width, kept = len(table["embedding"].dropna().iloc[0]), table["embedding"].notna()
    matrix = np.full((len(table), width), np.nan, dtype)
    matrix[kept] = embeddings(table[kept])
    others = [name for name in table if name != "embedding"]

    with np.load("out.npz") as file:
        arrays = dict(file)
    cells = pytest.importorskip("anndata").read_h5ad("out.h5ad")
    for found, said in ((arrays["embedding"], str(arrays["janusdna"])), (cells.X, cells.uns["janusdna"])):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, matrix)
        assert {**json.loads(said), "command": ""} == {**facts, "command": ""}
    assert set(arrays) == {"embedding", "janusdna", *others}
    assert list(cells.obs) == others
    for name in others:
        nothing = 0 if name == "pos" else ""
        values = table[name].astype(object).where(table[name].notna(), nothing).tolist()
        assert arrays[name].tolist() == values
        column = cells.obs[name].astype(object)
        assert column.where(column.notna(), nothing).tolist() == values

    assert sorted(path.name for path in (work.folder / "folder").iterdir()) == [
        "chr1.parquet", "chr2.parquet", "nowhere.parquet", "tiny.parquet"
    ]  # fmt: skip
    by_contig = table.sort_values("chrom", kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet("folder"), by_contig)
    assert ds.dataset("folder").to_table().num_rows == len(table)
    for path in (work.folder / "folder").iterdir():
        said = json.loads(pq.read_metadata(path).metadata[b"janusdna"])
        assert said["contig_md5"] == facts["contig_md5"]


def test_row_groups_of_a_row_a_base_are_bounded(work, bases, monkeypatch):
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 1_000)
    contigs = {"a": bases(5_300, seed=79), "b": bases(2_100, seed=80)}
    options = ["--pool", "none", "--embedding-dtype", "float16", "--layer", "forward:1", "--no-rc"]
    result = work.run("embed", work.fasta(**contigs), *options, "-m", work.model, "-o", "bases/")
    assert result.exit_code == 0, result.stderr
    for name, contig in contigs.items():
        found = pq.ParquetFile(f"bases/{name}.parquet").metadata
        sizes = [found.row_group(i).num_rows for i in range(found.num_row_groups)]
        assert sizes == [1_000] * (len(contig) // 1_000) + [len(contig) % 1_000]
        assert pq.read_table(f"bases/{name}.parquet")["pos"].to_pylist() == list(range(1, len(contig) + 1))


def test_from_python(work, genome):
    fasta, bed = genome
    settings = {"fasta": fasta, "regions": bed, "model": str(work.model), "quiet": True}
    summary = embed_regions(
        EmbedSettings(**settings, layer="backward:2", embedding_dtype="float16", format="npz", output="x")
    )
    assert summary.counts["ok"] == 4
    with np.load("x") as file:
        assert (file["embedding"].shape, file["embedding"].dtype) == ((6, WIDTH), np.float16)


def test_h5ad_without_its_package_ends_the_run_before_the_work(work, genome, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    monkeypatch.setattr(embedding.Reference, "open", None)
    result = work.run("embed", *genome, "-m", work.model, "-o", "x.h5ad")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "pip install 'janusdna[anndata]'" in result.stderr
