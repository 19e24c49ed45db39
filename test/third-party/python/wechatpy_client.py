from urllib.parse import parse_qs

from check import ask, check, exchange_pushes, listen, report, same, sign_in, world
from wechatpy import WeChatClient, WeChatOAuth, parse_message
from wechatpy.client.api import WeChatWxa
from wechatpy.crypto import WeChatCrypto
from wechatpy.replies import TextReply, create_reply
from wechatpy.utils import check_signature

account, site, person = world["officialAccount"], world["site"], world["person"]
mini = world["miniProgram"]


def sign_in_with(on, app, scope):
    oauth = WeChatOAuth(app["appid"], app["secret"], "", scope, state="s-1")

    def serve(environ, start_response):
        code = parse_qs(environ["QUERY_STRING"]).get("code")
        if code:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [code[0].encode()]
        link = oauth.qrconnect_url if on == "pc" else oauth.authorize_url
        start_response("302 Found", [("Location", link)])
        return [b""]

    oauth.redirect_uri = listen(serve) + "/callback"
    oauth.fetch_access_token(sign_in(on, oauth.redirect_uri)["body"])
    return oauth


def on_pc():
    user = sign_in_with("pc", site, "snsapi_login").get_user_info()
    same([user["openid"], user["unionid"]], [person["openids"]["site"], person["unionid"]])


def in_wechat():
    user = sign_in_with("wechat", account, "snsapi_userinfo").get_user_info()
    same([user["openid"], user["nickname"]], [person["openids"]["officialAccount"], person["nickname"]])


def refresh():
    oauth = sign_in_with("wechat", account, "snsapi_userinfo")
    oauth.refresh_access_token(oauth.refresh_token)
    assert oauth.check_access_token()


def operate():
    ask("/follow", {})
    client = WeChatClient(account["appid"], account["secret"])
    openid = person["openids"]["officialAccount"]
    same(client.user.get(openid)["unionid"], person["unionid"])
    same(client.user.get_followers()["data"]["openid"], [openid])
    scene = {"action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "shop"}}, "expire_seconds": 60}
    picture = client.qrcode.show(client.qrcode.create(scene))
    same([picture.status_code, picture.headers["content-type"].split("/")[0]], [200, "image"])


def log_in_to_mini_program():
    session = WeChatWxa(WeChatClient(mini["appid"], mini["secret"])).code_to_session(ask("/wx-login", {})["code"])
    same([session["openid"], session["unionid"]], [person["openids"]["miniProgram"], person["unionid"]])


def push(mode):
    crypto = WeChatCrypto(account["token"], account["encodingAesKey"], account["appid"])

    def answer(environ):
        query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
        check_signature(account["token"], query["signature"], query["timestamp"], query["nonce"])
        if environ["REQUEST_METHOD"] == "GET":
            return query["echostr"]
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        sealed = "msg_signature" in query
        if sealed:
            body = crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])
        message = parse_message(body)
        if message.type == "text":
            reply = TextReply(content=f"you said {message.content}", message=message)
        else:
            reply = create_reply("welcome" if message.event == "subscribe" else "", message)
        return crypto.encrypt_message(reply.render(), query["nonce"], query["timestamp"]) if sealed else reply.render()

    def serve(environ, start_response):
        text = answer(environ)
        start_response("200 OK", [("Content-Type", "application/xml")])
        return [text.encode()]

    same(exchange_pushes(listen(serve), mode), ["welcome", "you said 你好"])


check("sign-in on a PC", on_pc)
check("sign-in in WeChat", in_wechat)
check("refresh and verification of tokens", refresh)
check("followers and QR codes", operate)
check("login to the mini program", log_in_to_mini_program)
for each in ("plain", "compatible", "safe"):
    check(f"pushes in {each} mode", lambda mode=each: push(mode))
report("wechatpy")
