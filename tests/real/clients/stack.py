"""The stack that `run` started, and signing in."""

import base64
import datetime
import json
import math
import os
import subprocess
import time
from pathlib import Path

import httpx

ISSUER, AUDIENCE, ALGORITHM = (os.environ[name] for name in ("ISSUER", "AUDIENCE", "ALGORITHM"))
JWKS = f"{ISSUER}/.well-known/jwks.json"


def post(path, body):
    answer = httpx.post(f"{ISSUER}{path}", json=body)
    answer.raise_for_status()
    return answer.json()


def sign_in():
    return post("/login", {"username": "demo", "password": os.environ["PASSWORD"]})


def put_forward(seconds):
    """Puts the stack's clock forward, and nobody else's."""
    post("/_local/clock", {"advance_seconds": seconds})


def rotate():
    """Lets the next key sign as soon as everybody knows it, and says in how many seconds that is."""
    command = [os.environ["AUTHCTL"], "--yes", "--json", "keys", "rotate"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    turn = datetime.datetime.fromisoformat(told["signs_from"].replace("Z", "+00:00"))
    return math.ceil(turn.timestamp() - time.time())


def fetches():
    """How often somebody has asked for the JWK Set."""
    return Path(os.environ["REQUESTS"]).read_text().splitlines().count("GET /.well-known/jwks.json")


def kid_of(token):
    header = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
