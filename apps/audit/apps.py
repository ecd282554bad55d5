from django.apps import AppConfig
from django.core import checks


class AuditConfig(AppConfig):
    name = "apps.audit"

    def ready(self) -> None:
        # Accounts lie below the journal and cannot call it; Django's own signals carry
        # signing in and out up here. The only signals in the house.
        from django.contrib.auth import signals

        from apps.audit import sign_in
        from apps.audit.checks import check_subscribers

        signals.user_logged_in.connect(sign_in.note_signed_in)
        signals.user_logged_out.connect(sign_in.note_signed_out)
        signals.user_login_failed.connect(sign_in.note_sign_in_failed)
        checks.register(check_subscribers)
