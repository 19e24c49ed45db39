import json

from check import check, report, same, sign_in, world
from django.http import JsonResponse
from django.urls import include, path
from django_site import serve_site, set_up_site

site, person = world["site"], world["person"]
set_up_site(
    ["allauth", "allauth.account", "allauth.socialaccount", "allauth.socialaccount.providers.weixin"],
    MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
    AUTHENTICATION_BACKENDS=["allauth.account.auth_backends.AuthenticationBackend"],
    SOCIALACCOUNT_PROVIDERS={"weixin": {"APPS": [{"client_id": site["appid"], "secret": site["secret"]}]}},
    SOCIALACCOUNT_LOGIN_ON_GET=True,
    ACCOUNT_EMAIL_VERIFICATION="none",
    LOGIN_REDIRECT_URL="/done",
)


def show_user(request):
    return JsonResponse(request.user.socialaccount_set.get().extra_data)


urlpatterns = [path("accounts/", include("allauth.urls")), path("done", show_user)]
origin = serve_site()


def on_pc():
    page = sign_in("pc", f"{origin}/accounts/weixin/login/")
    same([page["status"], page["url"]], [200, f"{origin}/done"])
    user = json.loads(page["body"])
    same([user["openid"], user["unionid"]], [person["openids"]["site"], person["unionid"]])
    same(user["nickname"], person["nickname"])


check("sign-in on a PC", on_pc)
report("django-allauth")
