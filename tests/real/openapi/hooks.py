"""What the description cannot say: credentials that are good, and how a well-formed request without them is refused."""

import json
import os
import urllib.request

import schemathesis

COOKIE = "__Secure-refresh_token"


def new_tokens():
    """The tokens of a new session, because the last one may have been ended by any request."""
    login = json.dumps({"username": "demo", "password": os.environ["PASSWORD"]}).encode()
    request = urllib.request.Request(os.environ["URL"] + "/login", login, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def new_refresh_token():
    return new_tokens()["refresh_token"]


GENUINE = {
    "password": lambda: os.environ["PASSWORD"],
    "refresh_token": new_refresh_token,
    "token": new_refresh_token,
    "subject_token": lambda: new_tokens()["access_token"],
    "client_secret": lambda: os.environ["CLIENT_SECRET"],
    COOKIE: new_refresh_token,
}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Credentials that are good, where the dictionaries of schemathesis.toml say so."""
    for place in ("body", "cookies"):
        members = getattr(case, place)
        if isinstance(members, dict):
            good = {name: make() for name, make in GENUINE.items() if members.get(name) == "genuine"}
            # Where a client is required, Schemathesis has it in the header field, and knows of no other way.
            if case.operation.path != "/oauth/token":
                good.pop("client_secret", None)
            if good:
                setattr(case, place, {**members, **good})
    # The access token that all of a run shares is of the same user: it would end with all others.
    if isinstance(case.body, dict) and case.body.get("sessions") in ("all", "others"):
        case.body = {**case.body, "sessions": "this"}


@schemathesis.check
def well_formed_is_understood(ctx, response, case):
    """`positive_data_acceptance` of the endpoints that take credentials: what is as described is refused for these alone."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    refused = response.json()
    # The credentials, and what they are good for.
    if refused["error"] in ("invalid_grant", "invalid_scope", "invalid_target"):
        return
    reason = refused["error_description"]
    token = case.body.get("refresh_token") if isinstance(case.body, dict) else None
    # No pattern says what characters a name may have (RFC 8264 §4.2).
    of_its_letters = reason.startswith("username: ")
    # Each body is of one kind of caller, and the other kind may not send it.
    of_an_app = isinstance(token, str) and reason == "a browser's refresh token is in its cookie"
    of_a_browser = token is None and reason.startswith('expected {"refresh_token"')
    # The credentials are in the header, and no schema knows that.
    of_two_clients = reason in (
        "the client's credentials stand in the header and in the body",
        "client_id is another than that of the header",
    )
    of_a_token = reason == "the subject token is not valid, or cannot be exchanged"
    understood = of_its_letters or of_an_app or of_a_browser or of_two_clients or of_a_token
    assert understood, f"as described, and not understood: {refused}"
