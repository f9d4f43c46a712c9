"""The Janus fusion: the mask itself, four flash attentions against the dense one, rows alone."""

import pytest
import torch
from torch import Tensor

from janusdna.ops import attention, flex, fusion, reference

SCALE = 0.31


def rows(length: int, dtype: torch.dtype, batch: int = 2) -> list[Tensor]:
    g = torch.Generator().manual_seed(length)
    return [torch.randn(batch, 4, 2 * length, 6, dtype=dtype, generator=g).requires_grad_() for _ in range(3)]


def test_mask_by_the_papers_words() -> None:
    length = 6
    mask = reference.janus_mask(length)
    for i in range(length):
        for k in range(length):
            assert mask[i, k] == (k <= i)
            assert mask[i, length + k] == (k >= i + 2)
            assert mask[length + i, k] == (k <= i - 2)
            assert mask[length + i, length + k] == (k >= i)


@pytest.mark.parametrize("length", [3, 4, 5, 64, 131])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-6)])
def test_four_flash_equals_dense(length: int, dtype: torch.dtype, tolerance: float) -> None:
    q, k, v = rows(length, dtype)
    found = fusion.janus_attention(q, k, v, SCALE)
    expected = reference.janus_attention(q.double(), k.double(), v.double(), SCALE)
    assert (found - expected).abs().max() <= tolerance
    weight = torch.randn_like(found)
    fast = torch.autograd.grad((found * weight).sum(), (q, k, v))
    exact = torch.autograd.grad((expected * weight.double()).sum(), (q, k, v))
    for one, other in zip(fast, exact, strict=True):
        assert (one - other).abs().max() <= 10 * tolerance


@pytest.mark.parametrize("length", [3, 5, 40])
def test_rows_alone_equal_all_rows(length: int) -> None:
    q, k, v = (part.detach() for part in rows(length, torch.float64))
    everything = reference.janus_attention(q, k, v, SCALE)
    targets = torch.stack([torch.arange(length), torch.randperm(length)])
    before, after = (targets - 1).clamp(min=0), length + (targets + 1).clamp(max=length - 1)

    def pick(source: Tensor) -> Tensor:
        picked = [source[b, :, torch.stack((before[b], after[b]), dim=-1)] for b in range(2)]
        return torch.stack(picked)

    found = fusion.janus_attention_rows(pick(q), k, v, targets, SCALE)
    expected = pick(everything)
    exists = torch.stack((targets > 0, targets < length - 1), dim=-1)[:, None, ..., None]
    assert ((found - expected).abs() * exists).max() <= 1e-13


def test_rows_in_blocks_equal_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _, k, v = (part.detach() for part in rows(30, torch.float64))
    q, targets = torch.randn(2, 4, 11, 2, 6, dtype=torch.float64), torch.randint(0, 30, (2, 11))
    whole = fusion.janus_attention_rows(q, k, v, targets, SCALE)
    monkeypatch.setattr(fusion, "_MASK_ELEMENTS", 300)
    torch.testing.assert_close(fusion.janus_attention_rows(q, k, v, targets, SCALE), whole)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("length", [3, 17])
def test_flex_attention_equals_dense(length: int) -> None:
    q, k, v = (part.detach() for part in rows(length, torch.float32))
    found = flex.janus_attention(q, k, v, SCALE, compiled=False)
    assert (found - reference.janus_attention(q, k, v, SCALE)).abs().max() <= 2e-6


@pytest.mark.parametrize("prefix", [0, 1, 9])
def test_causal_attention_with_a_prefix(prefix: int) -> None:
    q = torch.randn(2, 4, 12, 6, dtype=torch.float64)
    k, v = (torch.randn(2, 4, prefix + 12, 6, dtype=torch.float64) for _ in range(2))
    found = attention.causal_attention(q, k, v, SCALE, prefix=prefix)
    assert (found - reference.causal_attention(q, k, v, SCALE, prefix=prefix)).abs().max() <= 1e-13
