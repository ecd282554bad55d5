"""Why an export is not made, in words for the person who asked."""


class ExportRefused(Exception):
    """The export cannot be asked for or changed like this; the message says why."""


class NoRoom(ExportRefused):
    """The disk has no room for it."""


class NotMade(Exception):
    """The export cannot be made, now or later; the message says why."""
