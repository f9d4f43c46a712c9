import json

import pytest

from janusdna import PRESETS, ConfigError, ModelConfig, preset

SIZES = {"hidden_size": 72, "intermediate_size": 288, "fusion_scale_width": 128}


def test_derived_sizes() -> None:
    config = ModelConfig(**SIZES)
    assert (config.inner_size, config.dt_rank, config.head_size) == (144, 5, 18)
    assert config.fusion_scale == pytest.approx(32**-0.5)


@pytest.mark.parametrize("name", PRESETS)
def test_survives_json(name: str) -> None:
    assert ModelConfig.from_dict(json.loads(json.dumps(preset(name).to_dict()))) == preset(name)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 30}, "hidden_size 30 is not a multiple of num_heads 4"),
        ({"num_layers": 0}, "num_layers is 0"),
        ({"num_layers": "8"}, "num_layers is '8'"),
        ({"attention_layers": (9,)}, "attention_layers names layer 9: there are 8 layers"),
        ({"experts_per_token": 17}, "experts_per_token 17 exceeds num_experts 16"),
        ({"vocab_size": 8}, "vocab_size is 8"),
        ({"trained_length": "1k"}, "trained_length is '1k'"),
        ({"colour": "red"}, "unknown configuration fields: colour"),
    ],
)
def test_impossible_sizes_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig.from_dict(SIZES | changes)


def test_missing_size() -> None:
    with pytest.raises(ConfigError, match="hidden_size"):
        ModelConfig.from_dict({"intermediate_size": 4, "fusion_scale_width": 4})


def test_unknown_preset() -> None:
    with pytest.raises(ConfigError, match=r"'janusdna-33': expected one of janusdna-32, "):
        preset("janusdna-33")
