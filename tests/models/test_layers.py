"""States of the streams' layers: against the second implementation, hooks on the modules, whole sequences."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

import janusdna
from janusdna import LayerError
from janusdna.checkpoint import Checkpoint, build, save
from janusdna.layers import FUSED, layer_named
from janusdna.nn.model import JanusDNA
from janusdna.ops.backends import REFERENCE, Kernels
from janusdna.reader import Model, open_checkpoint

from ..closeness import assert_as_close
from ..golden.cases import CASES, Case, draw_weights
from ..golden.plain_network import PlainNetwork
from ..networks import WIDTH

Make = Callable[..., JanusDNA]
Draw = Callable[[int, int], Tensor]

NETWORKS = {
    "janus": {"attention_layers": ()},
    "midattn": {"attention_layers": (2,)},
    "attention first": {"attention_layers": (0, 3)},
    "no experts": {"attention_layers": (), "expert_layers": ()},
    "experts everywhere": {"attention_layers": (1,), "expert_layers": (0, 1, 2, 3)},
}


@pytest.fixture(params=NETWORKS)
def changes(request: pytest.FixtureRequest) -> dict[str, tuple[int, ...]]:
    return NETWORKS[request.param]


def names(num_layers: int) -> list[str]:
    ways = [f"{stream}:{depth}" for stream in ("forward", "backward") for depth in range(num_layers + 1)]
    return ways + [str(depth) for depth in range(num_layers + 1)]


def hooked(network: JanusDNA, ids: Tensor) -> dict[str, Tensor]:
    """What the modules of a whole pass give, by the layer's name; both streams side by side too."""
    found = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, inputs: object, output: tuple[Tensor, object]) -> None:
            found[name] = output[0].detach()

        return hook

    handles = []
    for direction in ("forward", "backward"):
        stream = getattr(network, f"{direction}_stream")
        for depth, layer in enumerate(stream.layers, start=1):
            handles.append(layer.register_forward_hook(keep(f"{direction}:{depth}")))
        found[f"{direction}:0"] = network.embedding.weight[ids].detach()
    with torch.no_grad():
        network(ids)
    for handle in handles:
        handle.remove()
    for depth in range(len(network.forward_stream.layers) + 1):
        found[str(depth)] = torch.cat((found[f"forward:{depth}"], found[f"backward:{depth}"]), dim=-1)
    return found


def as_model(network: JanusDNA, folder: Path, dtype: str = "float32") -> Model:
    tensors = {name: parameter.detach() for name, parameter in network.named_parameters()}
    save(Checkpoint("small", network.config, tensors, ""), folder)
    return janusdna.load(folder, device="cpu", dtype=dtype)


@pytest.mark.parametrize("length", [3, 130])
def test_every_layer_is_what_the_modules_of_a_whole_pass_give(
    make_network: Make,
    random_ids: Draw,
    tmp_path: Path,
    changes: dict[str, tuple[int, ...]],
    length: int,
) -> None:
    ids = random_ids(2, length)
    exact = hooked(make_network(**changes).cast(torch.float64), ids)
    plain = hooked(make_network(**changes), ids)
    model = as_model(make_network(**changes), tmp_path / "model")
    found = {name: model.read(ids, layer=name) for name in names(4)}
    assert found.keys() == exact.keys()
    for name, reading in found.items():
        assert reading.hidden.shape == (2, length, WIDTH * (1 if ":" in name else 2))
        assert (reading.logits.shape, reading.edits) == ((2, length, 0), ())
    assert_as_close({name: reading.hidden for name, reading in found.items()}, plain, exact)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_layer_against_the_second_implementation(case: Case, golden: Callable[[str], Path]) -> None:
    second = PlainNetwork(draw_weights(case), case.settings)
    network = build(open_checkpoint(golden(case.name)), REFERENCE).cast(torch.float64)
    ids = torch.randint(7, 11, (1, 24))
    embedded = second.weights["model.embed_tokens.weight"][ids[0]]
    everywhere = torch.arange(24)[None]
    for depth in range(network.config.num_layers + 1):
        second.layers = depth
        forward, _ = second._stream(embedded, "fwd")
        backward, _ = second._stream(embedded.flip(0), "rev")
        both = torch.cat((forward, backward.flip(0)), dim=-1)
        with torch.inference_mode():
            found = network.read_layer(ids, everywhere, layer_named(str(depth)))
        assert (found[0] - both).abs().max() <= 1e-10


def test_a_long_window_in_chunks_is_a_whole_pass(
    make_network: Make,
    random_ids: Draw,
    cpu_kernels: Kernels,
    changes: dict[str, tuple[int, ...]],
) -> None:
    ids, everywhere = random_ids(2, 601), torch.arange(601).expand(2, -1)
    exact = hooked(make_network(**changes).cast(torch.float64), ids)
    plain = hooked(make_network(**changes), ids)
    fast = make_network(dataclasses.replace(cpu_kernels, chunk_values=100 * 2 * WIDTH), **changes)
    with torch.inference_mode():
        found = {name: fast.read_layer(ids, everywhere, layer_named(name)) for name in names(4)}
    assert_as_close(found, plain, exact)


