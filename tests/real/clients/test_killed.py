"""A token of a killed key, and one of the next."""

import os
import time

import pytest
import time_machine

from stack import sign_in
from verifiers import VERIFIERS


@pytest.mark.parametrize(("verifier", "_audience", "_issuer", "_expired", "unknown"), VERIFIERS)
def test_a_killed_key(verifier, _audience, _issuer, _expired, unknown):
    with time_machine.travel(time.time() + int(os.environ["LATER"])):
        verify = verifier()
        with pytest.raises(unknown):
            verify(os.environ["KILLED"])
        assert verify(sign_in()["access_token"])["client_id"] == "default"
