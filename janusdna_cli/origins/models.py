"""Models: a directory, a name or a reference checkpoint."""

from janusdna_cli.origins.origin import Origin

__all__ = ["origin_of_model"]


def origin_of_model(model: str) -> Origin:
    """What a model is, and where its weights come from.

    Args:
        model: What `--model` takes, or a preset's name.

    Raises:
        CheckpointError: There is no such model.
    """
    from janusdna_cli.model_store.inventory import described

    found = described(model)
    return Origin(found.facts(), {"file": model, "kind": "model"} | found.record())
