import json

from check import check, report, same, sign_in, world
from django.http import JsonResponse
from django.urls import include, path
from django_site import serve_site, set_up_site
from social_core.actions import do_auth

site, account, person = world["site"], world["officialAccount"], world["person"]
set_up_site(
    ["social_django"],
    AUTHENTICATION_BACKENDS=["social_core.backends.weixin.WeixinOAuth2", "social_core.backends.weixin.WeixinOAuth2APP"],
    SOCIAL_AUTH_WEIXIN_KEY=site["appid"],
    SOCIAL_AUTH_WEIXIN_SECRET=site["secret"],
    SOCIAL_AUTH_WEIXINAPP_KEY=account["appid"],
    SOCIAL_AUTH_WEIXINAPP_SECRET=account["secret"],
    SOCIAL_AUTH_WEIXINAPP_SCOPE=["snsapi_userinfo"],
    SOCIAL_AUTH_WEIXINAPP_IGNORE_DEFAULT_SCOPE=True,
    LOGIN_REDIRECT_URL="/done",
)

from social_django.utils import psa  # noqa: E402  reads the settings when it is imported


def show_user(request):
    return JsonResponse({"uid": request.user.social_auth.get().uid, "username": request.user.username})


def start(request, backend):
    return do_auth(request.backend)


urlpatterns = [
    path("", include("social_django.urls", namespace="social")),
    # What its own page does at a POST.
    path("start/<str:backend>", psa("social:complete")(start)),
    path("done", show_user),
]
origin = serve_site()


def sign_in_with(on, backend, openid):
    page = sign_in(on, f"{origin}/start/{backend}")
    same([page["status"], page["url"]], [200, f"{origin}/done"])
    same(json.loads(page["body"])["uid"], openid)


check("sign-in on a PC", lambda: sign_in_with("pc", "weixin", person["openids"]["site"]))
check("sign-in in WeChat", lambda: sign_in_with("wechat", "weixinapp", person["openids"]["officialAccount"]))
report("social-auth-core")
