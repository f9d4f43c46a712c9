"""The Janus fusion: the mask itself, four flash attentions against the dense one, rows alone."""

import pytest
import torch
from torch import Tensor

from janusdna.ops import attention, fusion, reference

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


@pytest.mark.parametrize("blocked", [False, True], ids=["flash", "dense-blocks"])
@pytest.mark.parametrize("kind", ["all", "causal", "masked"])
def test_parts_merge_to_the_whole(monkeypatch: pytest.MonkeyPatch, kind: str, blocked: bool) -> None:
    """One attention over all keys, against two over a half each, merged."""
    monkeypatch.setattr(attention, "_SCORES_IN_FLIGHT", 100)
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 4, 10, 6, dtype=torch.float64) for _ in range(3))
    seen = torch.rand(10, 10) < 0.5
    seen[:, 0] = seen[:, 9] = True
    options = {"all": {}, "causal": {"causal": True}, "masked": {"seen": seen}}[kind]
    if blocked:
        arguments = {"causal": False, "seen": None} | options
        found = attention._attend_in_blocks(q, k, v, SCALE, **arguments)
    else:
        found = attention.attend(q, k, v, SCALE, **options)
    allowed = {"all": torch.ones(10, 10).bool(), "causal": torch.ones(10, 10).tril().bool(), "masked": seen}[
        kind
    ]
    scores = (q @ k.transpose(-1, -2) * SCALE).masked_fill(~allowed, -torch.inf)
    torch.testing.assert_close(found[0], scores.softmax(-1) @ v)
    torch.testing.assert_close(found[1].double(), scores.logsumexp(-1), atol=1e-6, rtol=1e-6)
    if kind != "causal":
        left, right = slice(0, 5), slice(5, 10)
        halves = [
            attention.attend(q, k[:, :, part], v[:, :, part], SCALE, seen=allowed[:, part])
            for part in (left, right)
        ]
        torch.testing.assert_close(attention.merge(*halves)[0], found[0])


@pytest.mark.parametrize("keys", [5, 64, 100, 103])
def test_keys_in_parts(monkeypatch: pytest.MonkeyPatch, keys: int) -> None:
    """As few queries are attended to on a GPU; what is fused there is dense here."""
    monkeypatch.setattr(attention, "_FEWEST_KEYS", 10)
    shapes = []

    def dense(q: Tensor, k: Tensor, v: Tensor, scale: float, *, causal: bool) -> attention.Partial:
        shapes.append(tuple(k.shape))
        return attention._attend_in_blocks(q, k, v, scale, causal=causal, seen=None)

    monkeypatch.setattr(attention, "_attend_cuda", dense)
    q, k, v = (torch.randn(1, 4, n, 8, dtype=torch.float64) for n in (7, keys, keys))
    out, lse = attention._attend_in_parts(q, k, v, SCALE)
    expected, whole = attention._attend_in_blocks(q, k, v, SCALE, causal=False, seen=None)
    assert (out - expected).abs().max() <= 1e-13
    assert (lse - whole).abs().max() <= 1e-13
    parts = max(1, keys // 10)
    assert shapes[0] == (parts, 4, keys // parts, 8)
    assert len(shapes) == 1 + (keys % parts > 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [6, 18, 36])
def test_what_is_asked_of_cuda(dtype: torch.dtype, size: int) -> None:
    """Shapes and dtypes only, without a GPU: PyTorch checks what its kernels are called with."""
    shape, keys = (2, 4, 2 * 50, size), (1, 4, 5000, size)
    q, k, v = (torch.empty(shape, device="meta", dtype=dtype, requires_grad=True) for _ in range(3))
    out = fusion.janus_attention(q, k, v, SCALE)
    assert (out.shape, out.dtype) == (q.shape, dtype)
    gradients = torch.autograd.grad(out.sum(), (q, k, v))
    assert [part.shape for part in gradients] == [q.shape] * 3
    with torch.no_grad():
        wide = [attention.padded(q[:1, :, :3]), *(attention.padded(q.new_empty(keys)) for _ in range(2))]
        assert wide[0].shape[-1] % 8 == 0
        found, lse = attention.attend(*wide, SCALE)
        assert (found.shape, found.dtype) == (wide[0].shape, dtype)
        assert (lse.shape, lse.dtype) == ((1, 4, 3), torch.float32)
        twice = (torch.cat((part, part), dim=2) for part in (k, v))
        mixed = attention.causal_attention(q, *twice, SCALE, prefix=100)
        assert (mixed.shape, mixed.dtype) == (q.shape, dtype)


@pytest.mark.parametrize("prefix", [0, 1, 9])
def test_causal_attention_with_a_prefix(prefix: int) -> None:
    q = torch.randn(2, 4, 12, 6, dtype=torch.float64)
    k, v = (torch.randn(2, 4, prefix + 12, 6, dtype=torch.float64) for _ in range(2))
    found = attention.causal_attention(q, k, v, SCALE, prefix=prefix)
    assert (found - reference.causal_attention(q, k, v, SCALE, prefix=prefix)).abs().max() <= 1e-13


def test_causal_attention_goes_on_from_earlier_rows() -> None:
    q = torch.randn(3, 4, 12, 6, dtype=torch.float64)
    k, v = (torch.randn(3, 4, 9 + 12, 6, dtype=torch.float64) for _ in range(2))
    earlier = [(torch.randn(4, m, 6).double(), torch.randn(4, m, 6).double()) for m in (0, 1, 17)]
    found = attention.causal_attention(q, k, v, SCALE, prefix=9, earlier=earlier)
    for i, (keys, values) in enumerate(earlier):
        whole = torch.cat((keys, k[i]), dim=1)[None], torch.cat((values, v[i]), dim=1)[None]
        prefix = 9 + keys.shape[1]
        expected = reference.causal_attention(q[i, None], *whole, SCALE, prefix=prefix)
        assert (found[i] - expected).abs().max() <= 1e-13
