"""What every script needs: the people of this run, a server on a free port, and notes of how each check went."""

import json
import os
import threading
import traceback
import urllib.error
import urllib.request
from importlib.metadata import version
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

worked, failed, broken = [], [], []


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["PEOPLE"] + path, data=data)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["error"]) from None


world = ask("/")


def sign_in(on, url):
    """Opens a sign-in link on a "pc" or in "wechat"; the last page with its status, url and body."""
    return ask("/sign-in", {"on": on, "url": url})


def register(members):
    """Registers an application at the issuer; its `client_id` and `client_secret`."""
    return ask("/application", members)


def exchange_pushes(url, mode):
    """Submits a server URL, then follows, writes and unfollows in one mode; what the account said in the chat."""
    seen = ask("/push", {"url": url, "mode": mode})
    assert seen["handshake"]["ok"], seen["handshake"]
    assert seen["outcomes"] == ["answered"] * 3, seen
    return [message["text"] for message in seen["chat"] if message["from"] != "person"]


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def check(what, work):
    try:
        work()
        worked.append(what)
    except Exception as error:
        failed.append({"what": what, "why": f"{error!r}\n{traceback.format_exc(limit=-3)}"})


class ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def listen(app):
    """Serves a WSGI application; where it is reached."""
    server = make_server("127.0.0.1", 0, app, ThreadingServer, QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://localhost:{server.server_port}"


def report(client):
    outcome = {"client": client, "version": version(client), "worked": worked, "failed": failed, "broken": broken}
    print(json.dumps(outcome), flush=True)
