"""A point-of-care device that speaks POCT1-A over a socket, written after public descriptions of the protocol and apart from the gateway's code.

`Meter(connection)` takes a connected socket; `framed=True` puts each document into MLLP's frame.
"""

import datetime
import re
import xml.etree.ElementTree as ET
from xml.sax.saxutils import quoteattr

_START, _END = b"\x0b", b"\x1c\r"


class NotTaken(AssertionError):
    """The gateway did not say what a host has to say."""


class Closed(NotTaken):
    """The connection ended."""


def documents_of(capture):
    """The documents in what a device sent, bare or framed, without their declarations."""
    text = capture.replace(_START, b"").replace(b"\x1c", b"").decode()
    text = re.sub(r"<\?xml[^>]*\?>", "", text)
    return [match[0] for match in re.finditer(r"<([A-Z]+\.R\d\d)>.*?</\1>", text, re.S)]


class Meter:
    def __init__(self, connection, framed=False):
        self._connection, self._framed, self._buffer, self._number = connection, framed, b"", 0

    def hello(self, serial="SN-1", directives=("SET_TIME", "START_CONTINUOUS")):
        can = "".join(_field("DSC.directives_supported_cd", name) for name in directives)
        self.tell("HEL.R01", f"<DEV>{_field('DEV.device_id', serial)}{_field('DEV.serial_id', serial)}<DSC>{can}</DSC></DEV>")

    def status(self, waiting):
        self.tell("DST.R01", f"<DST>{_field('DST.new_observations_qty', waiting)}{_field('DST.condition_cd', 'R')}</DST>")

    def end_of_topic(self):
        self.tell("EOT.R01", f"<EOT>{_field('EOT.topic_cd', 'OBS')}</EOT>")

    def tell(self, kind, body):
        """A document of its own making, which has to be accepted."""
        self._number += 1
        document = (
            f"<{kind}><HDR>{_field('HDR.control_id', self._number)}{_field('HDR.version_id', 'POCT1')}"
            f"{_field('HDR.creation_dttm', _now())}</HDR>{body}</{kind}>"
        )
        self.send(document)

    def send(self, document):
        """A document, until it is accepted; answers the acknowledgment's bytes."""
        self._write(document)
        return self.accepted(ET.fromstring(document).find("HDR/HDR.control_id").get("V"))

    def accepted(self, control_id):
        raw = self._read()
        ack = ET.fromstring(raw)
        said = [ack.tag, _value(ack, "ACK/ACK.type_cd"), _value(ack, "ACK/ACK.ack_control_id")]
        if said != ["ACK.R01", "AA", str(control_id)]:
            raise NotTaken(f"document {control_id} was answered {said}")
        return raw

    def hear(self, wanted):
        """What the gateway says of itself ("REQ.R01"), as an element; it is not acknowledged yet."""
        document = ET.fromstring(self._read())
        if document.tag != wanted:
            raise NotTaken(f"{document.tag} where {wanted} was due")
        return document

    def acknowledge(self, document):
        self._number += 1
        of = _value(document, "HDR/HDR.control_id")
        self._write(
            f"<ACK.R01><HDR>{_field('HDR.control_id', self._number)}</HDR>"
            f"<ACK>{_field('ACK.type_cd', 'AA')}{_field('ACK.ack_control_id', of)}</ACK></ACK.R01>"
        )

    def _write(self, document):
        data = document.encode()
        self._connection.sendall(_START + data + _END if self._framed else data + b"\n")

    def _read(self):
        while True:
            whole = self._cut()
            if whole is not None:
                return whole
            try:
                received = self._connection.recv(65536)
            except ConnectionResetError:
                received = b""
            if not received:
                raise Closed("the connection ended")
            self._buffer += received

    def _cut(self):
        """A whole document from the buffer, or None."""
        if self._framed:
            document, end, rest = self._buffer.partition(_END)
            if not end:
                return None
            if not document.startswith(_START):
                raise NotTaken(f"{document[:40]!r} is not framed")
            self._buffer = rest
            return document[1:]
        root = re.search(rb"<([A-Z]+\.R\d\d)>", self._buffer)
        end = b"</" + root[1] + b">" if root else None
        if end is None or end not in self._buffer:
            return None
        document, _, rest = self._buffer.partition(end)
        self._buffer = rest.lstrip()
        return document + end


def _field(name, value):
    return f"<{name} V={quoteattr(str(value))}/>"


def _value(document, path):
    found = document.find(path)
    return None if found is None else found.get("V")


def _now():
    return datetime.datetime.now(datetime.timezone.utc).astimezone().isoformat(timespec="seconds")
