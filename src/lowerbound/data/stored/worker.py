"""A process that decodes pictures or writes shards: a job a line on stdin, an answer on stdout.

It ends when its stdin does. What libraries print goes nowhere.
"""

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lowerbound.data.pictures import BrokenPicture, decode, quiet_decoders
from lowerbound.errors import LowerboundError


def decode_pictures(job: dict[str, Any]) -> dict[str, Any]:
    """Write the pixels of some pictures where they belong.

    Args:
        job: "pictures", each [file, where it begins, how many bytes or -1 for all of it]; "shape",
            (C, H, W); "out", the file of pixels; "first", the row of the first one.

    Returns:
        "told", [row, what was done to it] pairs.
    """
    shape, told = tuple(job["shape"]), []
    size = int(np.prod(shape))
    file = os.open(job["out"], os.O_WRONLY)
    try:
        for row, (path, offset, length) in enumerate(job["pictures"], job["first"]):
            try:
                source = Path(path) if length < 0 else _within(path, offset, length)
                pixels, done = decode(source, shape[0], (shape[1], shape[2]))
            except BrokenPicture as error:
                told.append([row, f"files skipped: {error}"])
                continue
            except OSError:
                told.append([row, "files skipped: gone"])
                continue
            told += [[row, what] for what in done]
            os.pwrite(file, np.ascontiguousarray(pixels).data, row * size)
    finally:
        os.close(file)
    return {"told": told}


def _within(path: str, offset: int, length: int) -> io.BytesIO:
    with open(path, "rb") as stream:
        stream.seek(offset)
        return io.BytesIO(stream.read(length))


def main() -> None:
    """Answer until there are no more jobs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with quiet_decoders():
        for line in sys.stdin.buffer:
            job = json.loads(line)
            try:
                if job["do"] == "decode":
                    answer = decode_pictures(job)
                else:
                    from lowerbound.data.stored.pack import write_shard

                    answer = write_shard(job)
            except (LowerboundError, OSError) as error:
                answer = {"error": " ".join(str(error).split("\n"))}
            answers.write(json.dumps(answer).encode() + b"\n")
            answers.flush()
