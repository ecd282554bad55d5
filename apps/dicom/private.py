"""Private attributes known to hold no identity (PS3.15 table E.3.10-1)."""

from pydicom.dataset import Dataset

# Private creator -> group and the last byte of the element. Measures, never texts.
_SAFE: dict[str, frozenset[tuple[int, int]]] = {
    "Philips PET Private Group": frozenset({(0x7053, 0x00), (0x7053, 0x09)}),
    "ELSCINT1": frozenset({(0x00E1, 0x21), (0x01E1, 0x26), (0x01E1, 0x50)}),
    "GEMS_ACQU_01": frozenset({(0x0019, 0x23), (0x0019, 0x24), (0x0019, 0x27), (0x0019, 0x9E)}),
    "GEMS_SERS_01": frozenset({(0x0025, 0x07)}),
    "GEMS_PARM_01": frozenset({(0x0043, 0x27), (0x0043, 0x6F)}),
    "GEMS_HELIOS_01": frozenset({(0x0045, 0x01), (0x0045, 0x02)}),
    "SIEMENS MR HEADER": frozenset(
        {(0x0019, 0x0C), (0x0019, 0x0D), (0x0019, 0x0E), (0x0019, 0x27)}
    ),
    "Philips Imaging DD 001": frozenset({(0x2001, 0x03), (0x2001, 0x04)}),
    "Philips MR Imaging DD 001": frozenset(
        {(0x2005, 0x0D), (0x2005, 0x0E), (0x2005, 0xB0), (0x2005, 0xB1), (0x2005, 0xB2)}
    ),
}
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV", "CS"})


def is_safe_private(dataset: Dataset, tag: int) -> bool:
    """Is a private element of a data set listed as safe? Blocks are found by their creator."""
    group, number = tag >> 16, tag & 0xFFFF
    if number < 0x1000:
        return _creator(dataset, group, number) in _SAFE
    known = _SAFE.get(_creator(dataset, group, number >> 8), frozenset())
    return (group, number & 0xFF) in known and dataset[tag].VR in _NUMBERS


def _creator(dataset: Dataset, group: int, block: int) -> str:
    element = dataset.get((group, block))
    return str(element.value).strip() if element is not None else ""
