"""All errors of the app, in one tree.

NanoError                   base; never raised itself
├── UserError               the person can fix it: the message says how, and is safe to show
│   ├── InvalidRequest      a message, history, budget or sampling value that can't be used
│   ├── ContextTooLong      the prompt does not fit the model's context
│   ├── Busy                the queue is full; try again
│   ├── UnknownRequest      no running request has this id
│   ├── ModelUnavailable    the model can't be loaded from where it was asked for
│   └── ConfigurationError  a setting, file or port of the app itself is unusable
└── EngineError             the engine failed: not the person's fault
    ├── EngineClosed        the engine is closed or closing
    └── GenerationFailed    one generation ended by an internal failure
"""


class NanoError(Exception):
    """Base of every error the app raises on purpose."""


class UserError(NanoError):
    """An error whose message is one sentence for the person, saying what to change."""


class InvalidRequest(UserError):
    """A value of the request is unusable."""


class ContextTooLong(UserError):
    """The prompt and the answer's reserve are longer than the model's context."""


class Busy(UserError):
    """As many requests are waiting as the engine accepts."""


class UnknownRequest(UserError):
    """The id names no running request: it never existed or has finished."""


class ModelUnavailable(UserError):
    """The model can't be found, read or run."""


class ConfigurationError(UserError):
    """A setting of the app is unusable."""


class EngineError(NanoError):
    """A failure inside the engine; its message is shown, its details are logged."""


class EngineClosed(EngineError):
    """The engine is closed, so the request can't run or go on."""


class GenerationFailed(EngineError):
    """One generation ended by a failure; other requests go on."""
