"""How much one script may ask: a limit that stops loops, not work."""

import logging
import math
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

log = logging.getLogger(__name__)


class OneCaller(SimpleRateThrottle):
    """OPENPACS_API_REQUESTS in any minute: of each token by itself, of a person without one.

    Counted in the cache: without Redis each process of the web server counts by itself.
    """

    scope = "api"

    def get_rate(self) -> str | None:
        most = settings.OPENPACS_API_REQUESTS
        return f"{most}/min" if most else None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Where nothing can be counted everybody is served."""
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            log.warning("Requests are not counted: %s", type(error).__name__)
            return True

    def get_cache_key(self, request: Request, view: Any) -> str:
        token = getattr(request._request, "api_token", None)
        who = f"token-{token.pk}" if token else f"user-{request.user.pk}"
        return f"api-requests-{who}"


def seconds_to_wait(error: Throttled) -> int:
    """Whole seconds, so that who waits for them has waited long enough."""
    wait: float | None = getattr(error, "wait", None)
    return max(1, math.ceil(wait or 1))
