// Asks by Java's HttpClient in its default setting, which offers HTTP/2 with its first request (Upgrade: h2c):
// `java Chat.java URL KEY WHOLE STREAMED`, the last two being files with a request's body. Prints status and answer.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.stream.Collectors;

public class Chat {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest whole = request(arguments[0], arguments[1], arguments[2]);
        // Twice: the second one may take up the connection of the first.
        for (int turn = 0; turn < 2; turn++) {
            HttpResponse<String> answer = client.send(whole, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.version() + " " + answer.statusCode() + " " + answer.body());
        }
        HttpRequest streamed = request(arguments[0], arguments[1], arguments[3]);
        var lines = client.send(streamed, HttpResponse.BodyHandlers.ofLines());
        String events = lines.body().filter(line -> !line.isEmpty()).collect(Collectors.joining("\n"));
        System.out.println(lines.version() + " " + lines.statusCode());
        System.out.println(events);
    }

    private static HttpRequest request(String url, String key, String body) throws Exception {
        return HttpRequest.newBuilder(URI.create(url + "/chat/completions"))
            .header("Authorization", "Bearer " + key)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofFile(Path.of(body)))
            .build();
    }
}
