"""What may stand in a place of an address."""


class Word:
    """A UID, an AE title, a label: no slash and no control characters, which no column holds."""

    regex = r"[^/\x00-\x1f\x7f]{1,128}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class RowKey:
    """A key that fits into its column."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)
