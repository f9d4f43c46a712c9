"""The fusion by FlexAttention: as the dense one, and the blocks that PyTorch finds."""

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask

from janusdna.ops import reference

SCALE = 0.31


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("length", [3, 17])
def test_it_equals_dense(module, length):
    generator = torch.Generator().manual_seed(length)
    q, k, v = (torch.randn(2, 4, 2 * length, 6, generator=generator) for _ in range(3))
    found = module("flex_attention").janus_attention(q, k, v, SCALE, compiled=False)
    assert (found - reference.janus_attention(q, k, v, SCALE)).abs().max() <= 2e-6


@pytest.mark.parametrize("length", [3, 4, 64, 65, 127, 128, 129, 200, 256, 300])
def test_it_knows_its_blocks(module, length):
    """Against the blocks that PyTorch finds in the dense mask."""
    found = module("flex_attention").block_mask(length, torch.device("cpu"))
    dense = reference.janus_mask(length)

    def sees(batch, head, row, key):
        return dense[row.clamp(max=2 * length - 1), key.clamp(max=2 * length - 1)]

    expected = create_block_mask(sees, None, None, 2 * length, 2 * length, device="cpu")
    assert found.seq_lengths == expected.seq_lengths
    for kind in ("kv", "full_kv"):
        counts, theirs = (getattr(mask, f"{kind}_num_blocks")[0, 0] for mask in (found, expected))
        assert torch.equal(counts, theirs)
        blocks, others = (getattr(mask, f"{kind}_indices")[0, 0] for mask in (found, expected))
        for row, count in enumerate(counts.tolist()):
            assert set(blocks[row, :count].tolist()) == set(others[row, :count].tolist())
    row, key = torch.meshgrid(torch.arange(2 * length), torch.arange(2 * length), indexing="ij")
    assert torch.equal(found.mask_mod(None, None, row, key), dense)
