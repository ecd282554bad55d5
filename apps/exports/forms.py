"""What is asked for, and by which profile it is made nameless."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.dicom.confidentiality import Option
from apps.exports.models import Export, HeldObject, Profile
from apps.viewer.print_forms import ImagesForm

SELECT = {"class": "form-select"}
TEXT = {"class": "form-control"}
MOST_REGIONS = 20

OPTION_LABELS = {
    Option.RETAIN_UIDS: _("Keep UIDs: images can be traced back to this archive"),
    Option.RETAIN_PATIENT: _("Keep age, sex, size and weight"),
    Option.FULL_DATES: _("Keep all dates and times"),
    Option.MODIFIED_DATES: _("Keep dates, moved by as many days for each patient"),
    Option.RETAIN_DEVICE: _("Keep which device made the images"),
    Option.RETAIN_INSTITUTION: _("Keep the institution"),
    Option.CLEAN_DESCRIPTORS: _("Keep descriptions, with names and numbers taken out"),
    Option.CLEAN_CONTENT: _("Keep the content of reports that is not known to name somebody"),
    Option.CLEAN_GRAPHICS: _("Keep drawings over images; a person looks at each"),
    Option.RETAIN_SAFE_PRIVATE: _("Keep private attributes known to be harmless"),
}


class ExportForm(forms.Form):
    """How chosen studies are to leave."""

    kind = forms.ChoiceField(
        label=_("What is made"),
        choices=[one for one in Export.Kind.choices if one[0] != Export.Kind.FILM],
        initial=Export.Kind.ZIP,
        widget=forms.RadioSelect,
    )
    viewer = forms.BooleanField(
        label=_("With pictures to look at on any PC"),
        required=False,
        initial=True,
        help_text=_("ZIP archive and disc: a page that opens in a browser, without a viewer."),
    )
    pictures = forms.ChoiceField(
        label=_("Pictures as"),
        required=False,
        choices=[("jpeg", "JPEG"), ("png", "PNG")],
        widget=forms.Select(attrs=SELECT),
    )
    profile = forms.ModelChoiceField(
        label=_("Profile"),
        required=False,
        queryset=Profile.objects.all(),
        empty_label=None,
        widget=forms.Select(attrs=SELECT),
        help_text=_("Of the anonymised export: what is taken out, and what stays."),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("kind") == Export.Kind.ANONYMISED and not cleaned.get("profile"):
            self.add_error("profile", _("Choose a profile for the anonymised export."))
        return cleaned

    @property
    def wanted(self) -> dict[str, Any]:
        """The arguments of `ask_for_export`."""
        kind = self.cleaned_data["kind"]
        options: dict[str, Any] = {}
        if kind in (Export.Kind.ZIP, Export.Kind.DISC):
            options["viewer"] = self.cleaned_data["viewer"]
        if kind == Export.Kind.PICTURES:
            options["pictures"] = self.cleaned_data["pictures"] or "jpeg"
        anonymised = kind == Export.Kind.ANONYMISED
        profile = self.cleaned_data["profile"] if anonymised else None
        return {"kind": kind, "options": options, "profile": profile}


class ProfileForm(forms.Form):
    """A new profile."""

    name = forms.CharField(label=_("Name"), max_length=64, widget=forms.TextInput(attrs=TEXT))
    options = forms.MultipleChoiceField(
        label=_("What stays, beyond the Basic Profile"),
        required=False,
        choices=[(option.value, label) for option, label in OPTION_LABELS.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Profile.objects.filter(name=name).exists():
            raise forms.ValidationError(_("There is a profile of this name already."))
        return name

    def clean_options(self) -> list[str]:
        options: list[str] = self.cleaned_data["options"]
        if {Option.FULL_DATES, Option.MODIFIED_DATES} <= set(options):
            raise forms.ValidationError(_("Dates are either kept or moved."))
        return options


class DecisionForm(forms.Form):
    """What becomes of one held object."""

    decision = forms.ChoiceField(
        label=_("Decision"),
        required=False,
        choices=[
            (HeldObject.Decision.TAKEN, _("Take along")),
            (HeldObject.Decision.LEFT_OUT, _("Leave out")),
        ],
        widget=forms.RadioSelect,
    )
    regions = forms.CharField(
        label=_("Blank these regions"),
        required=False,
        max_length=400,
        widget=forms.TextInput(attrs={**TEXT, "placeholder": "0 0 200 40"}),
        help_text=_("Draw them on the picture, or write left, top, width and height in pixels."),
    )

    def clean_regions(self) -> list[list[int]]:
        parts = [part.split() for part in self.cleaned_data["regions"].split(";") if part.strip()]
        try:
            regions = [[int(number) for number in part] for part in parts]
        except ValueError:
            regions = [[]]
        if len(regions) > MOST_REGIONS or not all(map(_is_region, regions)):
            raise forms.ValidationError(
                _("Write four numbers for each region: left, top, width and height.")
            )
        return regions


def _is_region(numbers: list[int]) -> bool:
    return len(numbers) == 4 and all(0 <= one < 100_000 for one in numbers)


class FilmForm(ImagesForm):
    """What the viewer asks of a film: images of a series, levels, speed."""

    speed = forms.FloatField(min_value=1, max_value=60)
