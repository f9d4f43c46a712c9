"""What commands about labels need beside the rest."""

from __future__ import annotations

from importlib.util import find_spec

from janusdna_cli.errors import InputError

__all__ = ["check_scikit_learn"]


def check_scikit_learn() -> None:
    """Whether metrics and linear models can be had.

    Raises:
        InputError: If not, with what to do.
    """
    if find_spec("sklearn") is None:
        raise InputError(
            "metrics and baselines need the package scikit-learn, which is not installed; "
            "run: pip install 'janusdna[labels]'"
        )
