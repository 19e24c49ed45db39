import java.util.List;
import me.chanjar.weixin.common.bean.WxOAuth2UserInfo;
import me.chanjar.weixin.common.bean.oauth2.WxOAuth2AccessToken;
import me.chanjar.weixin.open.api.impl.WxOpenInMemoryConfigStorage;
import me.chanjar.weixin.open.api.impl.WxOpenOAuth2ServiceImpl;

/** WxJava for websites of the Open Platform. */
public class WxJavaOpen {
  public static void main(String[] args) throws Exception {
    WxOpenInMemoryConfigStorage storage = new WxOpenInMemoryConfigStorage();
    WxOpenOAuth2ServiceImpl service =
        new WxOpenOAuth2ServiceImpl(
            People.text("site", "appid"), People.text("site", "secret"), storage);
    service.setWxOpenConfigStorage(storage);
    People.check("sign-in on a PC", () -> {
      String code = People.signIn("pc",
          callback -> service.buildAuthorizationUrl(callback, "snsapi_login", "s-1")).get("code");
      WxOAuth2AccessToken token = service.getAccessToken(code);
      WxOAuth2UserInfo user = service.getUserInfo(token, "zh_CN");
      People.same(List.of(user.getOpenid(), user.getUnionId()),
          List.of(People.text("person", "openids", "site"), People.text("person", "unionid")));
      People.same(service.refreshAccessToken(token.getRefreshToken()).getOpenId(), user.getOpenid());
    });
    People.report("weixin-java-open", WxOpenOAuth2ServiceImpl.class);
  }
}
