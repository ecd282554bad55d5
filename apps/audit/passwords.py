"""Notes changed passwords, through the hook Django gives to password validators.

It is called wherever a password is stored: the user's own page, the back office, the
command line. What a good password is, the other validators decide.
"""

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.audit.models import Kind
from apps.audit.services import Origin, record


class PasswordJournal:
    def validate(self, password: str, user: User | None = None) -> None:
        """Every password may be noted."""

    def get_help_text(self) -> str:
        return _("The journal notes that it was changed, never what it is.")

    def password_changed(self, password: str, user: User | None = None) -> None:
        # The first password of a new account is part of its creation.
        if user is not None and user.last_login is not None:
            origin = Origin(protocol="system", peer=user.username)
            record(Kind.PASSWORD_CHANGED, user, origin=origin)
