"""The device profile as a form: lists to choose from, secrets that are never shown."""

import hashlib
import re
import ssl
from typing import Any, cast

from django import forms
from django.contrib.auth.hashers import make_password
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _
from pydicom.uid import UID

from apps.dicom.transcoding import ENCODABLE
from apps.worklist.conditions import WAITING
from apps.worklist.models import Device, ScheduledStep

# Transfer syntaxes of images and other objects in files; those of JPIP and of live video
# are no files.
SYNTAXES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.101",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.104",
    "1.2.840.10008.1.2.4.107",
    "1.2.840.10008.1.2.4.108",
)
# Defined terms of (0008,0005), PS3.3 C.12.1.1.2, in the words of those who set up devices.
CHARACTER_SETS = (
    ("ISO_IR 192", _("Unicode (UTF-8)")),
    ("ISO_IR 6", _("English letters only")),
    ("ISO_IR 100", _("Western European (Latin-1)")),
    ("ISO_IR 101", _("Central European (Latin-2)")),
    ("ISO_IR 109", _("South European (Latin-3)")),
    ("ISO_IR 110", _("North European (Latin-4)")),
    ("ISO_IR 144", _("Cyrillic")),
    ("ISO_IR 127", _("Arabic")),
    ("ISO_IR 126", _("Greek")),
    ("ISO_IR 138", _("Hebrew")),
    ("ISO_IR 148", _("Turkish (Latin-5)")),
    ("ISO_IR 166", _("Thai")),
    ("ISO_IR 13", _("Japanese, half-width katakana")),
    ("\\ISO 2022 IR 87", _("Japanese, kanji")),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", _("Japanese, half-width katakana and kanji")),
    ("\\ISO 2022 IR 149", _("Korean")),
    ("\\ISO 2022 IR 58", _("Chinese, simplified (GB 2312)")),
    ("GB18030", _("Chinese (GB 18030)")),
    ("GBK", _("Chinese (GBK)")),
)
STATUSES = [(one.value, one.label) for one in ScheduledStep.Status if one.value in WAITING]
LONGEST_PEM = 64 * 1024


def syntax_name(uid: str) -> str:
    """The standard's name of a UID, without what follows in brackets; the UID if unknown."""
    return re.sub(r" \(Process.*| Image Compression", "", str(UID(uid).name))


def fingerprint_of(pem: bytes) -> str:
    """SHA-256 of the first certificate of a PEM file; raises ValueError."""
    text = pem.decode("ascii")
    first = text[text.index("-----BEGIN CERTIFICATE-----") :]
    end = "-----END CERTIFICATE-----"
    first = first[: first.index(end) + len(end)]
    try:
        ssl.create_default_context(cadata=first)
    except ssl.SSLError:
        raise ValueError("not a certificate") from None
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


class LinesField(forms.CharField):
    """A list of texts, one per line."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField number"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = (super().to_python(value) or "").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class DeviceForm(forms.ModelForm[Device]):
    """All that can be said about a device; what contradicts itself is refused by the model."""

    hidden_statuses = forms.MultipleChoiceField(
        label=_("Steps it is not shown"),
        choices=STATUSES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_(
            "Hide “Scheduled” and the device lists only patients who have arrived. Steps that "
            "are over are on no worklist."
        ),
    )
    accepted_syntaxes = forms.MultipleChoiceField(
        label=_("Transfer syntaxes it takes"),
        widget=forms.SelectMultiple(attrs={"size": 8}),
        required=False,
        help_text=_(
            "As its conformance statement says. None chosen: images are offered as they are "
            "stored and, for a device that refuses that, uncompressed."
        ),
    )
    preferred_syntax = forms.ChoiceField(
        label=_("Compress images sent to it as"),
        choices=[("", _("As stored")), *((uid, syntax_name(uid)) for uid in sorted(ENCODABLE))],
        required=False,
        help_text=_("No image loses anything: only lossless transfer syntaxes are here."),
    )
    private_classes = LinesField(
        label=_("Private SOP classes it may send"),
        required=False,
        help_text=_("One UID per line. Those of the standard need not be named."),
    )
    character_set = forms.ChoiceField(
        label=_("Character set of answers"),
        help_text=_(
            "What the device can read. Characters it lacks lose their accents or become “?”."
        ),
    )
    new_password = forms.CharField(
        label=_("New password it has to give"),
        max_length=128,
        strip=False,
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Kept as a hash and never shown. Empty: the password stays as it is."),
    )
    forget_password = forms.BooleanField(
        label=_("Ask for the user name only"),
        required=False,
        help_text=_("Forgets the password."),
    )
    certificate_file = forms.FileField(
        label=_("Certificate of the device"),
        required=False,
        help_text=_("A PEM file: its fingerprint is taken from it, the file is not kept."),
    )

    class Meta:
        model = Device
        fields = (
            *("name", "ae_title", "modality", "station_name", "resource", "group"),
            *("host", "port", "active", "check_address", "max_associations"),
            *("may_store", "may_query", "may_retrieve", "may_read_worklist", "may_report_steps"),
            *("private_classes", "only_own_steps", "only_own_modality", "hidden_statuses"),
            *("character_set", "name_length", "may_receive", "wants_availability"),
            *("accepted_syntaxes", "preferred_syntax", "parallel_associations", "may_commit"),
            *("retrieve_by_get", "require_tls", "certificate_sha256", "identity_user", "tls"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer("accepted_syntaxes", [(uid, syntax_name(uid)) for uid in SYNTAXES])
        self._offer("character_set", [(term, f"{name}: {term}") for term, name in CHARACTER_SETS])
        if self.instance.identity_password and "new_password" in self.fields:
            self.fields["new_password"].label = _("Another password it has to give")
        if "certificate_sha256" in self.fields:
            # With colons, as certificate tools write it, it is longer than it is kept.
            self.fields["certificate_sha256"].validators = []
            self.fields["certificate_sha256"].widget.attrs.pop("maxlength", None)

    def _offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        """The named choices, and what the row holds although it is not among them."""
        if name not in self.fields:  # somebody who may look only
            return
        held = getattr(self.instance, name)
        known = {value for value, _label in choices}
        others = [one for one in (held if isinstance(held, list) else [held]) if one not in known]
        field = cast("forms.ChoiceField", self.fields[name])
        field.choices = [*choices, *((one, syntax_name(one)) for one in others)]

    def clean_certificate_sha256(self) -> str:
        return re.sub(r"[\s:]", "", self.cleaned_data["certificate_sha256"]).lower()

    def clean_certificate_file(self) -> str:
        """The fingerprint of what was uploaded; empty where nothing was."""
        file: UploadedFile[bytes] | None = self.cleaned_data["certificate_file"]
        if file is None:
            return ""
        try:
            return fingerprint_of(file.read(LONGEST_PEM))
        except ValueError:
            raise forms.ValidationError(_("This file holds no certificate in PEM.")) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("certificate_file"):
            data["certificate_sha256"] = data["certificate_file"]
        if data.get("new_password") and not data.get("identity_user"):
            self.add_error("identity_user", _("A password needs a user name."))
        if data.get("new_password") and data.get("forget_password"):
            self.add_error("forget_password", _("Either a new password or none."))
        return data

    def _post_clean(self) -> None:
        """The password goes into the row as a hash, before the row is looked at as a whole."""
        if self.cleaned_data.get("forget_password"):
            self.instance.identity_password = ""
        if self.cleaned_data.get("new_password"):
            self.instance.identity_password = make_password(self.cleaned_data["new_password"])
        super()._post_clean()  # type: ignore[misc]
