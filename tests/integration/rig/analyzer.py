"""An analyzer that speaks ASTM (LIS01-A2) over a socket or a serial line, written after the standard and apart from the gateway's code.

`Analyzer(connection)` takes anything with `sendall` and `recv`, e.g. a connected socket or `Line(fd)`.
"""

import os
import select

STX, ETX, EOT, ENQ, ACK, NAK, ETB = b"\x02", b"\x03", b"\x04", b"\x05", b"\x06", b"\x15", b"\x17"
_TEXT_MAX = 240
_SENDS_MAX = 6


class NotTaken(AssertionError):
    """The gateway did not acknowledge what it was sent."""


class Line:
    """A file descriptor of a terminal, as a connection."""

    def __init__(self, descriptor, patience_s=20):
        self._descriptor, self._patience_s = descriptor, patience_s

    def sendall(self, data):
        while data:
            data = data[os.write(self._descriptor, data) :]

    def recv(self, size):
        ready, _, _ = select.select([self._descriptor], [], [], self._patience_s)
        return os.read(self._descriptor, size) if ready else b""


def frames(records):
    """Records, without line ends, as frames: one each, a long one in several."""
    number = 0
    for record in records:
        text = record + b"\r"
        while text:
            piece, text = text[:_TEXT_MAX], text[_TEXT_MAX:]
            number = (number + 1) % 8
            body = b"%d" % number + piece + (ETB if text else ETX)
            yield STX + body + b"%02X" % (sum(body) % 256) + b"\r\n"


def captured_frames(capture):
    """The frames of a capture, as they stand there."""
    found = []
    for part in capture.split(STX)[1:]:
        end = max(part.rfind(ETX), part.rfind(ETB))
        found.append(STX + part[: end + 3] + b"\r\n")
    return found


class Analyzer:
    def __init__(self, connection):
        self._connection = connection

    def send(self, message):
        """All frames of a message, each until it is acknowledged."""
        self._say(ENQ, "ENQ")
        for frame in message:
            self._say(frame, f"frame {frame[1:2].decode()}")
        self._connection.sendall(EOT)

    def receive(self):
        """The records the gateway sends of itself."""
        if self._read() != ENQ:
            raise NotTaken("the gateway did not begin to send")
        self._connection.sendall(ACK)
        text = b""
        while (first := self._read()) != EOT:
            if first != STX:
                raise NotTaken(f"{first!r} where a frame was due")
            body = b""
            while not body.endswith((ETX, ETB)):
                body += self._read()
            check = b"".join(self._read() for _ in range(4))
            if check != b"%02X\r\n" % (sum(body) % 256):
                raise NotTaken(f"frame {body!r} ends with {check!r}")
            text += body[1:-1]
            self._connection.sendall(ACK)
        return text.decode().split("\r")[:-1]

    def _say(self, data, what):
        for _ in range(_SENDS_MAX):
            self._connection.sendall(data)
            answer = self._read()
            if answer == ACK:
                return
            if answer != NAK:
                break
        raise NotTaken(f"{what} was answered {answer!r}")

    def _read(self):
        return self._connection.recv(1)
