"""fhir_sink.py --bind ADDRESS --port N --certificate PEM: a FHIR server that does next to nothing with what it is sent, and counts it.

It knows enough to pass the gateway's probe: CapabilityStatement, PUT with If-Match and If-None-Match, GET, DELETE, batch, gzip both ways.
Bodies of resources are kept for a while only. GET /report answers what came so far, in bytes of request bodies as they were on the wire:
{"resources", "useful" (of Bundles, by the part that was new), "repeated" (by the part that was there already), "broken" (of requests that
did not come whole), "requests"}.
"""

import argparse
import asyncio
import collections
import gzip
import json
import ssl

BODIES_KEPT = 50_000
PACK_FROM = 1_000
STATEMENT = {
    "resourceType": "CapabilityStatement",
    "status": "active",
    "kind": "instance",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "software": {"name": "sink"},
    "rest": [{"mode": "server", "interaction": [{"code": "batch"}]}],
}


class Store:
    def __init__(self):
        self.versions = {}
        self.bodies = collections.OrderedDict()

    def handle(self, method, key, resource, if_match, if_none_match):
        """Status, and the body of a read."""
        version = self.versions.get(key)
        if method == "GET":
            return (200, self.bodies.get(key)) if version else (404, None)
        if if_match and (not version or if_match != f'W/"{version}"'):
            return 412, None
        if method == "DELETE":
            self.versions.pop(key, None)
            return 204, None
        if if_none_match and version:
            return 412, None
        self.versions[key] = (version or 0) + 1
        self.bodies[key] = resource
        if len(self.bodies) > BODIES_KEPT:
            self.bodies.popitem(last=False)
        return (200 if version else 201), None


class Sink:
    def __init__(self):
        self.store = Store()
        self.counted = {"resources": 0, "useful": 0.0, "repeated": 0.0, "broken": 0, "requests": 0}

    def batch(self, bundle, size):
        answers, new, old = [], 0, 0
        for entry in bundle["entry"]:
            request = entry["request"]
            key = request["url"]
            knew = key in self.store.versions
            status, body = self.store.handle(
                request["method"], key, entry.get("resource"), request.get("ifMatch"), request.get("ifNoneMatch")
            )
            answer = {"response": {"status": str(status)}}
            if key in self.store.versions:
                answer["response"]["etag"] = f'W/"{self.store.versions[key]}"'
            if body:
                answer["resource"] = body
            answers.append(answer)
            if request["method"] == "PUT" and key.startswith("Observation/"):
                new, old = new + (not knew), old + knew
        if new + old:
            self.counted["resources"] += new
            self.counted["useful"] += size * new / (new + old)
            self.counted["repeated"] += size * old / (new + old)
        return {"resourceType": "Bundle", "type": "batch-response", "entry": answers}

    def answer(self, method, path, headers, body):
        """Status, headers and value of the answer."""
        if path == "/report":
            return 200, {}, self.counted
        if path == "/fhir/metadata":
            return 200, {}, STATEMENT
        value = json.loads(gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body) if body else None
        if method == "POST":
            return 200, {}, self.batch(value, len(body))
        key = path.removeprefix("/fhir/")
        status, found = self.store.handle(method, key, value, headers.get("if-match"), headers.get("if-none-match"))
        version = self.store.versions.get(key)
        return status, {"ETag": f'W/"{version}"'} if version else {}, found

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in head[1:] if line)}
                try:
                    body = await reader.readexactly(int(headers.get("content-length", 0)))
                except asyncio.IncompleteReadError as cut:
                    self.counted["broken"] += len(cut.partial)
                    return
                status, more, value = self.answer(method, path, headers, body)
                self.counted["requests"] += path != "/report"
                packed = json.dumps(value).encode() if value is not None else b""
                if len(packed) >= PACK_FROM:
                    packed, more = gzip.compress(packed, 1), {**more, "Content-Encoding": "gzip"}
                lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(packed)}", "Content-Type: application/fhir+json"]
                lines += [f"{name}: {value}" for name, value in more.items()]
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + packed)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def run(options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
    server = await asyncio.start_server(Sink().serve, options.bind, options.port, ssl=context, limit=1 << 20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bind", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--certificate", required=True)
    asyncio.run(run(parser.parse_args()))
