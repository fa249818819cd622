"""PyJWT and Authlib, as they come."""

import time

import joserfc.errors
import pytest
import time_machine

from stack import ALGORITHM, sign_in
from verifiers import VERIFIERS, authlib


@pytest.mark.parametrize(("verifier", "audience", "issuer", "expired", "_unknown"), VERIFIERS)
def test_a_good_token_one_for_others_one_of_another_issuer_one_that_has_expired(
    verifier, audience, issuer, expired, _unknown
):
    token, verify = sign_in()["access_token"], verifier()
    assert verify(token)["client_id"] == "default"
    with pytest.raises(audience, match="(?i)aud"):
        verifier(audience="another-api")(token)
    with pytest.raises(issuer, match="(?i)iss"):
        verifier(issuer="https://issuer.example")(token)
    with time_machine.travel(time.time() + 700), pytest.raises(expired):
        verify(token)


@pytest.mark.skipif(ALGORITHM != "EdDSA", reason="what it takes is tested above")
def test_authlib_takes_no_eddsa():
    with pytest.raises(joserfc.errors.UnsupportedAlgorithmError):
        authlib()(sign_in()["access_token"])
