"""Writes down what it is asked, for tests that hold swarm and Locust beside each other.

    recorder.py PORTS

opens so many ports of 127.0.0.1, prints them in a line and serves until it is ended.
`GET /recorded` on one of them answers with what came there before, as JSON.
What a path does is at `ROUTES`.
"""

import gzip
import json
import re
import socket
import struct
import sys
import threading
import time
import zlib

BODY_MAX = 1 << 20


class Gone(Exception):
    """The connection has ended."""


class Connection:
    def __init__(self, sock):
        self.sock, self.received = sock, b""

    def until(self, end):
        while end not in self.received:
            self._more()
        part, self.received = self.received.split(end, 1)
        return part

    def exactly(self, length):
        while len(self.received) < length:
            self._more()
        part, self.received = self.received[:length], self.received[length:]
        return part

    def _more(self):
        try:
            part = self.sock.recv(65536)
        except OSError:
            part = b""
        if not part:
            raise Gone
        self.received += part

    def request(self):
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        found = {name.lower(): value for name, value in headers}
        body = b""
        if "content-length" in found:
            body = self.exactly(min(int(found["content-length"]), BODY_MAX))
        elif found.get("transfer-encoding", "").lower() == "chunked":
            while length := int(self.until(b"\r\n"), 16):
                body += self.exactly(length)
                self.until(b"\r\n")
            self.until(b"\r\n")
        return method, target, headers, body

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise Gone from None

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone


def answer(connection, status, body=b"", headers=(), phrase=None, length=None, method="GET"):
    phrase = PHRASES.get(status, "Odd") if phrase is None else phrase
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    connection.send(head if method == "HEAD" else head + body)


PHRASES = {
    200: "OK",
    201: "Created",
    204: "No Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    418: "I'm a Teapot",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

TEXT, JSON, HTML = (
    (("Content-Type", "text/plain; charset=utf-8"),),
    (("Content-Type", "application/json"),),
    (("Content-Type", "text/html"),),
)


def plain(connection, method, match, request):
    answer(connection, 200, b"hello", TEXT, method=method)


def status(connection, method, match, request):
    code = int(match[1])
    answer(
        connection,
        code,
        b"" if code in (204, 304) else f"status {code}".encode(),
        TEXT,
        method=method,
    )


def phrase(connection, method, match, request):
    answer(connection, int(match[1]), b"", TEXT, phrase=match[2], method=method)


def delay(connection, method, match, request):
    time.sleep(int(match[1]) / 1000)
    answer(connection, 200, b"late", TEXT, method=method)


def redirect(connection, method, match, request):
    """/redirect/CODE/TIMES: TIMES redirects to an end."""
    code, times = int(match[1]), int(match[2])
    to = f"/redirect/{code}/{times - 1}" if times > 1 else "/end?of=redirects"
    answer(connection, code, b"moved", (("Location", to), *TEXT), method=method)


def loop(connection, method, match, request):
    answer(connection, 302, b"", (("Location", "/loop"),), method=method)


def elsewhere(connection, method, match, request):
    answer(connection, 302, b"", (("Location", match[1]),), method=method)


def set_cookies(connection, method, match, request):
    headers = [("Set-Cookie", f"{part}; Path=/") for part in match[1].split("&")]
    answer(connection, 200, b"baked", (*headers, *TEXT), method=method)


def set_and_redirect(connection, method, match, request):
    answer(
        connection, 302, b"", (("Set-Cookie", "hop=1; Path=/"), ("Location", "/end")), method=method
    )


def show(connection, method, match, request):
    """What was sent, as JSON."""
    _, target, headers, body = request
    shown = {
        "method": method,
        "target": target,
        "body": body.decode("latin-1"),
        "headers": {name.lower(): value for name, value in headers},
    }
    answer(connection, 200, json.dumps(shown).encode(), JSON, method=method)


def data(connection, method, match, request):
    body = json.dumps({"name": "Zoë", "items": [1, 2, 3], "nested": {"a": None}}).encode()
    answer(
        connection,
        200,
        body,
        (*JSON, ("X-One", "1"), ("X-Two", "2"), ("X-Two", "3")),
        method=method,
    )


def encoded(connection, method, match, request):
    text = body = b"some text that is encoded " * 40
    coding = match[1]
    if coding == "gzip":
        body = gzip.compress(text, mtime=0)
    elif coding == "deflate":
        body = zlib.compress(text)
    elif coding == "broken":
        coding, body = "gzip", b"this is not gzip"
    answer(connection, 200, body, (("Content-Encoding", coding), *TEXT), method=method)


def latin(connection, method, match, request):
    answer(connection, 200, "Grüße".encode("latin-1"), HTML, method=method)


def lines(connection, method, match, request):
    answer(connection, 200, b"one\ntwo\nthree", TEXT, method=method)


def chunked(connection, method, match, request):
    connection.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n"
    )


def basic(connection, method, match, request):
    headers = {name.lower(): value for name, value in request[2]}
    if "authorization" in headers:
        answer(connection, 200, b"welcome", TEXT, method=method)
    else:
        answer(
            connection,
            401,
            b"who?",
            (("WWW-Authenticate", 'Basic realm="x"'), *TEXT),
            method=method,
        )


def reset(connection, method, match, request):
    connection.reset()


def close(connection, method, match, request):
    raise Gone


def truncated(connection, method, match, request):
    answer(connection, 200, b"half", TEXT, length=100)
    raise Gone


def reset_body(connection, method, match, request):
    answer(connection, 200, b"half", TEXT, length=100)
    time.sleep(0.05)
    connection.reset()


def garbage(connection, method, match, request):
    connection.send(b"this is no HTTP\r\n\r\n")
    raise Gone


ROUTES = [
    (re.compile(pattern), route)
    for pattern, route in (
        (r"/status/(\d+)", status),
        (r"/phrase/(\d+)/(\w*)", phrase),
        (r"/delay/(\d+)", delay),
        (r"/redirect/(\d+)/(\d+)", redirect),
        (r"/loop", loop),
        (r"/elsewhere\?(.*)", elsewhere),
        (r"/cookies\?(.*)", set_cookies),
        (r"/cookie-and-redirect", set_and_redirect),
        (r"/show.*", show),
        (r"/data", data),
        (r"/encoded/(\w+)", encoded),
        (r"/latin", latin),
        (r"/lines", lines),
        (r"/chunked", chunked),
        (r"/basic", basic),
        (r"/reset", reset),
        (r"/close", close),
        (r"/truncated", truncated),
        (r"/reset-body", reset_body),
        (r"/garbage", garbage),
        (r"/.*", plain),
    )
]


class Recorder:
    """One port, and what came there."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.socket.getsockname()[1]
        self.requests, self.lock = [], threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            sock, _ = self.socket.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        connection = Connection(sock)
        try:
            while True:
                request = connection.request()
                self._route(connection, request)
        except Gone:
            pass
        except ValueError as error:
            print(f"not a request: {error}", file=sys.stderr)
        sock.close()

    def _route(self, connection, request):
        method, target, headers, body = request
        if target == "/recorded":
            with self.lock:
                recorded = json.dumps(self.requests).encode()
            answer(connection, 200, recorded, JSON)
            # Who asks this reads to the end.
            raise Gone
        with self.lock:
            self.requests.append([method, target, headers, body.decode("latin-1")])
        for pattern, route in ROUTES:
            if match := pattern.fullmatch(target):
                route(connection, method, match, request)
                return


def main():
    recorders = [Recorder() for _ in range(int(sys.argv[1]))]
    print("listening on", ",".join(str(recorder.port) for recorder in recorders), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
