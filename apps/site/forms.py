"""Forms of the set-up page."""

from django import forms
from django.contrib.auth.forms import BaseUserCreationForm
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import Role, User
from apps.site.services import NewPerson


class FirstUserForm(BaseUserCreationForm[User]):
    """The first user: name, password, and which roles beside system administrator."""

    roles = forms.MultipleChoiceField(
        label=_("Also works as"),
        choices=[role for role in Role.choices if role[0] != Role.SYSTEM_ADMINISTRATOR],
        initial=[Role.PACS_ADMINISTRATOR],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "You will be system administrator in any case. Patients and images are seen by "
            "the other roles only."
        ),
    )

    class Meta:
        model = User
        fields = ("username", "title", "first_name", "last_name")

    @property
    def person(self) -> NewPerson:
        """The user to be made, from a valid form."""
        given = self.cleaned_data
        return NewPerson(
            username=given["username"],
            password=given["password1"],
            title=given["title"],
            given_name=given["first_name"],
            family_name=given["last_name"],
        )

    @property
    def chosen_roles(self) -> list[Role]:
        return [Role(name) for name in self.cleaned_data["roles"]]
