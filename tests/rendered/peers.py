"""The same images rendered by others: DCMTK, with GDCM in front of what DCMTK does not decode."""

import io
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.int64]


@dataclass(frozen=True)
class Rendering:
    """A picture by another program, or why there is none."""

    peer: str
    levels: Levels | None
    reason: str = ""


def rendered_elsewhere(path: Path, frame: int, window: list[str]) -> Rendering:
    """`window`: options of dcmj2pnm. GDCM unpacks first what DCMTK cannot read."""
    found = _by_dcmtk(path, frame, window, "DCMTK")
    if found.levels is not None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.dcm"
        made = subprocess.run(
            ["gdcmconv", "--raw", str(path), str(plain)],
            capture_output=True,
            check=False,
            timeout=60,
        )
        if made.returncode or not plain.exists():
            return found
        return _by_dcmtk(plain, frame, window, "GDCM + DCMTK")


def _by_dcmtk(path: Path, frame: int, window: list[str], peer: str) -> Rendering:
    said = subprocess.run(
        ["dcmj2pnm", "-q", "-O", "+op", "+F", str(frame), *window, str(path)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    if said.returncode or not said.stdout:
        return Rendering(peer, None, "not read")
    return Rendering(peer, levels_of(said.stdout))


def levels_of(picture: bytes) -> Levels:
    """Grey levels, or red, green and blue where there are colours."""
    return np.asarray(Image.open(io.BytesIO(picture))).astype(np.int64)


def difference(ours: Levels, theirs: Levels) -> Levels:
    """Of each sample; a grey picture has the same level in all colours."""
    if ours.ndim < theirs.ndim:
        ours = np.repeat(ours[..., None], 3, axis=2)
    elif theirs.ndim < ours.ndim:
        theirs = np.repeat(theirs[..., None], 3, axis=2)
    if ours.shape != theirs.shape:
        return np.full((1,), 255, np.int64)
    return np.asarray(np.abs(ours - theirs))
