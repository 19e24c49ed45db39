import json
import urllib.request

from check import check, register, report, same, sign_in, world
from django.conf import settings
from django.http import JsonResponse
from django.urls import include, path
from django_site import serve_site, set_up_site

issuer, person = world["issuer"], world["person"]
with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration") as response:
    metadata = json.load(response)


set_up_site(
    ["mozilla_django_oidc"],
    AUTHENTICATION_BACKENDS=["__main__.BySubject"],
    OIDC_OP_AUTHORIZATION_ENDPOINT=metadata["authorization_endpoint"],
    OIDC_OP_TOKEN_ENDPOINT=metadata["token_endpoint"],
    OIDC_OP_USER_ENDPOINT=metadata["userinfo_endpoint"],
    OIDC_OP_JWKS_ENDPOINT=metadata["jwks_uri"],
    OIDC_RP_SIGN_ALGO="RS256",
    OIDC_RP_SCOPES="openid profile",
    LOGIN_REDIRECT_URL="/done",
)


# Django's models can be imported once it is configured.
from mozilla_django_oidc.auth import OIDCAuthenticationBackend  # noqa: E402


class BySubject(OIDCAuthenticationBackend):
    """Nobody has an e-mail address here, by which the library finds its users as it comes."""

    def filter_users_by_claims(self, claims):
        return self.UserModel.objects.filter(username=claims["sub"])

    def create_user(self, claims):
        return self.UserModel.objects.create_user(claims["sub"], first_name=claims["nickname"])


def show_user(request):
    return JsonResponse({"id": request.user.username, "name": request.user.first_name})


urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls")), path("done", show_user)]
origin = serve_site()
application = register({"type": "confidential", "redirect_uris": [f"{origin}/oidc/callback/"]})
settings.OIDC_RP_CLIENT_ID = application["client_id"]
settings.OIDC_RP_CLIENT_SECRET = application["client_secret"]


def on_pc():
    page = sign_in("pc", f"{origin}/oidc/authenticate/")
    same([page["status"], page["url"]], [200, f"{origin}/done"])
    same(json.loads(page["body"])["name"], person["nickname"])


check("sign-in with a nonce, ID token (RS256), userinfo", on_pc)
settings.OIDC_USE_PKCE = True
check("with PKCE", on_pc)
report("mozilla-django-oidc")
