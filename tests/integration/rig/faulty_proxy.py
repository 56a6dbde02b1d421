"""An HTTPS server that stands where the gateway expects its hospital, passes requests on to the real one, and does to them what bad links,
bad proxies and bad servers do. Faults are data (`Fault`); which requests they meet, and at which byte they cut, is drawn from a seed.

TLS on both sides with the run's own authority: the gateway has to show the client certificate, and the proxy shows it to the upstream.
`arm(fault)` begins, `peace()` ends it; `deeds` is what was done, in order, `first_sent` in which order resources went up first.
"""

import gzip
import http.client
import http.server
import json
import random
import select
import socket
import ssl
import struct
import threading
import urllib.parse
from dataclasses import dataclass, field

WRITES = ("PUT", "POST", "DELETE")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "content-length")
_UPSTREAM_S_MAX = 60

# What a fault does to a request it meets.
CUT_REQUEST = "cut-request"  # its first N bytes reach the upstream, then both connections die
CUT_ANSWER = "cut-answer"  # it is done, and N bytes of the answer come back
LOSE_ANSWER = "lose-answer"  # it is done, and not one byte comes back
DELAY = "delay"
DUPLICATE = "duplicate"  # it is done twice, and the second answer comes back
LATE_COPY = "late-copy"  # it is done, and once more when others have passed
ANSWER = "answer"  # nothing is done, and `status` comes back
ANSWER_AFTER = "answer-after"  # it is done, and `status` comes back all the same


@dataclass(frozen=True)
class Fault:
    name: str
    deed: str
    status: int = 0
    body: str = ""
    content_type: str = "application/fhir+json"
    headers: dict = field(default_factory=dict)
    methods: tuple = ("GET", *WRITES)
    over_entries: int = 0  # set: it meets every larger Bundle and nothing else, as a server's limit does
    delay_s: float = 0.4
    # It meets every second request on average, as long as these last; reads and writes have a budget each, or pulls would use it up.
    hits_max: int = 8
    chance: float = 0.5


class _Budget:
    """Draws, for one kind of request, whether the next is met."""

    def __init__(self, fault, seed):
        self._fault, self._chance, self._left = fault, random.Random(seed), fault.hits_max

    def meets(self):
        # The first is always met: a fault that nothing meets proves nothing.
        is_first = self._left == self._fault.hits_max
        if self._left == 0 or not (is_first or self._chance.random() < self._fault.chance):
            return False
        self._left -= 1
        return True

    def cut_at(self, length):
        return self._chance.randrange(length)


class FaultyProxy:
    def __init__(self, pki, upstream_url, seed=1):
        """Listens at once on `port`, below the same path; `upstream_url` may answer later."""
        self._upstream = urllib.parse.urlsplit(upstream_url)
        self._seed, self._lock, self._stopping = seed, threading.Lock(), threading.Event()
        self._to_upstream = ssl.create_default_context(cafile=str(pki.ca))
        self._to_upstream.load_cert_chain(pki.client.cert, pki.client.key)
        self.deeds, self.first_sent, self._refusals, self._copies = [], [], {}, []
        self.peace()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki.server.cert, pki.server.key)
        context.load_verify_locations(pki.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Exchange,), {"proxy": self}))
        self._server.tls = context
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="faulty proxy", daemon=True)
        self._thread.start()

    def arm(self, fault):
        with self._lock:
            self.fault = fault
            self._budgets = {kind: _Budget(fault, f"{self._seed} {fault.name} {kind}") for kind in ("reads", "writes")}

    def peace(self):
        with self._lock:
            self.fault, self._budgets = None, {}

    def refuse(self, text, outcome):
        """Answers 422 with this OperationOutcome to every write that names `text`, as a server with rules of its own does."""
        with self._lock:
            self._refusals[text] = outcome

    def accept(self, text):
        with self._lock:
            self._refusals.pop(text, None)

    def stop(self):
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told(self):
        """What was done since the start, for a person: the deed and how often."""
        counts = {}
        for deed in self.deeds:
            counts[deed] = counts.get(deed, 0) + 1
        return ", ".join(f"{count} x {deed}" for deed, count in counts.items()) or "nothing"

    # Below: called by the exchanges, each on a thread of its own.

    def refusal_of(self, method, text):
        with self._lock:
            named = [outcome for name, outcome in self._refusals.items() if name in text]
        return named[0] if named and method in WRITES else None

    def meets(self, method, raw, entry_count):
        """The fault that meets this request, if any, and the byte it cuts at."""
        with self._lock:
            fault = self.fault
            if fault is None or method not in fault.methods:
                return None, 0
            if fault.over_entries:
                return (fault, 0) if entry_count > fault.over_entries else (None, 0)
            budget = self._budgets["writes" if method in WRITES else "reads"]
            return (fault, budget.cut_at(len(raw))) if budget.meets() else (None, 0)

    def note_sent(self, names):
        with self._lock:
            self.first_sent += [name for name in names if name not in self.first_sent]

    def note(self, deed):
        with self._lock:
            self.deeds.append(deed)

    def keep_copy(self, raw):
        with self._lock:
            self._copies.append([3, raw])

    def late_copies(self):
        """Those whose time has come: three more requests have passed."""
        with self._lock:
            for copy in self._copies:
                copy[0] -= 1
            due = [raw for left, raw in self._copies if left <= 0]
            self._copies = [copy for copy in self._copies if copy[0] > 0]
        return due

    def copies_left(self):
        with self._lock:
            return len(self._copies)

    def connect_upstream(self):
        plain = socket.create_connection((self._upstream.hostname, self._upstream.port), timeout=_UPSTREAM_S_MAX)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._to_upstream.wrap_socket(plain, server_hostname=self._upstream.hostname)

    @property
    def upstream_host(self):
        return self._upstream.netloc

    def pass_time(self, seconds):
        self._stopping.wait(seconds)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    tls = None

    def finish_request(self, request, client_address):
        # The handshake on the connection's own thread: one that stalls must not hold up the others.
        request.settimeout(_UPSTREAM_S_MAX)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            secured = self.tls.wrap_socket(request, server_side=True)
        except OSError:
            return
        self.RequestHandlerClass(secured, client_address, self)

    def handle_error(self, request, client_address):
        pass  # a connection that died: the gateway tells it in its own log


