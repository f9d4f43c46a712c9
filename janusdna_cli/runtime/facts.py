"""Facts for a person to read, a line each."""

from collections.abc import Mapping

__all__ = ["as_lines"]


def as_lines(facts: Mapping[str, object]) -> str:
    """Lines of `topic  fact`, the facts below each other."""
    width = max(map(len, facts), default=0)
    return "\n".join(f"{topic:<{width}}  {fact}" for topic, fact in facts.items())
