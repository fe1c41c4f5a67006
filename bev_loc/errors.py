"""The exception family: every error that the caller can mend is one of these, said in one sentence.

The command line turns them into exit code 1 in one place (`cli/main.py`). What the *world* does
wrong (an empty scan, a stamp that goes back) is not an exception but a counted reason in a result.
"""


class BevLocError(Exception):
    """Any named error of this package; its text says what was expected, what came and what to do."""


class ConfigError(BevLocError):
    """An unknown key, a wrong type or a value out of range in a configuration."""


class SourceError(BevLocError):
    """A source that cannot be read at all: missing, empty, of unknown kind, without scans."""


class MapError(BevLocError):
    """A map bundle that cannot be used: missing, damaged, foreign, or made with other parameters."""


class OutputError(BevLocError):
    """A folder or file that cannot be written."""


class DependencyError(BevLocError):
    """An optional package that is needed here and is not installed; the text has the install line."""


class EstimateError(BevLocError):
    """An evaluation that has no answer: no common stamps, too few poses, a degenerate alignment."""
