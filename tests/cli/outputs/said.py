"""What goes past Python to the standard streams."""


def said_by_htslib(capfd):
    """Lines of it; log lines may go there too, once a command has run."""
    out, err = capfd.readouterr()
    return [line for line in (out + err).splitlines() if not line.startswith("janusdna: ")]
