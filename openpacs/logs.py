"""What the log says of requests that Django refuses before any view sees them."""

import logging


class WithoutTraceback(logging.Filter):
    """One line for a refused request: a stranger must not write pages into the log.

    A wrong Host header or too many fields are no error of ours; Django logs them under
    `django.security` with where in its own code it noticed.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security"):
            record.exc_info = record.exc_text = None
        return True
