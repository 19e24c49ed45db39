import json

from authlib.integrations.flask_client import OAuth
from check import check, listen, register, report, same, sign_in, world
from flask import Flask, jsonify

issuer, person = world["issuer"], world["person"]


def serve(**client_kwargs):
    """A Flask site with a sign-in by Authlib; where its button leads."""
    site = Flask(__name__)
    site.secret_key = "a secret of more than thirty-two characters"
    origin = listen(site)
    iam = OAuth(site).register(
        "iam",
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", **client_kwargs},
        **register({"type": "confidential", "redirect_uris": [f"{origin}/callback"]}),
    )

    @site.get("/login")
    def login():
        return iam.authorize_redirect(f"{origin}/callback")

    @site.get("/callback")
    def callback():
        token = iam.authorize_access_token()
        return jsonify(claims=token["userinfo"], user=iam.userinfo(token=token))

    return f"{origin}/login"


def sign_in_to(login):
    page = sign_in("pc", login)
    same(page["status"], 200)
    seen = json.loads(page["body"])
    same(seen["user"]["sub"], seen["claims"]["sub"])
    same([seen["user"]["nickname"], seen["user"]["picture"]], [person["nickname"], person["avatar"]])


check("sign-in with a nonce, ID token, userinfo", lambda: sign_in_to(serve()))
check("with PKCE", lambda: sign_in_to(serve(code_challenge_method="S256")))
check(
    "with client_secret_post",
    lambda: sign_in_to(serve(token_endpoint_auth_method="client_secret_post")),
)
report("Authlib")
