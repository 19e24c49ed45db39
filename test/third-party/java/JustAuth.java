import java.util.List;
import java.util.Map;
import me.zhyd.oauth.config.AuthConfig;
import me.zhyd.oauth.model.AuthCallback;
import me.zhyd.oauth.model.AuthResponse;
import me.zhyd.oauth.model.AuthUser;
import me.zhyd.oauth.request.AuthRequest;
import me.zhyd.oauth.request.AuthWeChatMpRequest;
import me.zhyd.oauth.request.AuthWeChatOpenRequest;
import me.zhyd.oauth.request.AuthWechatMiniProgramRequest;

/** JustAuth with its three ways into WeChat. */
public class JustAuth {
  private static AuthConfig config(String app, String callback) {
    return AuthConfig.builder().clientId(People.text(app, "appid")).clientSecret(People.text(app, "secret"))
        .redirectUri(callback).ignoreCheckRedirectUri(true).build();
  }

  private static AuthRequest request(String app, String callback) {
    AuthConfig config = config(app, callback);
    return app.equals("site") ? new AuthWeChatOpenRequest(config) : new AuthWeChatMpRequest(config);
  }

  private static void signIn(String on, String app) throws Exception {
    AuthRequest[] request = new AuthRequest[1];
    Map<String, String> query = People.signIn(on, callback -> {
      request[0] = request(app, callback);
      return request[0].authorize("state1");
    });
    AuthCallback callback = AuthCallback.builder().code(query.get("code")).state(query.get("state")).build();
    expect(request[0].login(callback), app);
  }

  private static void expect(AuthResponse<AuthUser> response, String app) {
    People.same(response.getMsg() == null ? response.getCode() : response.getMsg(), 2000);
    AuthUser user = response.getData();
    People.same(List.of(user.getToken().getOpenId(), user.getToken().getUnionId()),
        List.of(People.text("person", "openids", app), People.text("person", "unionid")));
  }

  public static void main(String[] args) throws Exception {
    People.check("sign-in on a PC", () -> signIn("pc", "site"));
    People.check("sign-in in WeChat", () -> signIn("wechat", "officialAccount"));
    People.check("login to the mini program", () -> {
      AuthConfig config = config("miniProgram", "https://localhost/");
      config.setIgnoreCheckState(true);
      String code = People.ask("/wx-login", Map.of()).get("code").getAsString();
      expect(new AuthWechatMiniProgramRequest(config).login(AuthCallback.builder().code(code).build()), "miniProgram");
    });
    People.report("JustAuth", AuthRequest.class);
  }
}
