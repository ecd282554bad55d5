"""Objects of an anonymised export: the profile applied, what was held decided on."""

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from apps.dicom.blanking import blank
from apps.dicom.confidentiality import Option
from apps.dicom.deidentifying import Change, Deidentifier
from apps.dicom.encoding import encoded
from apps.dicom.header import DEFLATED_LITTLE, EXPLICIT_BIG, EXPLICIT_LITTLE, explicit
from apps.dicom.media import Directory, file_front
from apps.dicom.transcoding import UNCOMPRESSED
from apps.dicom.workshop import Workshop
from apps.exports.members import Member
from apps.exports.models import Export, HeldObject, Profile, Pseudonym
from apps.exports.services.gathering import Placed, placed
from apps.exports.services.packing import FILE_SET, closing_members, list_object
from apps.studies.models import Instance, Study
from apps.studies.services.outgoing import corrected_header, outgoing

log = logging.getLogger(__name__)
MOST_BYTES = 1 << 30  # an object is made nameless as a whole
_MADE_PLAIN = frozenset({EXPLICIT_BIG, DEFLATED_LITTLE})
_workshop = Workshop(processes=1)


class NotNameless(Exception):
    """The object cannot be made nameless, so it stays here; the message says why."""


@dataclass
class Outcome:
    """What became of an anonymised export while it was written."""

    left_out: int = 0
    codes: dict[tuple[str, str], str] = field(default_factory=dict)

    def pseudonyms(self, export: Export) -> list[Pseudonym]:
        return [
            Pseudonym(
                export=export,
                patient_identifier=number,
                patient_identifier_issuer=issuer,
                code=code,
            )
            for (number, issuer), code in self.codes.items()
        ]


def deidentifier(profile: Profile) -> Deidentifier:
    """The profile at work."""
    return Deidentifier(chosen_options(profile), bytes.fromhex(profile.secret))


def chosen_options(profile: Profile) -> list[Option]:
    return [Option(one) for one in profile.options]


def patient_key(study: Study) -> str:
    """What tells one patient from another: number and issuer, else the name, else the study."""
    number = study.patient_identifier
    if number:
        return f"{study.patient_identifier_issuer}\n{number}"
    return f"\n\n{study.patient_name or study.study_instance_uid}"


def changes_of(row: Instance, profile: Profile) -> list[Change]:
    """What the profile does to the header of an object, for a person to look at.

    Raises NotNameless.
    """
    explicit_vr = explicit(row.transfer_syntax_uid)
    try:
        data = corrected_header(row)
        dataset = read_dataset(io.BytesIO(data), not explicit_vr, is_little_endian=True)
        return deidentifier(profile).apply(dataset, patient=patient_key(row.series.study))
    except Exception as error:  # damaged values surface as almost anything
        raise NotNameless(type(error).__name__) from error


def anonymised_members(
    export: Export, profile: Profile, keys: Sequence[int], outcome: Outcome
) -> Iterator[Member]:
    """The files of instances without names, their DICOMDIR, a readme."""
    decisions = {held.instance_id: held for held in export.held.all()}
    maker, directory = deidentifier(profile), Directory(FILE_SET)
    for one in placed(keys):
        held = decisions.get(one.row.pk)
        if held and held.decision != HeldObject.Decision.TAKEN:
            outcome.left_out += 1
            continue
        try:
            yield _nameless(one, maker, held, directory)
        except NotNameless as error:
            log.warning("%s is left out: %s", one.row.sop_instance_uid, error)
            outcome.left_out += 1
            continue
        study = one.row.series.study
        whose = (study.patient_identifier, study.patient_identifier_issuer)
        outcome.codes[whose] = maker.code(patient_key(study))
    yield from closing_members(directory)


def _nameless(
    one: Placed, maker: Deidentifier, held: HeldObject | None, directory: Directory
) -> Member:
    row = one.row
    try:
        dataset, syntax = _read(row, plain=bool(held and held.regions))
        if held and held.regions:
            blank(dataset, held.regions)
        maker.apply(dataset, patient=patient_key(row.series.study), looked_at=held is not None)
        body = encoded(dataset, implicit_vr=not explicit(syntax))
    except OSError:
        raise  # the file cannot be read: nothing is known of it
    except Exception as error:  # damaged values surface as almost anything
        raise NotNameless(type(error).__name__) from error
    data = file_front(dataset.SOPClassUID, dataset.SOPInstanceUID, syntax) + body
    if "PixelData" in dataset:
        del dataset.PixelData
    front = encoded(dataset, implicit_vr=not explicit(syntax))
    list_object(directory, front, one, syntax=syntax, explicit_vr=explicit(syntax))
    return Member(one.file_id, lambda: iter([data]), len(data), packed=syntax not in UNCOMPRESSED)


def _read(row: Instance, *, plain: bool) -> tuple[Dataset, str]:
    """The object, and its transfer syntax: its own but for those that are made plain."""
    found = outgoing(row)
    if found.size > MOST_BYTES:
        raise NotNameless("too large")
    data, syntax = b"".join(found.pieces()), row.transfer_syntax_uid
    if syntax in _MADE_PLAIN or (plain and syntax not in UNCOMPRESSED):
        data, syntax = _workshop.transcode(data, syntax, EXPLICIT_LITTLE), EXPLICIT_LITTLE
    dataset = read_dataset(io.BytesIO(data), not explicit(syntax), is_little_endian=True)
    return dataset, syntax
