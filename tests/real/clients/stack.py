"""The stack that `run` started, signing in, and how a service checks a token with PyJWT."""

import os

import httpx
import jwt

ISSUER, AUDIENCE, ALGORITHM = (os.environ[name] for name in ("ISSUER", "AUDIENCE", "ALGORITHM"))


def sign_in():
    answer = httpx.post(f"{ISSUER}/login", json={"username": "demo", "password": os.environ["PASSWORD"]})
    answer.raise_for_status()
    return answer.json()


def verify(token, audience=AUDIENCE):
    """With a new copy of the JWK Set."""
    key = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=[ALGORITHM], audience=audience, issuer=ISSUER)
