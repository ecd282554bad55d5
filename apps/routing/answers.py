"""What a device means by the status of a C-STORE response (PS3.4 B.2.3, PS3.7 annex C)."""

from django.utils.translation import gettext_lazy as _

from apps.dimse.suboperations import Unanswered

SUCCESS = 0x0000
DUPLICATE = 0x0111  # SOP instance that it has already
CANNOT_UNDERSTAND = 0xC000
_OTHER_WARNINGS = frozenset({0x0001, 0x0107, 0x0116})

# Refusals that no second attempt heals: somebody has to change something first.
_NEVER = {
    0x0105: _("an attribute is unknown to it"),
    0x0106: _("it takes an attribute for invalid"),
    0x0117: _("it takes the SOP Instance UID for invalid"),
    0x0118: _("this SOP class is unknown to it"),
    0x0122: _("it does not take this kind of image, or not in this transfer syntax"),
    0x0124: _("we may not send this to it"),
    0x0211: _("it does not offer this"),
}
_LATER = {
    0x0110: _("it could not process this"),
    0x0213: _("it is out of resources"),
}
_UNANSWERED = {
    Unanswered.CUT: _("the connection broke"),
    Unanswered.UNREADABLE: _("the image could not be read here"),
}


def arrived(status: int) -> bool:
    """Does the device have the image now? Warnings mean yes."""
    warned = status >> 12 == 0xB or status in _OTHER_WARNINGS
    return status in (SUCCESS, DUPLICATE) or warned


def never(status: int) -> bool:
    """Would the device say the same again?"""
    # A9xx: data set and SOP class differ; Cxxx: cannot understand. C000 itself is tried again:
    # some archives say it of any trouble of theirs.
    not_understood = status >> 12 == 0xC and status != CANNOT_UNDERSTAND
    return status in _NEVER or status >> 8 == 0xA9 or not_understood


def plain(status: int | Unanswered) -> str:
    """A refusal in words, with its number: `it is out of resources (0xA700)`; or our own."""
    if isinstance(status, Unanswered):
        return str(_UNANSWERED[status])
    return f"{_words(status)} (0x{status:04X})"


def _words(status: int) -> str:
    if status in _NEVER or status in _LATER:
        return str({**_NEVER, **_LATER}[status])
    if status >> 8 == 0xA7:
        return str(_("it is out of resources"))
    if status >> 8 == 0xA9:
        return str(_("it says that the image is not what it is said to be"))
    if status >> 12 == 0xC:
        return str(_("it cannot read the image"))
    return str(_("it refused this"))
