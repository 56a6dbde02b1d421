"""A laboratory's system that takes orders over MLLP, of another hand: the listener of the hl7 package.

`Laboratory(port)` listens on loopback from then on and takes what comes; `heard()` answers the messages so far.
"""

import asyncio
import threading

from hl7.mllp import start_hl7_server


class Laboratory:
    def __init__(self, port):
        self._port, self._heard, self._loop = port, [], asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="laboratory")
        self._thread.start()
        self._ready.wait(20)

    def heard(self):
        return list(self._heard)

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self):
        self._loop.run_until_complete(start_hl7_server(self._serve, "127.0.0.1", self._port, encoding="utf-8"))
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                self._heard.append(message)
                writer.writemessage(message.create_ack("AA"))
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()
