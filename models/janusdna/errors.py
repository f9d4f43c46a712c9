"""Everything `janusdna` raises on purpose.

JanusDNAError
├── ConfigError        a model configuration that describes no network
├── SequenceError      a sequence or targets that the network cannot read
├── CheckpointError    a file or directory that holds no usable model
├── LayerError         a layer that the network does not have
├── BackendError       a kernel or a device that is not there
└── TrainingError      a step of a training that cannot be made
"""

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "JanusDNAError",
    "LayerError",
    "SequenceError",
    "TrainingError",
]


class JanusDNAError(Exception):
    """Base of all errors that a user can cause; its message is one line."""


class ConfigError(JanusDNAError):
    """A model configuration that describes no network."""


class SequenceError(JanusDNAError):
    """A sequence or targets that the network cannot read."""


class CheckpointError(JanusDNAError):
    """A file or directory that holds no usable model."""


class LayerError(JanusDNAError):
    """A layer that the network does not have, or that cannot be read like this."""


class BackendError(JanusDNAError):
    """A kernel or a device that was asked for by name and is not there."""


class TrainingError(JanusDNAError):
    """A step whose loss or gradient is not a finite number.

    Attributes:
        windows: Which of the step's windows cause it, by their place among those that were given; none
            where another process was given them.
    """

    def __init__(self, message: str, windows: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.windows = windows
