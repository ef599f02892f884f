"""fake_docker - a container engine that has no containers and no images.

A go-livepeer worker asks one at its start, also when all its runners are reached by URL."""
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        known = self.path.startswith("/_ping") or "/containers/json" in self.path
        body = b"" if self.command == "HEAD" else b"[]" if known else b'{"message":"there is nothing here"}'
        self.send_response(200 if known else 404)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_DELETE = answer


class Engine:
    """Listens from its making on; DOCKER_HOST=url leads to it."""

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"tcp://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