@pytest.mark.parametrize("name", names(4))
def test_targets_are_rows_of_the_whole(
    make_network: Make, random_ids: Draw, tmp_path: Path, name: str
) -> None:
    model = as_model(make_network(), tmp_path / "model", "float64")
    ids = random_ids(2, 90)
    whole = model.read(ids, layer=name).hidden
    for asked in ([[0], [0]], [[89], [89]], [[60, 31, 31], [44, 50, 0]], [[5], [80]]):
        found = model.read(ids, torch.tensor(asked), layer=name).hidden
        for row, positions in enumerate(asked):
            assert (found[row] - whole[row, positions]).abs().max() <= 1e-12
    assert model.read(ids, torch.zeros(2, 0, dtype=torch.long), layer=name).hidden.shape == (
        2,
        0,
        whole.shape[2],
    )


def test_a_row_has_seen_its_base_and_what_its_stream_read_before(
    make_network: Make, random_ids: Draw, tmp_path: Path
) -> None:
    model = as_model(make_network(), tmp_path / "model", "float64")
    ids = random_ids(1, 40)
    changed = ids.clone()
    changed[0, 20] = 7 + (changed[0, 20] - 6) % 4
    for name in ("forward:1", "forward:4", "backward:1", "backward:4"):
        before, after = (model.read(each, layer=name).hidden[0] for each in (ids, changed))
        moved = ((before - after).abs().amax(dim=1) > 1e-9).nonzero()[:, 0].tolist()
        assert 20 in moved
        assert min(moved) == 20 if name.startswith("forward") else max(moved) == 20
        assert len(moved) > 1


def test_nothing_above_and_nothing_beside_runs(make_network: Make, random_ids: Draw) -> None:
    network, ids = make_network(), random_ids(1, 50)
    ran = []
    for direction in ("forward", "backward"):
        for number, layer in enumerate(getattr(network, f"{direction}_stream").layers):
            layer.register_forward_hook(
                lambda module, inputs, out, at=(direction, number): ran.append((*at, inputs[0].shape[1]))
            )
    network.fusion.register_forward_hook(lambda *_: ran.append(("fusion", 0, 0)))
    for name, expected in {
        "forward:2": [("forward", 0, 31), ("forward", 1, 31)],
        "backward:1": [("backward", 0, 30)],
        "0": [],
    }.items():
        ran.clear()
        with torch.inference_mode():
            network.read_layer(ids, torch.tensor([[30, 20]]), layer_named(name))
        assert ran == expected


def test_bfloat16_stays_close(make_network: Make, random_ids: Draw, tmp_path: Path) -> None:
    ids, folder = random_ids(2, 300), tmp_path / "model"
    exact = as_model(make_network(), folder).read(ids, layer="3").hidden
    rough = janusdna.load(folder, device="cpu", dtype="bfloat16").read(ids, layer="3").hidden
    assert rough.dtype == torch.float32
    assert torch.corrcoef(torch.stack((exact.flatten(), rough.flatten())))[0, 1] > 0.99


def test_fused_is_what_is_read_unless_told_otherwise(
    make_network: Make, random_ids: Draw, tmp_path: Path
) -> None:
    model, ids = as_model(make_network(), tmp_path / "model"), random_ids(1, 30)
    assert torch.equal(model.read(ids, layer="fused").hidden, model.read(ids).hidden)
    assert torch.equal(model.read(ids, layer="fused").logits, model.read(ids).logits)


@pytest.mark.parametrize(
    ("name", "streams", "depth", "width"),
    [
        ("fused", (), 0, 20),
        ("forward:0", ("forward",), 0, 20),
        ("backward:12", ("backward",), 12, 20),
        ("7", ("forward", "backward"), 7, 40),
    ],
)
def test_names(name: str, streams: tuple[str, ...], depth: int, width: int) -> None:
    layer = layer_named(name)
    assert (layer.name, layer.streams, layer.depth, layer.width(20)) == (name, streams, depth, width)
    assert (layer == FUSED) == (name == "fused")


@pytest.mark.parametrize(
    "name", ["", "last", "Fused", "forward", "forward:", "forward:-1", "-1", "07", "both:1", "1 ", "٣", None]
)
def test_names_of_nothing(name: str) -> None:
    with pytest.raises(LayerError, match="expected fused, forward:K, backward:K or K") as caught:
        layer_named(name)
    assert repr(name) in str(caught.value)


def test_layers_that_are_not_there(make_network: Make, random_ids: Draw, tmp_path: Path) -> None:
    model, ids = as_model(make_network(), tmp_path / "model"), random_ids(1, 30)
    for name in ("forward:5", "5"):
        with pytest.raises(LayerError, match=f"layer is '{name}': this model's streams have layers 0 to 4"):
            model.read(ids, layer=name)
    edit = janusdna.reader.Edit(0, 10, 11, torch.tensor([7]), 9, 12)
    with pytest.raises(LayerError, match="edits are read at fused alone"):
        model.read(ids, edits=[edit], layer="forward:1")
    with pytest.raises(janusdna.SequenceError, match="has 2 bases"):
        model.read(["AC"], layer="1")
