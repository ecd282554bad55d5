"""The journal: one row per state change, which is audit trail and outbox at once."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.policy import Noun


class Kind(models.TextChoices):
    """Everything that can happen, in the order of a patient's way through the house."""

    USER_SIGNED_IN = "user-signed-in", _("User signed in")
    USER_SIGNED_OUT = "user-signed-out", _("User signed out")
    SIGN_IN_FAILED = "sign-in-failed", _("Sign-in failed")
    PASSWORD_CHANGED = "password-changed", _("Password changed")
    PASSWORD_LINK_MADE = "password-link-made", _("One-time password link made")
    USER_CREATED = "user-created", _("User created")
    API_TOKEN_MADE = "api-token-made", _("API token made")
    API_TOKEN_REVOKED = "api-token-revoked", _("API token revoked")
    API_TOKEN_REFUSED = "api-token-refused", _("API token refused")
    JOURNAL_EXPORTED = "journal-exported", _("Journal exported")
    SITE_CHANGED = "site-changed", _("Site configuration changed")
    PATIENT_REGISTERED = "patient-registered", _("Patient registered")
    PATIENT_UPDATED = "patient-updated", _("Patient updated")
    PATIENT_VIEWED = "patient-viewed", _("Patient viewed")
    ORDER_PLACED = "order-placed", _("Order placed")
    ORDER_CHANGED = "order-changed", _("Order changed")
    ORDER_CANCELLED = "order-cancelled", _("Order cancelled")
    APPOINTMENT_BOOKED = "appointment-booked", _("Appointment booked")
    APPOINTMENT_MOVED = "appointment-moved", _("Appointment moved")
    APPOINTMENT_CANCELLED = "appointment-cancelled", _("Appointment cancelled")
    PATIENT_ARRIVED = "patient-arrived", _("Patient arrived")
    STEP_SCHEDULED = "step-scheduled", _("Step scheduled")
    WORKLIST_QUERIED = "worklist-queried", _("Worklist queried")
    STEP_STARTED = "step-started", _("Step started")
    STEP_COMPLETED = "step-completed", _("Step completed")
    STEP_DISCONTINUED = "step-discontinued", _("Step discontinued")
    STEP_CANCELLED = "step-cancelled", _("Step cancelled")
    WORKITEM_CREATED = "workitem-created", _("Work item created")
    WORKITEM_CHANGED = "workitem-changed", _("Work item changed")
    WORKITEM_STATE = "workitem-state", _("Work item claimed, completed or cancelled")
    WORKITEM_CANCEL_ASKED = "workitem-cancel-asked", _("Cancelling a work item asked for")
    WORKITEM_SUBSCRIBED = "workitem-subscribed", _("Subscribed to work items")
    WORKITEM_UNSUBSCRIBED = "workitem-unsubscribed", _("Subscription to work items ended")
    ASSOCIATION_REJECTED = "association-rejected", _("Association rejected")
    FILE_REFUSED = "file-refused", _("File refused")
    FILES_UPLOADED = "files-uploaded", _("Files uploaded in the browser")
    STUDY_RECEIVED = "study-received", _("Study received")
    STUDIES_QUERIED = "studies-queried", _("Studies queried")
    STUDIES_RETRIEVED = "studies-retrieved", _("Studies retrieved")
    STUDY_SENT = "study-sent", _("Study sent")
    STUDY_EXPORTED = "study-exported", _("Study exported")
    EXPORT_RELEASED = "export-released", _("Export released")
    EXPORT_DECIDED = "export-decided", _("Held objects of an export decided on")
    EXPORT_MADE = "export-made", _("Export made")
    EXPORT_FAILED = "export-failed", _("Export failed")
    EXPORT_DOWNLOADED = "export-downloaded", _("Export downloaded")
    EXPORT_DELETED = "export-deleted", _("Export deleted")
    EXPORT_PROFILE_MADE = "export-profile-made", _("Profile of anonymised exports made")
    CODES_VIEWED = "codes-viewed", _("Codes of patients viewed")
    STUDY_SENDING_FAILED = "study-sending-failed", _("Sending a study failed")
    STUDY_CORRECTED = "study-corrected", _("Study corrected")
    CORRECTION_UNDONE = "correction-undone", _("Correction undone")
    CONFLICT_FOUND = "conflict-found", _("Two objects with one UID")
    CONFLICT_SETTLED = "conflict-settled", _("Conflict settled")
    OBJECTS_REJECTED = "objects-rejected", _("Images rejected")
    OBJECTS_RESTORED = "objects-restored", _("Rejected images restored")
    REJECTED_AGAIN = "rejected-again", _("Rejected images came again")
    TRANSFER_ASKED = "transfer-asked", _("Study asked to be sent")
    TRANSFER_REQUEUED = "transfer-requeued", _("Transfer queued again")
    TRANSFER_DROPPED = "transfer-dropped", _("Transfer given up")
    REMOTE_QUERIED = "remote-queried", _("Remote archive queried")
    REMOTE_RETRIEVED = "remote-retrieved", _("Retrieved from a remote archive")
    COMMITMENT_ASKED = "commitment-asked", _("Storage commitment asked for")
    AVAILABILITY_TOLD = "availability-told", _("Instance availability told")
    INDEX_REBUILT = "index-rebuilt", _("Index rebuilt from the files")
    FILES_VERIFIED = "files-verified", _("Stored files verified")
    FILE_DAMAGED = "file-damaged", _("A stored file is damaged or missing")
    STUDY_MATCHED = "study-matched", _("Study matched to its order")
    STUDY_UNMATCHED = "study-unmatched", _("Study taken from its order")
    STUDY_COMPLETE = "study-complete", _("Study complete")
    STUDY_EXTENDED = "study-extended", _("Late images of a study are complete")
    OBJECT_SAVED = "object-saved", _("Object saved beside the images")
    KEY_IMAGES_CHANGED = "key-images-changed", _("Key images changed")
    STUDY_PREFETCHED = "study-prefetched", _("Study fetched before it is opened")
    STUDY_VIEWED = "study-viewed", _("Study viewed")
    IMAGES_PRINTED = "images-printed", _("Images printed")
    INSTANCE_TAKEN = "instance-taken", _("File of an image downloaded")
    FILTER_SAVED = "filter-saved", _("Search of studies kept")
    FILTER_REMOVED = "filter-removed", _("Search of studies removed")
    FILTER_CHOSEN = "filter-chosen", _("First search of studies chosen")
    STUDY_LABELLED = "study-labelled", _("Label hung on a study")
    STUDY_UNLABELLED = "study-unlabelled", _("Label taken off a study")
    LAYOUT_SAVED = "layout-saved", _("Layout of the viewer kept")
    LAYOUT_REMOVED = "layout-removed", _("Layout of the viewer removed")
    PREFERENCES_KEPT = "preferences-kept", _("Preferences in the viewer kept")
    REGULAR_ASKED = "regular-asked", _("Regular series asked for")
    REGULAR_MADE = "regular-made", _("Regular series made")
    REGULAR_FAILED = "regular-failed", _("Making a regular series failed")
    STORAGE_COMMITTED = "storage-committed", _("Storage committed")
    REPORT_PREPARED = "report-prepared", _("Report waiting to be read")
    REPORT_CLAIMED = "report-claimed", _("Report claimed")
    REPORT_RELEASED = "report-released", _("Report given back")
    REPORT_DRAFTED = "report-drafted", _("Report draft saved")
    REPORT_PICTURE_ADDED = "report-picture-added", _("Picture added to a report")
    REPORT_PICTURE_CHANGED = "report-picture-changed", _("Picture of a report changed")
    REPORT_PICTURE_REMOVED = "report-picture-removed", _("Picture taken out of a report")
    REPORT_SIGNED = "report-signed", _("Report signed")
    REPORT_SIGNING_REFUSED = "report-signing-refused", _("Report not signed: other patient shown")
    REPORT_VIEWED = "report-viewed", _("Report viewed")
    MESSAGE_RECEIVED = "message-received", _("HL7 message received")
    MESSAGE_REFUSED = "message-refused", _("HL7 message refused")
    MESSAGE_SENT = "message-sent", _("HL7 message sent")
    MESSAGE_FAILED = "message-failed", _("HL7 message failed")
    MESSAGE_REQUEUED = "message-requeued", _("HL7 message queued again")
    DEVICE_ECHOED = "device-echoed", _("Device echo tested")


