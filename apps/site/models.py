"""The one-time link by which a new installation gets its first user."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun


class SetupLink(models.Model):
    """A link to the set-up page, known by the hash of its token only."""

    policy_noun = Noun.USER

    token_sha256 = models.CharField(_("SHA-256 of the token"), max_length=64, unique=True)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("valid until"))

    class Meta:
        verbose_name = _("set-up link")
        verbose_name_plural = _("set-up links")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.expires_at:%Y-%m-%d %H:%M}"
