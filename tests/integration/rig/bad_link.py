"""Two network namespaces joined by a link of a given rate, delay and loss, cut for some seconds now and then: TUN devices whose packets
this process carries, since netem is not everywhere. Needs root, iproute2 and /dev/net/tun.

`with BadLink(...) as link:` then `link.clinic` and `link.hospital` are prefixes for commands that run on either side, `link.begin_cuts()`
starts the clock of the cuts, and `link.up_s()` tells how long the link was up since. Both sides use cubic, Debian's own.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_IDLE_S = 0.05


class BadLink:
    clinic_address, hospital_address = "10.83.0.1", "10.83.0.2"

    def __init__(self, rate_bit_s=2e6, delay_s=0.15, loss=0.01, cut_every_s=60, cut_for_s=10, queue_bytes=150_000, seed=1):
        """`delay_s` is one way; a queue of `queue_bytes` stands before each direction."""
        self.rate_byte_s, self._delay_s, self._loss = rate_bit_s / 8, delay_s, loss
        self._cut_every_s, self._cut_for_s, self._queue_bytes = cut_every_s, cut_for_s, queue_bytes
        self._chance = random.Random(seed)
        self._cuts_since = None
        self._ends = False
        names = [f"gw{os.getpid()}c", f"gw{os.getpid()}h"]
        self.clinic, self.hospital = [["ip", "netns", "exec", name] for name in names]
        self._names = names
        self._devices = []
        try:
            for name, own, other in zip(names, (self.clinic_address, self.hospital_address), (self.hospital_address, self.clinic_address)):
                self._devices.append(_end(name, own, other))
        except BaseException:
            self._forget()
            raise
        self._carrier = threading.Thread(target=self._carry)
        self._carrier.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ends = True
        self._carrier.join()
        self._forget()

    def begin_cuts(self):
        self._cuts_since = time.monotonic()

    def up_s(self):
        passed = time.monotonic() - self._cuts_since
        if not self._cut_every_s:
            return passed
        rounds, rest = divmod(passed, self._cut_every_s + self._cut_for_s)
        return rounds * self._cut_every_s + min(rest, self._cut_every_s)

    def _is_cut(self, now):
        if self._cuts_since is None or not self._cut_every_s:
            return False
        return (now - self._cuts_since) % (self._cut_every_s + self._cut_for_s) >= self._cut_every_s

    def _carry(self):
        free = [0.0, 0.0]  # when each direction has sent what it took on
        flying = []  # (arrives at, order, direction, packet)
        order = 0
        while not self._ends:
            now = time.monotonic()
            while flying and flying[0][0] <= now:
                _, _, direction, packet = heapq.heappop(flying)
                if not self._is_cut(now):
                    _write(self._devices[1 - direction], packet)
            wait = min(_IDLE_S, max(0.0, flying[0][0] - now)) if flying else _IDLE_S
            for device in select.select(self._devices, [], [], wait)[0]:
                direction = self._devices.index(device)
                packet = os.read(device, 65536)
                now = time.monotonic()
                begins = max(now, free[direction])
                is_full = (begins - now) * self.rate_byte_s > self._queue_bytes
                if is_full or self._chance.random() < self._loss:
                    continue
                free[direction] = begins + len(packet) / self.rate_byte_s
                order += 1
                heapq.heappush(flying, (free[direction] + self._delay_s, order, direction, packet))

    def _forget(self):
        for device in self._devices:
            os.close(device)
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


def _end(name, own, other):
    """One side: its namespace with a device of its own; answers the device's other face."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN_WITHOUT_HEADER))
    for command in (
        f"ip netns add {name}",
        f"ip link set {name} netns {name}",
        f"ip -n {name} link set lo up",
        f"ip -n {name} addr add {own} peer {other} dev {name}",
        f"ip -n {name} link set {name} up mtu 1500",
        f"ip -n {name} route replace {other} dev {name} src {own} congctl cubic",
    ):
        subprocess.run(command.split(), check=True)
    return device


def _write(device, packet):
    try:
        os.write(device, packet)
    except OSError:
        pass  # the other side is not up, or has no room: the packet is lost