class Event(models.Model):
    """What happened, to what, when, by whom and through which door.

    Never holds patient names: `details` carries keys, numbers and UIDs. Rows are written
    by `audit.services.record` only and never change, but for `delivered_at` (the outbox
    stamp) and the seal (`position`, `digest`: the hash chain, set once by the sealer).
    """

    policy_noun = Noun.JOURNAL

    kind = models.CharField(_("what"), max_length=32, choices=Kind.choices)
    at = models.DateTimeField(_("when"), auto_now_add=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    protocol = models.CharField(_("door"), max_length=16)
    peer = models.CharField(_("peer"), max_length=128, blank=True)
    address = models.CharField(_("address"), max_length=64, blank=True)
    subject_type = models.CharField(_("subject type"), max_length=64, blank=True)
    subject_id = models.CharField(_("subject"), max_length=64, blank=True)
    # Keys, not foreign keys: this room lies below patients and orders.
    patient_id = models.BigIntegerField(_("patient key"), null=True, blank=True)
    accession_number = models.CharField(_("accession number"), max_length=64, blank=True)
    study_instance_uid = models.CharField(_("Study Instance UID"), max_length=64, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    position = models.BigIntegerField(_("position in the chain"), null=True, unique=True)
    digest = models.CharField(_("digest"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("journal row")
        verbose_name_plural = _("journal")
        ordering = ("-id",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # A row is sealed as a whole: a place in the chain has a digest and vice versa.
            models.CheckConstraint(
                condition=models.Q(position__isnull=True, digest="")
                | (models.Q(position__isnull=False) & ~models.Q(digest="")),
                name="event_sealed_as_a_whole",
                violation_error_message=_(
                    "A journal row is sealed as a whole: its place in the chain needs a digest."
                ),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subject_type", "subject_id"], name="event_by_subject"),
            models.Index(fields=["patient_id", "id"], name="event_by_patient"),
            models.Index(fields=["accession_number", "id"], name="event_by_accession"),
            models.Index(fields=["study_instance_uid", "id"], name="event_by_study"),
            models.Index(fields=["kind", "id"], name="event_by_kind"),
            models.Index(fields=["at"], name="event_by_time"),
            # The outbox: rows whose subscribers have not been started yet.
            models.Index(
                fields=["id"],
                condition=models.Q(delivered_at=None),
                name="event_undelivered",
            ),
            # The sealer: rows without a place in the chain.
            models.Index(fields=["id"], condition=models.Q(position=None), name="event_unsealed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"
