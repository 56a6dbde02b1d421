"""One child process of the rig: started in its own session with its output in a log file, stopped by pid, never left behind.

A process that ends before it is ready raises `Died` with the end of its log. Should the rig's own process be killed, the kernel
takes the children with it (PR_SET_PDEATHSIG), so that not even kill -9 of a test leaves an Orthanc running. The kernel means the
thread that started the child: start processes from the main thread.
"""

import ctypes
import os
import signal
import socket
import subprocess
from pathlib import Path

from .wait import Timeout, wait_until

_LIBC = ctypes.CDLL("libc.so.6", use_errno=True)
_PR_SET_PDEATHSIG = 1


class Died(RuntimeError):
    """The process ended on its own; the message holds its exit code and the last lines it wrote."""


class Process:
    def __init__(self, name, argv, log, env=None, cwd=None):
        """Start `argv`; stdout and stderr are appended to the file `log`. `env` is added to our own environment."""
        self.name, self.log = name, Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as out:
            self._child = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self):
        return self._child.pid

    @property
    def exit_code(self):
        """None while it runs; negative for the signal that ended it."""
        return self._child.poll()

    def log_tail(self, lines=25):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def check_alive(self):
        if self.exit_code is not None:
            raise Died(f"{self.name} ended with {self.exit_code}; its log {self.log} ends:\n{self.log_tail()}")

    def wait_ready(self, condition, what, timeout_s, expect=()):
        """`wait_until` that gives up at once when the process has died."""

        def alive_and_ready():
            self.check_alive()
            return condition()

        try:
            return wait_until(alive_and_ready, f"{self.name}: {what}", timeout_s, expect=expect)
        except Timeout as late:
            raise Timeout(f"{late}\n{self.log} ends:\n{self.log_tail()}") from None

    def wait_exit(self, timeout_s):
        """The exit code, once it has ended by itself."""
        return self._child.wait(timeout_s)

    def kill(self):
        """SIGKILL, as a power cut or the OOM killer would; returns when the process is gone."""
        if self._child.poll() is None:
            self._child.kill()
        return self._child.wait()

    def stop(self, timeout_s=20):
        """SIGTERM, then SIGKILL after the deadline. Returns the exit code; calling it again does nothing."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._child.kill()
        return self._child.wait()

    def memory_mb(self, field="VmRSS"):
        """A field of /proc/PID/status in MB: VmRSS now, VmHWM the peak since its start or forget_peak()."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        raise KeyError(field)

    def forget_peak(self):
        """VmHWM begins anew: what starting took must not hide what comes now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def _die_with_parent():
    if _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def free_ports(count):
    """`count` loopback ports nobody listens on. They are held until all are chosen, so that none is given twice."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def accepts_connections(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
