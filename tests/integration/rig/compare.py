"""Whether two DICOM files carry the same data set, byte by byte. The File Meta group may differ: every node writes its own.

`data_set_digest` streams, so that an object of a gigabyte can be compared without holding it.
"""

import hashlib
import io

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset, read_preamble

_CHUNK = 1 << 20


def data_set_offset(file):
    """Where the data set begins in an open DICOM file: after preamble and File Meta group."""
    read_preamble(file, force=False)
    read_dataset(
        file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, *_: tag.group != 2
    )
    return file.tell()


def data_set_bytes(content):
    return content[data_set_offset(io.BytesIO(content)) :]


def data_set_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(data_set_offset(file))
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def difference(sent_path, received):
    """None when the data sets are identical, else one text that says how they differ. `received` is a DICOM file's bytes."""
    with open(sent_path, "rb") as file:
        sent = data_set_bytes(file.read())
    got = data_set_bytes(received)
    if sent == got:
        return None
    at = next(
        (i for i, (a, b) in enumerate(zip(sent, got)) if a != b), min(len(sent), len(got))
    )
    return (
        f"data set of {len(sent)} bytes came back with {len(got)}, first difference at byte {at}: "
        f"sent {sent[at : at + 16].hex(' ')}, got {got[at : at + 16].hex(' ')}; "
        f"transfer syntax sent {_transfer_syntax(sent_path)}, got {_transfer_syntax(io.BytesIO(received))}"
    )


def _transfer_syntax(source):
    try:
        return dcmread(source, stop_before_pixels=True).file_meta.TransferSyntaxUID.name
    except (InvalidDicomError, AttributeError) as unreadable:
        return f"unreadable ({unreadable})"
