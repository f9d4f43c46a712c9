"""Whether float32 comes as close to float64 as it can: as close as plain operations do on this processor.

How far rounding carries a result depends on the order in which a processor adds up, so no fixed number fits
all of them; what another way of computing the same in float32 makes of it on the same machine does.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

Tensors = Tensor | Mapping[str, Tensor]
# Of two ways of rounding, the worse may be so much worse by chance.
_TIMES = 4.0
# Of float32's 6e-8 for a single operation: where the plain result is right by luck.
_FLOOR = 1e-5


def distance(found: Tensor, exact: Tensor) -> float:
    """The largest difference, relative to the largest value; absolute where there is nothing but zeros."""
    largest = exact.abs().max().item()
    return ((found.cpu() - exact).abs().max() / (largest or 1)).item()


def assert_as_close(
    found: Tensors,
    plain: Tensors,
    exact: Tensors,
    *,
    floor: float = _FLOOR,
    kind: Callable[[str], str] = lambda name: "",
) -> None:
    """`found` is about as far from `exact` as the worst of `plain` is; tensors by name, or single ones.

    Args:
        found: What is tested.
        plain: The same in the same dtype, computed in a way that is trusted.
        exact: The same in float64.
        floor: What is close enough whatever `plain` is, relative to the largest value.
        kind: Of a name. Each is measured by the worst of its own kind, of which there should be several.
    """
    if isinstance(exact, Tensor):
        found, plain, exact = ({"": part} for part in (found, plain, exact))
    rounding: dict[str, float] = {}
    for name, truth in exact.items():
        rounding[kind(name)] = max(rounding.get(kind(name), 0.0), distance(plain[name], truth))
    for name, truth in exact.items():
        error, allowed = distance(found[name], truth), _TIMES * rounding[kind(name)] + floor
        assert error <= allowed, f"{name}: off by {error:.1e}, plain by {rounding[kind(name)]:.1e}"
