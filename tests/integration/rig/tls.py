"""TLS in front of a peer that can't do its own: Debian's stunnel, which passes the bytes on unread.

Debian 12's Orthanc needs it: its libcivetweb loads OpenSSL 3 by OpenSSL 1.1's names and jumps to a null pointer at the first HTTPS
request, whatever the certificate.
"""

from pathlib import Path

from .process import Process, accepts_connections


class TlsFront:
    def __init__(self, folder, port, target_port, server):
        """Serve TLS on `port` with the certificate of a `pki.Server` and forward to `target_port` in the clear."""
        self._port = port
        config = Path(folder) / "stunnel.conf"
        # delay=yes: the target is looked for per connection, so that it may start later than this.
        config.write_text(
            f"foreground = yes\npid =\nsyslog = no\ndebug = warning\n"
            f"socket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n"
            f"[peer]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{target_port}\n"
            f"cert = {server.pem}\ndelay = yes\nsessionResume = no\nTIMEOUTclose = 0\n"
        )
        self.process = Process("stunnel", ["stunnel4", config], log=Path(folder) / "stunnel.log")

    def wait_ready(self, timeout_s=20):
        self.process.wait_ready(lambda: accepts_connections(self._port), "listens", timeout_s)

    def stop(self):
        self.process.stop()
