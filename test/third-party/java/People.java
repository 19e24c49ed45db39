import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Executors;

/** What every program needs: the people of this run, a server on a free port, and notes of how each check went. */
final class People {
  interface Work {
    void run() throws Exception;
  }

  interface Answer {
    String to(Map<String, String> query, String body) throws Exception;
  }

  interface Link {
    String to(String callback) throws Exception;
  }

  private static final Gson gson = new Gson();
  private static final JsonArray worked = new JsonArray();
  private static final JsonArray failed = new JsonArray();
  static final JsonObject world = ask("/", null);

  static String text(String... path) {
    JsonObject at = world;
    for (int i = 0; i < path.length - 1; i++) at = at.getAsJsonObject(path[i]);
    return at.get(path[path.length - 1]).getAsString();
  }

  static JsonObject ask(String path, Map<String, ?> body) {
    try {
      HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(System.getenv("PEOPLE") + path));
      if (body != null) request.POST(HttpRequest.BodyPublishers.ofString(gson.toJson(body)));
      String answer = HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString()).body();
      JsonObject read = gson.fromJson(answer, JsonObject.class);
      if (read.has("error")) throw new IllegalStateException(read.get("error").getAsString());
      return read;
    } catch (java.io.IOException | InterruptedException error) {
      throw new IllegalStateException(error);
    }
  }

  /** Goes from a link to the callback; the query that arrived there. */
  static Map<String, String> signIn(String on, Link link) throws Exception {
    String[] origin = new String[1];
    origin[0] = listen((query, body) -> query.containsKey("code") ? gson.toJson(query) : null, link, origin);
    JsonObject page = ask("/sign-in", Map.of("on", on, "url", origin[0]));
    JsonObject query = gson.fromJson(page.get("body").getAsString(), JsonObject.class);
    Map<String, String> read = new HashMap<>();
    query.entrySet().forEach(entry -> read.put(entry.getKey(), entry.getValue().getAsString()));
    return read;
  }

  /** Submits a server URL, then follows, writes and unfollows in one mode; checks what the account said in the chat. */
  static void exchangePushes(Answer answer, String mode) throws Exception {
    JsonObject seen = ask("/push", Map.of("url", listen(answer, null, new String[1]), "mode", mode));
    List<String> replies = new ArrayList<>();
    seen.getAsJsonArray("chat").forEach(each -> {
      JsonObject message = each.getAsJsonObject();
      if (!message.get("from").getAsString().equals("person")) replies.add(message.get("text").getAsString());
    });
    same(replies, List.of("welcome", "you said 你好"));
    same(seen.getAsJsonArray("outcomes").toString(), "[\"answered\",\"answered\",\"answered\"]");
    same(seen.getAsJsonObject("handshake").get("ok").getAsBoolean(), true);
  }

  static void same(Object got, Object wanted) {
    if (!Objects.equals(got, wanted)) throw new IllegalStateException(got + " is not " + wanted);
  }

  static void check(String what, Work work) {
    try {
      work.run();
      worked.add(what);
    } catch (Exception error) {
      JsonObject failure = new JsonObject();
      failure.addProperty("what", what);
      failure.addProperty("why", error.toString());
      failed.add(failure);
    }
  }

  /** Prints the outcome; the version stands in the name of the jar that a class of the client comes from. */
  static void report(String artifact, Class<?> of) throws Exception {
    String jar = Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI()).getFileName().toString();
    JsonObject outcome = new JsonObject();
    outcome.addProperty("client", artifact);
    outcome.addProperty("version", jar.substring(artifact.length() + 1, jar.length() - ".jar".length()));
    outcome.add("worked", worked);
    outcome.add("failed", failed);
    outcome.add("broken", new JsonArray());
    System.out.println(gson.toJson(outcome));
    System.exit(0);
  }

  private static String listen(Answer answer, Link link, String[] origin) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", exchange -> serve(exchange, answer, link, origin));
    server.start();
    return "http://localhost:" + server.getAddress().getPort();
  }

  private static void serve(HttpExchange exchange, Answer answer, Link link, String[] origin) {
    try (exchange) {
      String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
      String text = answer.to(queryOf(exchange), body);
      if (text == null) {
        exchange.getResponseHeaders().set("Location", link.to(origin[0] + "/callback"));
        exchange.sendResponseHeaders(302, -1);
        return;
      }
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      exchange.sendResponseHeaders(200, bytes.length == 0 ? -1 : bytes.length);
      exchange.getResponseBody().write(bytes);
    } catch (Exception error) {
      error.printStackTrace();
    }
  }

  private static Map<String, String> queryOf(HttpExchange exchange) {
    Map<String, String> query = new HashMap<>();
    String raw = exchange.getRequestURI().getRawQuery();
    for (String pair : raw == null ? new String[0] : raw.split("&")) {
      String[] parts = pair.split("=", 2);
      query.put(parts[0], URLDecoder.decode(parts.length > 1 ? parts[1] : "", StandardCharsets.UTF_8));
    }
    return query;
  }
}