class _Exchange(http.server.BaseHTTPRequestHandler):
    """One connection of the gateway's, request after request."""

    protocol_version = "HTTP/1.1"
    proxy = None
    _upstream = _refusal = None

    def log_message(self, *_):
        pass

    def finish(self):
        if self._upstream is not None:
            self._upstream.close()
        super().finish()
        self.connection.close()

    def _take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        raw = self._raw_request(body)
        text = gzip.decompress(body).decode() if self.headers.get("Content-Encoding") == "gzip" else body.decode()
        entries = json.loads(text).get("entry", []) if self.command == "POST" and '"Bundle"' in text else []
        self.proxy.note_sent(_resources_in(self.command, self.path, entries))
        self._refusal = self.proxy.refusal_of(self.command, self.path + text)
        fault, cut_at = self.proxy.meets(self.command, raw, len(entries))
        if fault is None:
            self._pass_on(raw)
        else:
            self.proxy.note(f"{fault.deed} {fault.status or ''} {self.command}".replace("  ", " "))
            self._do(fault, raw, cut_at)
        for copy in self.proxy.late_copies():
            self._refusal = None
            self._ask(copy, "POST")

    do_GET = do_PUT = do_POST = do_DELETE = _take

    def _do(self, fault, raw, cut_at):
        if fault.deed == CUT_REQUEST:
            upstream = self.proxy.connect_upstream()
            upstream.sendall(raw[:cut_at])
            _reset(upstream)
            self._die()
        elif fault.deed == ANSWER:
            self._answer_fault(fault)
        elif fault.deed == DELAY:
            self.proxy.pass_time(fault.delay_s)
            self._pass_on(raw)
        elif fault.deed == LATE_COPY:
            self._pass_on(raw)
            if self._refusal is None:
                self.proxy.keep_copy(raw)
        elif fault.deed == DUPLICATE:
            self._ask(raw, self.command)
            self._pass_on(raw)
        else:
            status, headers, body = self._ask(raw, self.command)
            if fault.deed == ANSWER_AFTER:
                self._answer_fault(fault)
                return
            if fault.deed == CUT_ANSWER:
                answer = self._raw_answer(status, headers, body)
                self.connection.sendall(answer[: cut_at % len(answer)])
            self._die()

    def _pass_on(self, raw):
        self._answer(*self._ask(raw, self.command))

    def _answer_fault(self, fault):
        self._answer(fault.status, {"Content-Type": fault.content_type, **fault.headers}, fault.body.encode())

    def _answer(self, status, headers, body):
        self.connection.sendall(self._raw_answer(status, headers, body))

    def _raw_answer(self, status, headers, body):
        lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if status not in (204, 304):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _raw_request(self, body):
        lines = [f"{self.command} {self.path} HTTP/1.1", f"Host: {self.proxy.upstream_host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if name.lower() not in ("host", "connection")]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def _ask(self, raw, method):
        """The upstream's answer: status, headers, body."""
        if self._refusal is not None:
            self.proxy.note("refused by a rule")
            return 422, {"Content-Type": "application/fhir+json"}, json.dumps(self._refusal).encode()
        if self._upstream is not None and select.select([self._upstream], [], [], 0)[0]:
            self._upstream.close()  # it ended the connection while it was idle
            self._upstream = None
        if self._upstream is None:
            self._upstream = self.proxy.connect_upstream()
        self._upstream.sendall(raw)
        answer = http.client.HTTPResponse(self._upstream, method=method)
        answer.begin()
        body = answer.read()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
        if answer.will_close:
            self._upstream.close()
            self._upstream = None
        return answer.status, headers, body

    def _die(self):
        self.close_connection = True
        _reset(self.connection)


def _reset(secured):
    """Ends a connection as a link that breaks does: without TLS's own goodbye."""
    secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    secured.close()


def _resources_in(method, path, entries):
    """Type/id of what a write is about, in its order."""
    if method == "PUT":
        return ["/".join(path.split("?")[0].split("/")[-2:])]
    requests = [entry.get("request", {}) for entry in entries]
    return [one["url"] for one in requests if one.get("method") == "PUT"]
