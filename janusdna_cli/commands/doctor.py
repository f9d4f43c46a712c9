"""`janusdna doctor`."""

import typer

from janusdna_cli.commands import options
from janusdna_cli.runtime.progress import configure_logging

__all__ = ["doctor"]


def doctor(
    model: options.Model = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    kernels: options.Kernels = "auto",
) -> None:
    """Say what this machine offers: device, kernels and why, memory, the largest window that fits.

    Example: janusdna doctor
    """
    configure_logging()
    from janusdna_cli.runtime.doctor import describe_machine

    typer.echo(describe_machine(model=model, device=device, dtype=dtype, kernels=kernels))
