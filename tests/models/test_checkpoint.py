"""Native checkpoints, and reference checkpoints opened without running them."""

import dataclasses
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from janusdna import CheckpointError
from janusdna.checkpoint import Checkpoint, build, file_sha256, read_native, save
from janusdna.inert_pickle import Inert, read_pickle
from janusdna.nn.model import JanusDNA
from janusdna.reader import open_checkpoint
from janusdna.reference_checkpoint import read_reference

from ..networks import WIDTH

Make = Callable[..., JanusDNA]


@pytest.fixture
def checkpoint(make_network: Make) -> Checkpoint:
    network = make_network()
    tensors = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    return Checkpoint("small", network.config, tensors, "", {"trained": False})


class TestNative:
    def test_what_is_saved_is_read(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        checkpoint.tensors["head.weight"] = checkpoint.tensors["head.weight"].bfloat16()
        digest = save(checkpoint, tmp_path / "model")
        found = read_native(tmp_path / "model")
        assert found.sha256 == digest == file_sha256(tmp_path / "model" / "model.safetensors")
        assert (found.name, found.config, found.provenance) == (
            "small",
            checkpoint.config,
            {"trained": False},
        )
        assert found.tensors.keys() == checkpoint.tensors.keys()
        for name, tensor in checkpoint.tensors.items():
            assert found.tensors[name].dtype == tensor.dtype
            assert torch.equal(found.tensors[name], tensor)
        assert not list((tmp_path / "model").glob("*.part"))

    def test_who_may_read_the_folder_may_read_the_weights(
        self, checkpoint: Checkpoint, tmp_path: Path
    ) -> None:
        save(checkpoint, tmp_path)
        modes = {path.stat().st_mode for path in tmp_path.iterdir()}
        (tmp_path / "ordinary").touch()
        assert modes == {(tmp_path / "ordinary").stat().st_mode}

    def test_network_is_the_same(self, checkpoint: Checkpoint, make_network: Make, tmp_path: Path) -> None:
        save(checkpoint, tmp_path)
        ids = torch.randint(7, 11, (1, 20))
        assert torch.equal(build(read_native(tmp_path))(ids).logits, make_network()(ids).logits)

    @pytest.mark.parametrize("keep", [0, 7, 100, -1])
    def test_cut_short(self, checkpoint: Checkpoint, tmp_path: Path, keep: int) -> None:
        save(checkpoint, tmp_path)
        weights = tmp_path / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:keep])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            read_native(tmp_path)

    def test_weights_of_another_model(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        save(checkpoint, tmp_path / "a")
        other = dict(checkpoint.tensors) | {"head.weight": torch.zeros(16, WIDTH)}
        save(dataclasses.replace(checkpoint, tensors=other), tmp_path / "b")
        shutil.copy(tmp_path / "a" / "model.safetensors", tmp_path / "b")
        with pytest.raises(CheckpointError, match="do not belong together"):
            read_native(tmp_path / "b")

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', '{"format": 9, "model": {}}'])
    def test_broken_config(self, checkpoint: Checkpoint, tmp_path: Path, text: str) -> None:
        save(checkpoint, tmp_path)
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.json"):
            read_native(tmp_path)

    def test_missing_weights(self, checkpoint: Checkpoint, tmp_path: Path) -> None:
        save(checkpoint, tmp_path)
        (tmp_path / "model.safetensors").unlink()
        with pytest.raises(CheckpointError, match="no such file"):
            read_native(tmp_path)

    def test_tensors_that_do_not_fit_are_all_named(self, checkpoint: Checkpoint) -> None:
        tensors = dict(checkpoint.tensors)
        del tensors["final_norm.weight"]
        tensors["surprise"] = torch.zeros(3)
        tensors["head.weight"] = torch.zeros(16, 5)
        with pytest.raises(CheckpointError) as error:
            build(dataclasses.replace(checkpoint, tensors=tensors))
        for part in (
            f"missing final_norm.weight ({WIDTH},)",
            "unexpected surprise (3,)",
            "head.weight is (16, 5)",
        ):
            assert part in str(error.value)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_not_finite(self, checkpoint: Checkpoint, value: float) -> None:
        checkpoint.tensors["head.weight"][3, 2] = value
        with pytest.raises(CheckpointError, match=r"head\.weight holds NaN or infinity"):
            build(checkpoint)

    def test_wrong_kind(self, checkpoint: Checkpoint) -> None:
        checkpoint.tensors["head.weight"] = torch.zeros(16, WIDTH, dtype=torch.int64)
        with pytest.raises(CheckpointError, match=r"head\.weight is torch\.int64"):
            build(checkpoint)


class _Bomb:
    """Its pickle asks for a call that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


class TestInertPickle:
    def test_nothing_is_executed(self, tmp_path: Path) -> None:
        mark, path = tmp_path / "mark", tmp_path / "bomb.ckpt"
        torch.save({"state_dict": {"w": torch.arange(3.0)}, "hyper_parameters": _Bomb(mark)}, path)
        content = read_pickle(path)
        assert not mark.exists()
        assert isinstance(content["hyper_parameters"], Inert)
        assert torch.equal(content["state_dict"]["w"], torch.arange(3.0))
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
            assert b"touch" in archive.read(name)

    def test_tensors_of_every_kind(self, tmp_path: Path) -> None:
        base = torch.arange(24.0).view(4, 6)
        tensors = {
            "whole": base,
            "transposed": base.T,
            "slice": base[1:3, 2:5],
            "half": base.half(),
            "bfloat16": base.bfloat16(),
            "long": torch.arange(5),
            "empty": torch.empty(0, 3),
            "scalar": torch.tensor(2.5),
            "parameter": torch.nn.Parameter(base),
        }
        torch.save(tensors, tmp_path / "t.pt")
        for name, tensor in read_pickle(tmp_path / "t.pt").items():
            assert torch.equal(tensor, tensors[name]), name

    @pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut"])
    def test_not_a_checkpoint(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.ckpt"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"x\.ckpt: "):
            read_pickle(path)

    def test_a_directory_and_nothing(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(CheckpointError):
                read_pickle(path)

    def test_tensor_beyond_its_storage(self, tmp_path: Path) -> None:
        path = tmp_path / "x.ckpt"
        torch.save({"state_dict": {"w": torch.zeros(4)}}, path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        storage = next(name for name in parts if name.endswith("data/0"))
        parts[storage] = parts[storage][:8]
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in parts.items():
                archive.writestr(name, data)
        with pytest.raises(CheckpointError, match="8 bytes: expected 4 elements"):
            read_pickle(path)

    def test_pickle_that_fails_on_purpose(self, tmp_path: Path) -> None:
        path = tmp_path / "x.ckpt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", pickle.dumps(1)[:-1])
        with pytest.raises(CheckpointError, match="not a readable pickle"):
            read_pickle(path)

    def test_a_zip_file_that_unpacks_to_more(self, tmp_path: Path) -> None:
        path = tmp_path / "x.ckpt"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/data.pkl", pickle.dumps({"state_dict": {}}) + bytes(1 << 20))
        with pytest.raises(CheckpointError, match=r"that unpacks to 1,048,\d+: PyTorch compresses nothing"):
            read_pickle(path)

    @pytest.mark.parametrize("tensors", ["expanded", "again and again"])
    def test_tensors_larger_than_their_file(self, tmp_path: Path, tensors: str) -> None:
        path, base = tmp_path / "x.ckpt", torch.zeros(1000)
        many = {str(i): base.view(1000) for i in range(100)}
        torch.save({"w": base[:1].expand(1 << 20)} if tensors == "expanded" else many, path)
        with pytest.raises(CheckpointError, match="many times larger than the file"):
            read_pickle(path)

    def test_weights_that_share_their_storage(self, tmp_path: Path) -> None:
        base = torch.arange(1000.0)
        torch.save({"a": base, "b": base.view(10, 100)}, tmp_path / "x.ckpt")
        found = read_pickle(tmp_path / "x.ckpt")
        assert torch.equal(found["a"], base)
        assert torch.equal(found["b"], base.view(10, 100))

    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            (b"\x80\x02}", b"K\x01s.", None),  # the key of a dict, set by SETITEM
            (b"\x80\x02}(", b"K\x01u.", None),  # by SETITEMS
            (b"\x80\x02(", b"K\x01d.", None),  # by DICT
            (b"\x80\x04\x8f(", b"\x90.", Inert),  # in a set
            (b"\x80\x04(", b"\x91.", Inert),  # in a frozen one
            (b"\x80\x02", b"r\xff\xff\xff\x7f.", tuple),  # as object 2,147,483,647
        ],
    )
    def test_pickles_that_take_for_ever(
        self, tmp_path: Path, before: bytes, after: bytes, expected: type | None
    ) -> None:
        """A tuple of 2^60 parts, of which the hash asks for all, and an object with a very high number."""
        path, parts = tmp_path / "x.ckpt", ((),)
        for _ in range(60):
            parts = (parts, parts)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x/data.pkl", before + pickle.dumps(parts, 2)[2:-1] + after)
        if expected is None:
            with pytest.raises(CheckpointError, match="key is a tuple of tuples"):
                read_pickle(path)
        else:
            assert isinstance(read_pickle(path), expected)


class TestReference:
    @pytest.fixture
    def golden(self, golden: Callable[[str], Path]) -> Path:
        return golden("midattn-mlp")

    def test_conversion_changes_nothing(self, golden: Path, tmp_path: Path) -> None:
        found = open_checkpoint(golden)
        save(found, tmp_path / "native")
        ids = torch.randint(7, 11, (1, 30))
        assert torch.equal(build(open_checkpoint(tmp_path / "native"))(ids).logits, build(found)(ids).logits)

    def test_length_is_kept(self, golden: Path) -> None:
        assert read_reference(golden / "last.ckpt", length=1024).config.trained_length == 1024

    def test_cut_short(self, golden: Path) -> None:
        path = golden / "last.ckpt"
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(CheckpointError, match=r"last\.ckpt: cut short"):
            open_checkpoint(golden)

    def test_no_configuration(self, golden: Path) -> None:
        (golden / "model_config.json").unlink()
        with pytest.raises(CheckpointError, match=r"model_config\.json: no such file"):
            open_checkpoint(golden)

    def test_configuration_of_another_model(self, golden: Path) -> None:
        path = golden / "model_config.json"
        content = json.loads(path.read_text())
        content["config"]["hidden_size"] = 72
        path.write_text(json.dumps(content))
        with pytest.raises(CheckpointError, match=r"hidden_size 24.*says 72"):
            open_checkpoint(golden)

    @staticmethod
    def _rewrite(golden: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
        state = dict(read_pickle(golden / "last.ckpt")["state_dict"])
        change(state)
        torch.save({"state_dict": state}, golden / "last.ckpt")

    def test_missing_and_unexpected_tensors_are_named(self, golden: Path) -> None:
        def change(state: dict[str, torch.Tensor]) -> None:
            del state["model.model.layers.0.mamba_module.mamba_rev.D"]
            state["model.model.novelty.weight"] = torch.zeros(2, 3)

        self._rewrite(golden, change)
        with pytest.raises(CheckpointError) as error:
            build(open_checkpoint(golden))
        assert "missing backward_stream.layers.0.mixer.D (48,)" in str(error.value)
        assert "unexpected model.novelty.weight (2, 3)" in str(error.value)

    def test_counters_of_tokens_are_no_weights(self, golden: Path) -> None:
        before = open_checkpoint(golden).tensors
        counters = {
            f"{part}_torchmetrics.num_tokens.count": torch.tensor(7) for part in ("train", "val", "test")
        }
        self._rewrite(golden, lambda state: state.update(counters))
        build(open_checkpoint(golden))
        assert open_checkpoint(golden).tensors.keys() == before.keys()

    def test_published_files_find_each_other(self, golden: Path) -> None:
        (golden / "last.ckpt").rename(golden / "24_with_midattn.ckpt")
        (golden / "model_config.json").rename(golden / "24_with_midattn_model_config.json")
        (golden / "24_without_midattn_model_config.json").write_text("{}")
        assert open_checkpoint(golden / "24_with_midattn.ckpt").config.attention_layers == (4,)

    def test_half_a_final_mlp_is_an_error(self, golden: Path) -> None:
        self._rewrite(golden, lambda state: state.__delitem__("model.model.final_mlp.2.bias"))
        with pytest.raises(CheckpointError, match=r"missing final_mlp\.2\.bias \(24,\)"):
            build(open_checkpoint(golden))

    def test_missing_expert(self, golden: Path) -> None:
        key = "model.model.layers.1.mamba_module.feed_forward_fwd.experts.2.up_proj.weight"
        self._rewrite(golden, lambda state: state.__delitem__(key))
        with pytest.raises(CheckpointError, match=r"experts of .*up_proj are incomplete"):
            build(open_checkpoint(golden))

    def test_untied_streams(self, golden: Path) -> None:
        def change(state: dict[str, torch.Tensor]) -> None:
            state["model.model.layers.0.mamba_module.mamba_rev.in_proj.weight"] += 1

        self._rewrite(golden, change)
        with pytest.raises(CheckpointError, match="untied streams are not supported"):
            open_checkpoint(golden)

    @pytest.mark.parametrize("content", [{}, {"state_dict": {}}, {"state_dict": {"a": 1}}, [1, 2]])
    def test_not_a_lightning_checkpoint(self, golden: Path, content: object) -> None:
        torch.save(content, golden / "last.ckpt")
        with pytest.raises(CheckpointError, match=r"last\.ckpt: "):
            open_checkpoint(golden)
