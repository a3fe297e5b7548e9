package pwconform;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs the scenarios of pw-conform on io.roastedroot:proxy-wasm-java-host: a request a line, an answer a line. */
public final class Adapter {
    private static final int PROTOCOL = 2;
    private static final int DEADLINE_SECONDS = 10;
    private static final List<String> ABI = List.of("0.1.0", "0.2.0", "0.2.1");
    private static final List<String> FEATURES = List.of(
            "http", "concurrent_streams", "chains", "http_calls", "grpc", "metrics", "background", "time", "faults", "shutdown", "keep");

    private final PrintStream out;
    private final Map<String, JsonNode> kept = new HashMap<>();
    private final ExecutorService runner = Executors.newSingleThreadExecutor(work -> {
        var thread = new Thread(work, "scenario");
        thread.setDaemon(true);
        return thread;
    });
    private Events events;
    private Scenario scenario;

    private Adapter(PrintStream out) {
        this.out = out;
    }

    public static void main(String[] args) throws IOException {
        var adapter = new Adapter(new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8));
        // Standard output is for answers only, whatever a library prints.
        System.setOut(System.err);
        try (var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (var line = in.readLine(); line != null; line = in.readLine()) {
                var answer = adapter.answer(line);
                if (answer == null) {
                    return;
                }
                adapter.write(answer);
            }
        }
    }

    private void write(ObjectNode message) {
        out.println(message);
    }

    /** The answer to a request, or null if it is the last one. */
    private ObjectNode answer(String line) {
        try {
            var request = Wire.JSON.readTree(line);
            var type = request.path("type").asText();
            return switch (type) {
                case "start" -> host();
                case "shape", "module" -> keep(request);
                case "run" -> run(request);
                case "more" -> more(request);
                case "stop" -> null;
                default -> errored("this adapter does not know the request `" + type + "`");
            };
        } catch (IOException | RuntimeException e) {
            return errored(e.toString());
        }
    }

    private static ObjectNode host() {
        var host = message("host")
                .put("protocol", PROTOCOL)
                .put("name", "proxy-wasm-java-host")
                .put("version", "0.0.5")
                .put("in_process", true);
        ABI.forEach(host.putArray("abi")::add);
        FEATURES.forEach(host.putArray("features")::add);
        return host;
    }

    private ObjectNode keep(JsonNode request) {
        kept.put(request.path("id").asText(), request);
        return message("kept");
    }

    private ObjectNode run(JsonNode request) {
        var trace = request.path("trace").asBoolean();
        events = new Events(event -> {
            if (trace) {
                var message = message("event");
                message.set("event", event);
                write(message);
            }
        });
        scenario = new Scenario(events);
        return ran(request, () -> {
            for (var plugin : request.path("plugins")) {
                if (!scenario.start(plugin.path("settings"), module(plugin.path("guest")))) {
                    return;
                }
            }
            scenario.run(request.path("steps"));
        });
    }

    private ObjectNode more(JsonNode request) {
        if (scenario == null) {
            return errored("there is no scenario that more could happen in");
        }
        return ran(request, () -> scenario.run(request.path("steps")));
    }

    /** Answers what was seen while {@code work} was done: a host that does not return in time counts as crashed. */
    private ObjectNode ran(JsonNode request, Runnable work) {
        var done = runner.submit(work);
        try {
            done.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            events.died("no answer within " + DEADLINE_SECONDS + " s");
            done.cancel(true);
            scenario = null;
            awaitRunner();
        } catch (InterruptedException | ExecutionException e) {
            var cause = e.getCause() == null ? e : e.getCause();
            return errored(request.path("id").asText() + ": " + cause);
        }
        var answer = message("ran");
        answer.set("events", events.take());
        return answer;
    }

    /** Waits until the interrupted scenario is gone. If it stays, so does its thread: then the whole process ends, as in a crash. */
    private void awaitRunner() {
        try {
            runner.submit(() -> {}).get(1, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
            Runtime.getRuntime().halt(1);
        }
    }

    private byte[] module(JsonNode guest) {
        if (guest.has("module")) {
            return Base64.getDecoder().decode(known(guest.path("module").asText()).path("wasm").asText());
        }
        var shape = known(guest.path("shape").path("id").asText());
        var wasm = Base64.getDecoder().decode(shape.path("wasm").asText());
        var script = Base64.getDecoder().decode(guest.path("shape").path("script").asText());
        System.arraycopy(script, 0, wasm, shape.path("offset").asInt(), script.length);
        return wasm;
    }

    private JsonNode known(String id) {
        var module = kept.get(id);
        if (module == null) {
            throw new IllegalArgumentException("the module `" + id + "` was not sent before it was named");
        }
        return module;
    }

    private static ObjectNode errored(String context) {
        return message("errored").put("context", context);
    }

    private static ObjectNode message(String type) {
        return Wire.JSON.createObjectNode().put("type", type);
    }
}
