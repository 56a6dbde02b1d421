"""Synthetic patients' studies as DICOM files in a folder. Nothing is downloaded and nobody in them exists.

- `pydicom_files()`: pydicom's own test files that a modality could send;
- `write_ct_series()`: a CT of many slices for a given patient, order and study;
- `write_multiframe()`: one object of a given size, written in a stream.

Each returns a list of `Instance`, in the order to send.
"""

import importlib.resources
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filewriter import dcmwrite

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_SIDE = 512
_SLICE_BYTES = _SIDE * _SIDE * 2


@dataclass(frozen=True)
class Instance:
    path: Path
    sop_class: str
    sop_uid: str
    transfer_syntax: str
    study_uid: str


@dataclass(frozen=True)
class Patient:
    """Family and given names are long on purpose: found in gigabytes of ciphertext, they are no coincidence."""

    family: str
    given: str
    id: str
    birth_date: str = "19700101"
    sex: str = "O"

    @property
    def dicom_name(self):
        return f"{self.family}^{self.given}"


def describe(path):
    """The `Instance` in a file, or None when it isn't one that C-STORE and a PACS can carry."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The files are odd on purpose.
            file = dcmread(path, specific_tags=list(_NEEDED))
            syntax = file.file_meta.get("TransferSyntaxUID")
            announced = file.file_meta.get("MediaStorageSOPInstanceUID")
            values = [str(file.get(keyword) or "") for keyword in _NEEDED]
    except InvalidDicomError:
        return None
    # Orthanc files objects by study and series; and the UID in the command is the File Meta's, which must be the object's.
    if not all(values) or not syntax or announced != values[1]:
        return None
    if values[0] == uid.MediaStorageDirectoryStorage:
        return None
    return Instance(Path(path), values[0], values[1], str(syntax), values[2])


# Orthanc refuses these by every way in (400 by STOW-RS, C000 or no answer by C-STORE): the JPEG's fragments are damaged, and the
# dose files say RLE above pixel data that is not. Good for "refused by the PACS", not for "delivered".
REFUSED_BY_ORTHANC = ("SC_rgb_jpeg.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm", "MR_truncated.dcm")


def pydicom_files(folder):
    """pydicom's own files. Many of them share a SOP Instance UID, being one image in several transfer syntaxes: the first of each
    is sent as it is, the others as copies in `folder` in which only the digits of that UID differ.
    """
    # Not get_testdata_files(): that downloads what the wheel doesn't hold.
    sources = Path(str(importlib.resources.files("pydicom.data") / "test_files"))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    used, chosen = set(), []
    for path in sorted(sources.glob("*.dcm")):
        instance = describe(path)
        if instance is None or path.name in REFUSED_BY_ORTHANC:
            continue
        if instance.sop_uid in used:
            instance = _copy_with_new_uid(instance, folder / path.name, used)
        used.add(instance.sop_uid)
        chosen.append(instance)
    return chosen


def _copy_with_new_uid(instance, path, used):
    """The same bytes with another UID of the same length, so that no length in the file has to change."""
    for number in range(10, 100):
        fresh = f"{instance.sop_uid[:-2]}{number}"
        if fresh not in used and uid.UID(fresh).is_valid:
            break
    else:
        raise ValueError(f"no free UID beside {instance.sop_uid}")
    path.write_bytes(instance.path.read_bytes().replace(instance.sop_uid.encode(), fresh.encode()))
    copy = describe(path)
    if copy is None or copy.sop_uid != fresh:
        raise ValueError(f"{instance.path.name} does not hold its UID in plain bytes")
    return copy


def write_ct_series(folder, patient, accession, study_uid, slices, seed=1):
    """`slices` images of 512 x 512 x 16 bit: a round body with organs' noise in it, different in every slice."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = numpy.random.default_rng(seed)
    body = _phantom(rng)
    series_uid = uid.generate_uid()
    instances = []
    for number in range(1, slices + 1):
        image = _head(uid.CTImageStorage, patient, accession, study_uid, series_uid, number)
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.RescaleIntercept, image.RescaleSlope = "-1024", "1"
        image.KVP = "120"
        image.SliceThickness = "1"
        image.PixelSpacing = ["0.7", "0.7"]
        image.ImagePositionPatient = ["-179.2", "-179.2", str(number)]
        image.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
        _describe_pixels(image, bits_stored=12)
        # Shifted noise: new content in every slice at the cost of a copy.
        noise = numpy.roll(body, number * 7919)
        image.PixelData = ((body + noise // 8) & 0x0FFF).astype("<u2").tobytes()
        path = folder / f"slice-{number:04}.dcm"
        dcmwrite(path, image, enforce_file_format=True)
        instances.append(_instance(path, image, study_uid))
    return instances


def write_multiframe(path, patient, accession, study_uid, megabytes, seed=2):
    """One multi-frame Secondary Capture of about `megabytes` * 10^6 bytes; memory use stays at one frame."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = max(1, megabytes * 1_000_000 // _SLICE_BYTES)
    storage = uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage
    image = _head(storage, patient, accession, study_uid, uid.generate_uid(), 1)
    image.ConversionType = "SYN"
    image.BurnedInAnnotation = "NO"
    image.NumberOfFrames = frames
    _describe_pixels(image, bits_stored=16)
    body = _phantom(numpy.random.default_rng(seed))
    dcmwrite(path, image, enforce_file_format=True)
    with open(path, "ab") as file:
        # (7FE0,0010) OW, explicit VR little endian: the element's header by hand, its value frame by frame.
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + (frames * _SLICE_BYTES).to_bytes(4, "little"))
        for frame in range(frames):
            file.write(numpy.roll(body, frame * 7919).astype("<u2").tobytes())
    return [_instance(path, image, study_uid)]


def _phantom(rng):
    axis = numpy.linspace(-1, 1, _SIDE)
    inside = (axis[:, None] ** 2 + axis[None, :] ** 2) < 0.8
    return numpy.where(inside, rng.integers(900, 1200, (_SIDE, _SIDE)), rng.integers(0, 16, (_SIDE, _SIDE)))


def _head(sop_class, patient, accession, study_uid, series_uid, number):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = sop_class
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid.generate_uid()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    image.file_meta.ImplementationClassUID = uid.PYDICOM_IMPLEMENTATION_UID
    image.SpecificCharacterSet = "ISO_IR 192"
    image.StudyDate = image.SeriesDate = image.ContentDate = "20260301"
    image.StudyTime = image.SeriesTime = image.ContentTime = "101500"
    image.AccessionNumber = accession
    image.Modality = "CT" if sop_class == uid.CTImageStorage else "OT"
    image.Manufacturer = "Synthetic"
    image.StudyDescription = "Synthetic study"
    image.PatientName, image.PatientID = patient.dicom_name, patient.id
    image.PatientBirthDate, image.PatientSex = patient.birth_date, patient.sex
    image.StudyInstanceUID, image.SeriesInstanceUID = study_uid, series_uid
    image.StudyID, image.SeriesNumber, image.InstanceNumber = "1", 1, number
    return image


def _describe_pixels(image, bits_stored):
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows = image.Columns = _SIDE
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, bits_stored, bits_stored - 1
    image.PixelRepresentation = 0


def _instance(path, image, study_uid):
    meta = image.file_meta
    return Instance(
        path, str(image.SOPClassUID), str(image.SOPInstanceUID), str(meta.TransferSyntaxUID), str(study_uid)
    )
