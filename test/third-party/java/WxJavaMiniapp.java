import cn.binarywang.wx.miniapp.api.WxMaService;
import cn.binarywang.wx.miniapp.api.impl.WxMaServiceImpl;
import cn.binarywang.wx.miniapp.bean.WxMaJscode2SessionResult;
import cn.binarywang.wx.miniapp.config.impl.WxMaDefaultConfigImpl;
import com.google.gson.JsonObject;
import java.util.List;
import java.util.Map;

/** WxJava for mini programs. */
public class WxJavaMiniapp {
  public static void main(String[] args) throws Exception {
    WxMaDefaultConfigImpl config = new WxMaDefaultConfigImpl();
    config.setAppid(People.text("miniProgram", "appid"));
    config.setSecret(People.text("miniProgram", "secret"));
    WxMaService service = new WxMaServiceImpl();
    service.setWxMaConfig(config);
    People.check("login and profile", () -> logIn(service));
    People.check("phone number", () -> {
      String code = People.ask("/phone-number", Map.of()).get("code").getAsString();
      People.same(service.getUserService().getPhoneNumber(code).getPhoneNumber().isEmpty(), false);
    });
    People.check("mini program code", () ->
        People.same(service.getQrcodeService().createWxaCodeUnlimitBytes(
            "s", "pages/index", false, "release", 430, true, null, false).length > 0, true));
    People.report("weixin-java-miniapp", WxMaService.class);
  }

  private static void logIn(WxMaService service) throws Exception {
    JsonObject phone = People.ask("/wx-login", Map.of());
    WxMaJscode2SessionResult session = service.getUserService().getSessionInfo(phone.get("code").getAsString());
    People.same(List.of(session.getOpenid(), session.getUnionid()),
        List.of(People.text("person", "openids", "miniProgram"), People.text("person", "unionid")));
    String key = session.getSessionKey();
    People.same(service.getUserService().checkUserInfo(
        key, phone.get("rawData").getAsString(), phone.get("signature").getAsString()), true);
    People.same(service.getUserService().getUserInfo(
        key, phone.get("encryptedData").getAsString(), phone.get("iv").getAsString()).getUnionId(),
        People.text("person", "unionid"));
  }
}
