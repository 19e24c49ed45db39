import java.util.List;
import java.util.Map;
import me.chanjar.weixin.common.bean.WxOAuth2UserInfo;
import me.chanjar.weixin.common.bean.oauth2.WxOAuth2AccessToken;
import me.chanjar.weixin.mp.api.WxMpService;
import me.chanjar.weixin.mp.api.impl.WxMpServiceImpl;
import me.chanjar.weixin.mp.bean.message.WxMpXmlMessage;
import me.chanjar.weixin.mp.bean.message.WxMpXmlOutMessage;
import me.chanjar.weixin.mp.config.impl.WxMpDefaultConfigImpl;

/** WxJava for Official Accounts. */
public class WxJavaMp {
  private static WxMpDefaultConfigImpl config;
  private static WxMpService service;

  public static void main(String[] args) throws Exception {
    config = new WxMpDefaultConfigImpl();
    config.setAppId(People.text("officialAccount", "appid"));
    config.setSecret(People.text("officialAccount", "secret"));
    config.setToken(People.text("officialAccount", "token"));
    config.setAesKey(People.text("officialAccount", "encodingAesKey"));
    service = new WxMpServiceImpl();
    service.setWxMpConfigStorage(config);
    People.check("sign-in in WeChat, refresh and verification of tokens", WxJavaMp::signIn);
    People.check("followers and QR codes", WxJavaMp::operate);
    for (String mode : List.of("plain", "compatible", "safe"))
      People.check("pushes in " + mode + " mode", () -> People.exchangePushes(WxJavaMp::answer, mode));
    People.report("weixin-java-mp", WxMpService.class);
  }

  private static void signIn() throws Exception {
    String code = People.signIn("wechat",
        callback -> service.getOAuth2Service().buildAuthorizationUrl(callback, "snsapi_userinfo", "s-1")).get("code");
    WxOAuth2AccessToken token = service.getOAuth2Service().getAccessToken(code);
    WxOAuth2UserInfo user = service.getOAuth2Service().getUserInfo(token, "zh_CN");
    People.same(List.of(user.getOpenid(), user.getNickname(), user.getUnionId()), List.of(
        People.text("person", "openids", "officialAccount"),
        People.text("person", "nickname"),
        People.text("person", "unionid")));
    WxOAuth2AccessToken fresh = service.getOAuth2Service().refreshAccessToken(token.getRefreshToken());
    People.same(service.getOAuth2Service().validateAccessToken(fresh), true);
  }

  private static void operate() throws Exception {
    People.ask("/follow", Map.of());
    String openid = People.text("person", "openids", "officialAccount");
    People.same(service.getUserService().userInfo(openid).getUnionId(), People.text("person", "unionid"));
    People.same(service.getUserService().userList().getOpenids(), List.of(openid));
    People.same(service.getQrcodeService()
        .qrCodePicture(service.getQrcodeService().qrCodeCreateTmpTicket("shop", 60)).length() > 0, true);
  }

  private static String answer(Map<String, String> query, String body) {
    String timestamp = query.get("timestamp");
    String nonce = query.get("nonce");
    if (!service.checkSignature(timestamp, nonce, query.get("signature"))) return "bad signature";
    if (query.containsKey("echostr")) return query.get("echostr");
    boolean sealed = query.containsKey("msg_signature");
    WxMpXmlMessage message = sealed
        ? WxMpXmlMessage.fromEncryptedXml(body, config, timestamp, nonce, query.get("msg_signature"))
        : WxMpXmlMessage.fromXml(body);
    if ("unsubscribe".equals(message.getEvent())) return "";
    String text = "subscribe".equals(message.getEvent()) ? "welcome" : "you said " + message.getContent();
    WxMpXmlOutMessage reply = WxMpXmlOutMessage.TEXT().content(text)
        .fromUser(message.getToUser()).toUser(message.getFromUser()).build();
    return sealed ? reply.toEncryptedXml(config) : reply.toXml();
  }
}
