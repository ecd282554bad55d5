"""A process of a workshop: `python -m apps.dicom.workbench` reads jobs and answers them.

It says what went wrong in words of its own: what codecs and data sets say may hold names.
"""

import codecs
import os
import sys
from collections.abc import Callable, Sequence
from typing import IO, Any

from PIL import Image
from pydicom.charset import python_encoding

from apps.dicom import parcels, picture_files
from apps.dicom.confinement import confine, limit_cpu, limit_memory
from apps.dicom.parcels import ParcelError
from apps.dicom.rendering import jobs
from apps.dicom.transcoding import MOST_BYTES, TranscodingError, transcode

Made = tuple[dict[str, Any], list[bytes]]


def _transcode(arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    return {}, [transcode(contents[0], arguments["source"], arguments["target"])]


def _confinement(_arguments: dict[str, Any], _contents: Sequence[bytes]) -> Made:
    """What this process may do: for tests and for who wants to know."""
    return {"holds": _holds}, []


JOBS: dict[str, Callable[[dict[str, Any], Sequence[bytes]], Made]] = {
    "transcode": _transcode,
    "picture": jobs.picture,
    "presentation": jobs.presentation,
    "film": jobs.film,
    "slides": jobs.slides,
    "join": jobs.join,
    "poster": jobs.poster,
    "sign": jobs.sign,
    "repack": jobs.repack,
    "report": jobs.report,
    "document": jobs.document,
    "pixels": picture_files.pixels,
    "clean": picture_files.clean,
    "confinement": _confinement,
}
_holds: list[str] = []


def main(kind: str) -> None:
    """Answer jobs until nobody asks any more."""
    questions, answers = _pipes()
    _import_the_rest(kind)
    _holds.extend(confine(memory_bytes=6 * MOST_BYTES))
    parcels.send(answers, {"holds": _holds})
    while True:
        try:
            words, contents = parcels.receive(questions, most_bytes=2 * MOST_BYTES)
        except ParcelError:
            return
        limit_memory(words["memory_bytes"])
        limit_cpu(words["seconds"])
        made, results = _answer(words["job"], words["arguments"], contents)
        parcels.send(answers, made, results)


def _pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Where jobs come from and answers go; codecs that print do so into nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, answers


def _import_the_rest(kind: str) -> None:
    """What is otherwise imported when first used: behind the confinement no file opens."""
    for name in {*python_encoding.values(), "utf-16", "idna", "latin-1"}:
        codecs.lookup(name)
    Image.init()
    jobs.prepare(films=kind == "films")


def _answer(job: str, arguments: dict[str, Any], contents: Sequence[bytes]) -> Made:
    try:
        return JOBS[job](arguments, contents)
    except (TranscodingError, jobs.RenderingError) as error:
        return {"error": str(error)}, []
    except (RecursionError, MemoryError) as error:
        return {"error": f"it takes too much to decode ({type(error).__name__})"}, []
    except Exception as error:  # noqa: BLE001 - codecs raise whatever bytes make them raise
        return {"error": f"it cannot be decoded ({type(error).__name__})"}, []


if __name__ == "__main__":
    main(sys.argv[1])
