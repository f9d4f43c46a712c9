"""The compiled attention of many queries to many keys against the plain one in float64."""

import pytest
import torch
from torch import Tensor

from janusdna.ops import attention
from janusdna.ops.cpu import attention as attention_cpu

from ..closeness import assert_as_close, distance

MANY = attention_cpu._FEWEST_QUERIES


def _plain(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    scores = q.double() @ k.double().transpose(-1, -2) * scale
    return scores.softmax(-1) @ v.double(), scores.logsumexp(-1)


def _draw(
    queries: int, keys: int, size: int, *, batch: int = 2, heads: int = 3
) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(size)
    q = torch.randn(batch, queries, heads, size).transpose(1, 2)
    k, v = torch.randn(2, batch, heads, keys + 9, size)
    return q, k[:, :, 4 : keys + 4], v[:, :, 4 : keys + 4]  # as they lie in a window's memory


@pytest.mark.parametrize("size", [1, 5, 8, 16, 18, 36, 41])
@pytest.mark.parametrize(("queries", "keys"), [(MANY, 1), (70, 63), (33, 300), (600, 70)])
def test_against_float64(queries: int, keys: int, size: int) -> None:
    q, k, v = _draw(queries, keys, size)
    found, exact = attention_cpu.attend(q, k, v, 0.3), _plain(q, k, v, 0.3)
    assert distance(found[0], exact[0]) < 3e-6
    assert distance(found[1], exact[1]) < 3e-6


def test_keys_in_several_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_cpu, "_KEYS_OF_PART", 100)
    q, k, v = _draw(40, 1234, 18)
    found, exact = attention_cpu.attend(q, k, v, 1.0), _plain(q, k, v, 1.0)
    assert distance(found[0], exact[0]) < 3e-6
    assert distance(found[1], exact[1]) < 3e-6


def test_scores_far_apart() -> None:
    """The largest score comes late, and beside it all others are nothing."""
    q, k, v = _draw(40, 500, 18)
    for factor in (100.0, 1e4):
        keys = factor * k
        plain = (q @ keys.transpose(-1, -2)).softmax(-1) @ v
        found, exact = attention_cpu.attend(q, keys, v, 1.0), _plain(q, keys, v, 1.0)
        assert_as_close(found[0], plain, exact[0])
        assert distance(found[1], exact[1]) < 1e-5


def test_equal_scores_of_many_blocks() -> None:
    """What is rounded of a score must not add up from block to block: the first values would weigh more."""
    q, k, v = _draw(40, 30_000, 18, batch=1, heads=1)
    keys, values = torch.full_like(k, -7.3), torch.linspace(0, 1, k.shape[2])[:, None].expand_as(v)
    found, exact = attention_cpu.attend(q.abs(), keys, values, 0.9), _plain(q.abs(), keys, values, 0.9)
    assert distance(found[0], exact[0]) < 3e-5
    assert distance(found[1], exact[1]) < 3e-6


@pytest.mark.parametrize("keys", [900, 901, 1])
def test_bfloat16(keys: int) -> None:
    q, k, v = (part.bfloat16() for part in _draw(64, keys, 18))
    found, exact = attention_cpu.attend(q, k, v, 0.3), _plain(q, k, v, 0.3)
    assert found[0].dtype == torch.bfloat16
    assert distance(found[0].float(), exact[0]) < 2.0**-7
    assert distance(found[1], exact[1]) < 1e-5


def test_threads_change_nothing() -> None:
    q, k, v = _draw(200, 3000, 18)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = attention_cpu.attend(q, k, v, 0.3)
        torch.set_num_threads(4)
        shared = attention_cpu.attend(q, k, v, 0.3)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(alone[0], shared[0])
    assert torch.equal(alone[1], shared[1])


@pytest.mark.parametrize("queries", [1, MANY - 1])
def test_few_queries_and_masks_are_pytorchs(queries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = _draw(queries, 50, 8)
    asked = []
    monkeypatch.setattr(attention, "attend", lambda *a, **k: asked.append((a, k)))
    attention_cpu.attend(q, k, v, 0.3)
    q, k, v = _draw(50, 50, 8)
    attention_cpu.attend(q, k, v, 0.3, causal=True)
    attention_cpu.attend(q, k, v, 0.3, seen=torch.ones(50, 50, dtype=torch.bool))
    attention_cpu.attend(q.double(), k.double(), v.double(), 0.3)
    assert len(asked) == 4
