"""What an answer has to say beside its body."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.dicomweb.views.lookup import root

NOT_SUPPORTED = "The {0} parameter is not supported. {1} has not been performed."


def warn(request: HttpRequest, response: HttpResponseBase, text: str) -> None:
    """A Warning header as PS3.18 8.3.4 words it: `299 <service>: text`, after those before it.

    One line of ASCII, although senders have a say in the words.
    """
    line = " ".join(text.split()).encode("ascii", "replace").decode()
    told = f"299 {request.build_absolute_uri(root())}: {line}"
    response["Warning"] = f"{response['Warning']}, {told}" if "Warning" in response else told
