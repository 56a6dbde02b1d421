#!/usr/bin/env python3
"""seeds.py FOLDER: what the fuzz targets begin with, one folder each: the messages of ../shared/data, where that is there, and
the fixtures of the shipped profiles."""
import json
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DATA = SOURCE.parent / "shared" / "data"
PROFILES = SOURCE / "adapters" / "profiles"
PROFILE_CHOICES = 8  # first byte of astm, poct1a and drop: which profile reads the rest


def seeds():
    for path in sorted((DATA / "hl7v2").glob("*.hl7")):
        message = path.read_bytes()
        yield "hl7", message
        yield "mllp", b"\x0b" + message + b"\x1c\r"
    query = (b"MSH|^~\\&|A|B|C|D|20260301||QBP^Q11^QBP_Q11|7|P|2.5.1|||AL|AL||UNICODE UTF-8|||LAB-27^IHE\r"
             b"QPD|WOS^Work Order Step^IHE_LABTF|q7|T1^N^1.2.3^ISO|R5|3\rRCP|I||R^^HL70394\r")
    yield "hl7", query
    yield "mllp", b"\x0b" + query + b"\x1c\r"
    records = sorted((DATA / "astm").glob("*")) + sorted(PROFILES.glob("*/fixtures/*.astm"))
    for path in records:
        yield "astm_link", path.read_bytes()
        for choice in range(PROFILE_CHOICES):
            yield "astm", bytes([choice]) + path.read_bytes()
    for path in sorted(PROFILES.glob("*/fixtures/*")):
        if path.suffix in (".xml", ".csv"):
            yield path.suffix[1:], path.read_bytes()
        if path.suffix in (".xml", ".csv", ".pdf", ".json"):
            for choice in range(PROFILE_CHOICES):
                yield "drop", bytes([choice, choice]) + path.read_bytes()
        if path.suffix == ".json":
            line = json.dumps({"type": "record", "id": "1", "text": path.read_text()}).encode()
            yield "drop", b"\1\0{}\n" + line + b"\n"
    for path in sorted(PROFILES.glob("*/fixtures/*.poct1a")):
        for choice in range(PROFILE_CHOICES):
            yield "poct1a", bytes([choice]) + path.read_bytes()
    yield "csv", b'id;value;unit\n7;"1,5";L\n8;2.0;"a""b"\n'
    # What was found by fuzzing stays found. Those of dicom are what the named tools said to an SCP that takes everything.
    corpus = pathlib.Path(__file__).parent / "corpus"
    for path in sorted(corpus.glob("*/*")):
        yield path.parent.name, path.read_bytes()
    for path in sorted((corpus / "dicom").glob("*")):
        yield "dicom_head", b"\1" + path.read_bytes()


def main():
    folder = pathlib.Path(sys.argv[1])
    for number, (target, content) in enumerate(seeds()):
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / f"seed-{number}").write_bytes(content)


if __name__ == "__main__":
    main()
