from bottle import Bottle
from check import ask, check, exchange_pushes, listen, report, same, world
from werobot import WeRoBot
from werobot.contrib.bottle import make_view

account, person = world["officialAccount"], world["person"]


def robot_for(mode):
    sealed = {} if mode == "plain" else {"encoding_aes_key": account["encodingAesKey"], "app_id": account["appid"]}
    robot = WeRoBot(token=account["token"], enable_session=False, **sealed)
    robot.subscribe(lambda: "welcome")
    robot.unsubscribe(lambda: "")
    robot.text(lambda message: f"you said {message.content}")
    return robot


def push(mode):
    app = Bottle()
    app.route("/robot", ["GET", "POST"], make_view(robot_for(mode)))
    same(exchange_pushes(listen(app) + "/robot", mode), ["welcome", "you said 你好"])


def operate():
    ask("/follow", {})
    robot = WeRoBot(token=account["token"], app_id=account["appid"], app_secret=account["secret"])
    openid = person["openids"]["officialAccount"]
    same(robot.client.get_user_info(openid)["unionid"], person["unionid"])
    same(robot.client.get_followers()["data"]["openid"], [openid])


for each in ("plain", "compatible", "safe"):
    check(f"pushes in {each} mode", lambda mode=each: push(mode))
check("followers", operate)
report("WeRoBot")
