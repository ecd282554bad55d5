"""Objects of an anonymised export: the profile applied, what was held decided on."""

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

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
from apps.exports.services.splitting import Split, split
from apps.studies.models import Instance, Study
from apps.studies.services.outgoing import corrected_header, outgoing

log = logging.getLogger(__name__)
MOST_HELD = 1 << 28  # bytes of what is worked on: all but pixels that are passed on as they are
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


@dataclass(frozen=True)
class _Read:
    """What is made nameless, and the pixels that are sent behind it."""

    dataset: Dataset
    syntax: str
    pixels: Split | None


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
        found = _read(row, held.regions if held else [])
        dataset = found.dataset
        maker.apply(dataset, patient=patient_key(row.series.study), looked_at=held is not None)
        if found.pixels:
            dataset.pop("PixelData", None)
        body = encoded(dataset, implicit_vr=not explicit(found.syntax))
    except OSError:
        raise  # the file cannot be read: nothing is known of it
    except Exception as error:  # damaged values surface as almost anything
        raise NotNameless(type(error).__name__) from error
    return _member(one, found, body, directory)


def _member(one: Placed, found: _Read, body: bytes, directory: Directory) -> Member:
    dataset, syntax, pixels = found.dataset, found.syntax, found.pixels
    head = file_front(dataset.SOPClassUID, dataset.SOPInstanceUID, syntax)
    dataset.pop("PixelData", None)
    front = encoded(dataset, implicit_vr=not explicit(syntax))
    list_object(directory, front, one, syntax=syntax, explicit_vr=explicit(syntax))

    def chunks() -> Iterator[bytes]:
        yield head
        yield body
        if pixels:
            yield from pixels.pixels()

    size = len(head) + len(body) + (pixels.size if pixels else 0)
    return Member(one.file_id, chunks, size, packed=syntax not in UNCOMPRESSED)


def _read(row: Instance, regions: Sequence[Any]) -> _Read:
    """The object, its pixels left where they lie unless something is to be done to them."""
    found, syntax = outgoing(row), row.transfer_syntax_uid
    if syntax not in _MADE_PLAIN and not regions and (cut := split(found)):
        _refuse_large(cut.start)
        dataset = _parsed(cut.front, syntax)
        if cut.has_pixel_data:
            dataset.PixelData = b""  # in its place: the profile asks whether there is any
        return _Read(dataset, syntax, cut)
    _refuse_large(found.size)
    data = b"".join(found.pieces())
    if syntax in _MADE_PLAIN or (regions and syntax not in UNCOMPRESSED):
        data, syntax = _workshop.transcode(data, syntax, EXPLICIT_LITTLE), EXPLICIT_LITTLE
    dataset = _parsed(data, syntax)
    if regions:
        blank(dataset, regions)
    return _Read(dataset, syntax, None)


def _refuse_large(size: int) -> None:
    if size > MOST_HELD:
        raise NotNameless("too large")


def _parsed(data: bytes, syntax: str) -> Dataset:
    return read_dataset(io.BytesIO(data), not explicit(syntax), is_little_endian=True)
