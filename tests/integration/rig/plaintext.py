"""Whether patient data lies in plaintext in any file below some folders.

Searched are the raw bytes given, so the caller passes names, ids and runs of pixel bytes that are long enough (8 bytes or more)
not to appear in ciphertext by chance.
"""

import mmap
import os
from pathlib import Path

_SHORTEST = 8


def pixel_runs(path, count=3, length=24):
    """Runs of varied bytes out of an uncompressed file's pixel data, from places spread over its second half."""
    content = Path(path).read_bytes()
    runs, at, step = [], len(content) // 2, max(1, len(content) // (2 * count + 2))
    while len(runs) < count and at + length <= len(content):
        run = content[at : at + length]
        if len(set(run)) >= length // 3:
            runs.append(run)
            at += step
        else:
            at += length
    if not runs:
        raise ValueError(f"{path} holds no run of {length} varied bytes in its second half")
    return runs


def find(needles, folders):
    """One text per hit: which needle, in which file, at which offset. Also file names are searched."""
    short = [needle for needle in needles if len(needle) < _SHORTEST]
    if short:
        raise ValueError(f"too short to tell from chance: {short}")
    hits = []
    for path in _files(folders):
        hits += [f"{needle!r} in the name of {path}" for needle in needles if needle in os.fsencode(path)]
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                continue
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                for needle in needles:
                    at = content.find(needle)
                    if at >= 0:
                        hits.append(f"{needle!r} in {path} at byte {at}")
    return hits


def _files(folders):
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path
