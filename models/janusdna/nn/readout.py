"""Linear layers whose outputs are numbers each for itself."""

from torch import nn

__all__ = ["Readout"]


class Readout(nn.Linear):
    """A linear layer that gives no hidden state but numbers each for itself.

    They are scores of tokens, experts or labels, or step sizes of channels: no direction among them has a
    meaning, so an optimiser of matrices has nothing to do here.
    """
