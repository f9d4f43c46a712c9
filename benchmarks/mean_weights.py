"""Does the mean of two models' weights predict better than either?

    python benchmarks/mean_weights.py run-a/model run-b/model -o averaged
    python benchmarks/baselines.py --model averaged

Writes the model of which every weight is the mean. It is of use where one began with the other's weights and
both ended at a low learning rate; of models that were trained apart it predicts nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from janusdna.checkpoint import Checkpoint, read_native, save


def main() -> None:
    """Write the model, and say which it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="folders that pretrain or models convert wrote")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    averaged = mean_of([read_native(folder) for folder in options.models])
    print(f"{options.output}: sha256 {save(averaged, options.output)}")


def mean_of(models: list[Checkpoint]) -> Checkpoint:
    """Of each weight the mean, in its own dtype.

    Raises:
        ValueError: If their sizes differ.
    """
    first, *others = models
    for model in others:
        if model.config != first.config:
            raise ValueError(
                f"{model.name} has other sizes than {first.name}: expected models of one training"
            )
    tensors = {
        name: torch.stack([model.tensors[name].double() for model in models]).mean(0).to(tensor.dtype)
        for name, tensor in first.tensors.items()
    }
    provenance = {"mean_of": [model.sha256 for model in models]}
    return dataclasses.replace(first, tensors=tensors, provenance=first.provenance | provenance)


if __name__ == "__main__":
    main()
