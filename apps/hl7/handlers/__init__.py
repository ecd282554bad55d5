"""One function per message: fields in, a service called, what it was about out."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from apps.audit.services import Origin
from apps.hl7.messages import ParsedMessage
from apps.hl7.models import Partner
from apps.hl7.services.received import Taken


@dataclass(frozen=True, kw_only=True)
class News:
    """A message, who sent it and when it happened (None where that is not known)."""

    message: ParsedMessage
    partner: Partner
    origin: Origin
    happened_at: datetime.datetime | None = None


Handler = Callable[[News], Taken]
