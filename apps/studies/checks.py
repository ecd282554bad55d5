"""Can what the settings say of studies be done? Run by `manage.py check` and at every start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from apps.studies.services import COERCIBLE


def check_coerced(**options: Any) -> list[CheckMessage]:
    """Every attribute of OPENPACS_COERCE_FROM_ORDER is one that an order knows."""
    return [
        Error(
            f"OPENPACS_COERCE_FROM_ORDER names {keyword}; an order knows "
            f"{', '.join(sorted(COERCIBLE))}.",
            id="studies.E001",
        )
        for keyword in settings.OPENPACS_COERCE_FROM_ORDER
        if keyword not in COERCIBLE
    ]
