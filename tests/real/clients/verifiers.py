"""How a service checks a token with each library, whose JWK Set is kept for as long as the library does; and what each raises."""

import functools

import httpx
import joserfc.errors
import jwt
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from stack import ALGORITHM, AUDIENCE, ISSUER, JWKS


def pyjwt(audience=AUDIENCE, issuer=ISSUER):
    keys = jwt.PyJWKClient(JWKS)

    def verify(token):
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=[ALGORITHM], audience=audience, issuer=issuer)

    return verify


class Validator(JWTBearerTokenValidator):
    """As its documentation has it: the keys are fetched once."""

    @functools.cache
    def get_jwks(self):
        return KeySet.import_key_set(httpx.get(JWKS).json())


def authlib(audience=AUDIENCE, issuer=ISSUER):
    validator = Validator(issuer, audience)

    def verify(token):
        try:
            claims = validator.authenticate_token(token)
            validator.validate_token(claims, [], None)
        except InvalidTokenError as refused:
            raise refused.__cause__  # which says why
        return claims

    return verify


# Each with what it raises: for another audience, another issuer, an expired token, a key that is not known.
PYJWT = (pyjwt, jwt.InvalidAudienceError, jwt.InvalidIssuerError, jwt.ExpiredSignatureError, jwt.PyJWKClientError)
AUTHLIB = (
    authlib,
    joserfc.errors.InvalidClaimError,
    joserfc.errors.InvalidClaimError,
    joserfc.errors.ExpiredTokenError,
    joserfc.errors.InvalidKeyIdError,
)
# Authlib takes no algorithm that joserfc does not recommend.
VERIFIERS = [PYJWT] if ALGORITHM == "EdDSA" else [PYJWT, AUTHLIB]
