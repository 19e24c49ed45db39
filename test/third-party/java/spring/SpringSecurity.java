import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.net.ServerSocket;
import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** Spring Boot as it comes: three properties, and every page asks for a sign-in. */
@SpringBootConfiguration
@EnableAutoConfiguration
@RestController
public class SpringSecurity {
  private static final String registration = "spring.security.oauth2.client.registration.iam.";

  @GetMapping("/me")
  Map<String, Object> me(@AuthenticationPrincipal OidcUser user) {
    return Map.of("sub", user.getIdToken().getSubject(), "nickname", user.getClaimAsString("nickname"));
  }

  private static int freePort() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private static String serve(Map<String, String> more) throws Exception {
    int port = freePort();
    String origin = "http://localhost:" + port;
    JsonObject application = People.ask("/application",
        Map.of("type", "confidential", "redirect_uris", List.of(origin + "/login/oauth2/code/iam")));
    SpringApplication site = new SpringApplication(SpringSecurity.class);
    Map<String, Object> properties = new java.util.HashMap<>(Map.of(
        "server.port", String.valueOf(port),
        "server.address", "127.0.0.1",
        "logging.level.root", "error",
        "spring.main.banner-mode", "off",
        registration + "client-id", application.get("client_id").getAsString(),
        registration + "client-secret", application.get("client_secret").getAsString(),
        registration + "scope", "openid,profile",
        "spring.security.oauth2.client.provider.iam.issuer-uri", People.text("issuer")));
    properties.putAll(more);
    site.setDefaultProperties(properties);
    site.run();
    return origin;
  }

  private static void signIn(Map<String, String> more) throws Exception {
    JsonObject page = People.ask("/sign-in", Map.of("url", serve(more) + "/me"));
    People.same(page.get("status").getAsInt(), 200);
    JsonObject user = new Gson().fromJson(page.get("body").getAsString(), JsonObject.class);
    People.same(user.get("nickname").getAsString(), People.text("person", "nickname"));
  }

  public static void main(String[] args) throws Exception {
    People.check("sign-in with nonce and PKCE, ID token, userinfo", () -> signIn(Map.of()));
    People.check("with client_secret_post",
        () -> signIn(Map.of(registration + "client-authentication-method", "client_secret_post")));
    People.report("spring-security-oauth2-client", ClientRegistration.class);
  }
}
