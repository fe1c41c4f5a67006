"""What a decoder raises when one scan cannot be read; sources and nodes turn it into a counted `Dropped`."""


class DamagedScan(Exception):
    """One scan that cannot be decoded: `kind` is the short counted key, `reason` says what to do."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
