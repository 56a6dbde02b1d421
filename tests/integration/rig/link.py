"""A link that can be cut: TCP forwarding between two places, as the WAN between clinic and hospital or the LAN before the gateway.

One `Link` has several mappings (a listening port each, forwarding to one target) that are cut and restored together.

- `cut("blackhole")`: connections stay open, no byte moves in either direction, new ones are accepted and wait: a dead radio link.
- `cut("reset")`: every connection is reset and new ones are too: a router that lost its uplink.
- `restore()`: bytes held back by a blackhole flow on.
- `Mapping.trip_after(n)`: the link cuts itself once exactly n more bytes went to the target; the returned event tells.
- `Mapping.drop_next_answer()`: a request goes through, and its connection dies as the first byte of the answer arrives.

All of it runs on one asyncio loop in a thread of its own; the methods may be called from any thread and have taken effect when
they return. Counters count bytes that were handed to the other side.
"""

import asyncio
import socket
import struct
import threading

_CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

UP, BLACKHOLE, RESET = "up", "blackhole", "reset"


class Link:
    def __init__(self):
        self.mode = UP
        self.mappings = {}
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()

    def add(self, name, target_port, listen_port=0):
        """Forward a loopback port (a free one by default) to `target_port`; returns the `Mapping`."""
        mapping = Mapping(self, name, target_port)
        self.mappings[name] = mapping
        self._call(mapping._listen(listen_port))
        return mapping

    def cut(self, mode=BLACKHOLE):
        if mode not in (BLACKHOLE, RESET):
            raise ValueError(f"no such way to cut a link: {mode}")
        self._call(self._set(mode))

    def restore(self):
        self._call(self._set(UP))

    def stop(self):
        """Reset what is still open and end the thread."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _set(self, mode):
        self._set_now(mode)

    def _set_now(self, mode):
        self.mode = mode
        if mode == UP:
            self._open.set()
            return
        self._open.clear()
        if mode == RESET:
            for mapping in self.mappings.values():
                mapping._reset_all()

    async def _close(self):
        for mapping in self.mappings.values():
            mapping._listener.close()
            mapping._reset_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Mapping:
    """One forwarded port of a link; `port` is where to connect to."""

    def __init__(self, link, name, target_port):
        self.name, self.target_port, self.port = name, target_port, None
        self.bytes_up = self.bytes_down = self.connections = 0
        self._link = link
        self._live = set()
        self._trip = None
        self._drop = None

    def trip_after(self, byte_count, mode=BLACKHOLE):
        """Cut the whole link once `byte_count` more bytes went up through this mapping; returns a threading.Event."""
        trip = _Trip(self.bytes_up + byte_count, mode, threading.Event())
        self._link._call(_assign(self, "_trip", trip))
        return trip.tripped

    def drop_next_answer(self, after_bytes_up):
        """Kill the first connection whose target answers after it sent `after_bytes_up` more bytes; returns a threading.Event.

        This proxy can't read TLS, and a TLS 1.3 server sends session tickets while the client's first request is on its way: let
        the count be nearly a whole request.
        """
        drop = _Drop(after_bytes_up, threading.Event())
        self._link._call(_assign(self, "_drop", drop))
        return drop.dropped

    async def _listen(self, port):
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            self.connections += 1
            connection = _Connection(self, client)
            self._live.add(connection)
            connection.task = asyncio.create_task(connection.run())

    def _reset_all(self):
        for connection in list(self._live):
            connection.reset()


async def _assign(owner, name, value):
    setattr(owner, name, value)


class _Trip:
    def __init__(self, at_bytes_up, mode, tripped):
        self.at_bytes_up, self.mode, self.tripped = at_bytes_up, mode, tripped


class _Drop:
    def __init__(self, after_bytes_up, dropped):
        self.after_bytes_up, self.dropped = after_bytes_up, dropped


class _Connection:
    """Two pumps between a client and its target. An end of one direction is passed on; an error or a reset ends both."""

    def __init__(self, mapping, client):
        self._mapping, self._link, self._client = mapping, mapping._link, client
        self._target = None
        self._drop_seen, self._up_since_drop = None, 0
        self.task = None

    async def run(self):
        orderly = False
        try:
            if self._link.mode == RESET:
                return
            await self._link._open.wait()
            await self._connect()
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump_up())
                pumps.create_task(self._pump_down())
            orderly = True
        except* OSError:
            pass  # One side went away: the other learns it by the reset below, as over a real link.
        finally:
            self._mapping._live.discard(self)
            for end in (self._client, self._target):
                if end is not None:
                    _close(end, orderly)

    async def _connect(self):
        self._target = socket.socket()
        for end in (self._client, self._target):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(
            self._target, ("127.0.0.1", self._mapping.target_port)
        )

    async def _pump_up(self):
        loop = asyncio.get_running_loop()
        while data := await self._receive(self._client):
            while data:
                await self._link._open.wait()
                part, data, trip = self._take(data)
                await loop.sock_sendall(self._target, part)
                self._count_for_drop(len(part))
                if trip is not None:
                    self._link._set_now(trip.mode)
                    trip.tripped.set()
        self._target.shutdown(socket.SHUT_WR)

    def _take(self, data):
        """What of `data` may go now, the rest, and the trip that this part sets off, if any."""
        mapping, trip = self._mapping, self._mapping._trip
        if trip is None or mapping.bytes_up + len(data) < trip.at_bytes_up:
            mapping.bytes_up += len(data)
            return data, b"", None
        allowed = trip.at_bytes_up - mapping.bytes_up
        mapping.bytes_up += allowed
        mapping._trip = None
        # Other connections must stop here already, while this part is on its way.
        self._link._set_now(BLACKHOLE)
        return data[:allowed], data[allowed:], trip

    def _count_for_drop(self, count):
        drop = self._mapping._drop
        if drop is None:
            return
        if self._drop_seen is not drop:
            self._drop_seen, self._up_since_drop = drop, 0
        self._up_since_drop += count

    async def _pump_down(self):
        loop = asyncio.get_running_loop()
        while data := await self._receive(self._target):
            await self._link._open.wait()
            drop = self._mapping._drop
            asked = drop is not None and self._drop_seen is drop
            if asked and self._up_since_drop >= drop.after_bytes_up:
                self._mapping._drop = None
                drop.dropped.set()
                raise ConnectionResetError("answer dropped on request")
            await loop.sock_sendall(self._client, data)
            self._mapping.bytes_down += len(data)
        self._client.shutdown(socket.SHUT_WR)

    async def _receive(self, end):
        data = await asyncio.get_running_loop().sock_recv(end, _CHUNK)
        # Also the end of a stream is news, and news doesn't cross a cut link.
        await self._link._open.wait()
        return data

    def reset(self):
        self.task.cancel()


def _close(end, orderly):
    try:
        if not orderly:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    finally:
        end.close()
