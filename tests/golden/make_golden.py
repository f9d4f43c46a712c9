"""Writes what `plain_network.py` computes for `cases.py`: NAME.safetensors and provenance.json beside it.

python -m tests.golden.make_golden
"""

import json
import platform
import subprocess
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from .cases import CASES, LENGTHS, Case, draw_weights, draw_windows, sha256
from .plain_network import OBJECTIVES, PlainNetwork

HERE = Path(__file__).parent
# Experts whose logits differ by less could change places where float32 rounds otherwise.
CLEAR = 3e-4
LONG = 100


def expected(case: Case, lengths: tuple[int, ...] = LENGTHS) -> tuple[dict[str, Tensor], float]:
    """All that is kept of a case, and by how much the worst expert chosen was better than the best left out.

    Returns:
        By `T{length}.{what}`: `hidden` (of short windows) and `logits` of the janus objective, (B, T, ...);
        `OBJECTIVE.losses`, the prediction's and the routers'; `OBJECTIVE.gradients`, the L2 norm of the
        gradient of their sum by parameter, in the order of `draw_weights`. Of long windows janus alone.
    """
    network = PlainNetwork(draw_weights(case), case.settings)
    found, gaps = {}, []
    for length in lengths:
        windows = draw_windows(case, length)
        with torch.no_grad():
            answers = [network.read(ids, "janus") for ids in windows.ids]
            answers += [network.read(ids, "mlm") for ids in windows.masked]
        gaps += [gap(logits) for answer in answers for stream in answer.routers for logits in stream]
        read = answers[: len(windows.ids)]
        found[f"T{length}.logits"] = torch.stack([answer.logits for answer in read])
        if length < LONG:
            found[f"T{length}.hidden"] = torch.stack([answer.hidden for answer in read])
        for objective in OBJECTIVES if length < LONG else ("janus",):
            losses = network.losses(*windows.example(objective), objective)
            gradients = torch.autograd.grad(sum(losses), list(network.weights.values()), allow_unused=True)
            norms = [0.0 if gradient is None else float(gradient.norm()) for gradient in gradients]
            found[f"T{length}.{objective}.losses"] = torch.stack(losses).detach()
            found[f"T{length}.{objective}.gradients"] = torch.tensor(norms, dtype=torch.float64)
    return found, min(gaps)


def gap(logits: Tensor) -> float:
    """Between the second and the third of each token, the smallest."""
    ranked = logits.sort(dim=-1, descending=True).values
    return float((ranked[:, 1] - ranked[:, 2]).min())


def main() -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    facts = {
        "made by": "tests/golden/make_golden.py, from plain_network.py and cases.py",
        "on top of commit": commit.stdout.strip(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "cases": {},
    }
    for case in CASES:
        tensors, least = expected(case)
        if least < CLEAR:
            raise SystemExit(f"{case.name}: two experts are {least:.1e} apart; give it another seed")
        save_file(tensors, HERE / f"{case.name}.safetensors")
        facts["cases"][case.name] = {"weights_sha256": sha256(draw_weights(case)), "least_gap": least}
    (HERE / "provenance.json").write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
