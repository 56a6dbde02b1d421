#!/usr/bin/env python3
"""counting_relay.py FILE LISTEN=TARGET...: passes TCP on, and counts in FILE what went to the targets.

LISTEN and TARGET are HOST:PORT. FILE holds one number, written anew at least once a second: the bytes that came from the callers, of
all connections together, as TCP delivered them.
"""

import asyncio
import sys
from pathlib import Path


class Relay:
    def __init__(self, file):
        self._file, self.bytes_up = Path(file), 0

    async def serve(self, listen, target):
        async def pass_on(reader, writer):
            try:
                up_reader, up_writer = await asyncio.open_connection(*target)
                await asyncio.gather(self._pump(reader, up_writer, True), self._pump(up_reader, writer, False))
            except OSError:
                pass  # the other side learns it by the close below
            finally:
                writer.close()

        return await asyncio.start_server(pass_on, *listen)

    async def _pump(self, reader, writer, counts):
        try:
            while data := await reader.read(65536):
                self.bytes_up += len(data) if counts else 0
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def report(self):
        while True:
            fresh = self._file.with_suffix(".new")
            fresh.write_text(str(self.bytes_up))
            fresh.replace(self._file)
            await asyncio.sleep(0.5)


def place(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


async def main(file, pairs):
    relay = Relay(file)
    for pair in pairs:
        listen, target = pair.split("=")
        await relay.serve(place(listen), place(target))
    await relay.report()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
