package pwconform;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.roastedroot.proxywasm.internal.ProxyMap;
import java.util.function.Consumer;

/** What was seen of a scenario, in its order. Written by the thread that runs it, read by the main thread. */
final class Events {
    private final Consumer<ObjectNode> trace;
    private ArrayNode seen = Wire.JSON.createArrayNode();
    private boolean over;

    /** Each event is given to {@code trace} at once, too. */
    Events(Consumer<ObjectNode> trace) {
        this.trace = trace;
    }

    /** All events since the last call. */
    synchronized ArrayNode take() {
        var taken = seen;
        seen = Wire.JSON.createArrayNode();
        return taken;
    }

    void step(int index) {
        add(event("step").put("index", index));
    }

    void refused(String plugin, Throwable cause) {
        add(event("refused").put("plugin", plugin).put("reason", reason(cause)));
    }

    void log(String plugin, String level, String message) {
        add(event("log").put("plugin", plugin).put("level", level).put("message", message));
    }

    void fault(String plugin, Throwable cause) {
        add(event("fault").put("plugin", plugin).put("reason", reason(cause)));
    }

    /** The last event: what the thread of the scenario adds afterwards is dropped. */
    synchronized void died(String how) {
        add(event("died").put("how", how));
        over = true;
    }

    void metric(String name, long value) {
        add(event("metric").put("name", name).put("value", value));
    }

    void headers(String receiver, int stream, ProxyMap headers, boolean end) {
        var part = part("headers").put("end_of_stream", end);
        part.set("headers", Wire.pairs(headers));
        add(receiver, stream, part);
    }

    void body(String receiver, int stream, byte[] body, boolean end) {
        var part = part("body").put("end_of_stream", end);
        part.set("body", Wire.data(body));
        add(receiver, stream, part);
    }

    void trailers(String receiver, int stream, ProxyMap trailers) {
        var part = part("trailers");
        part.set("trailers", Wire.pairs(trailers));
        add(receiver, stream, part);
    }

    void reset(String receiver, int stream) {
        add(receiver, stream, part("reset"));
    }

    void httpCall(int call, String upstream, ProxyMap headers, byte[] body, ProxyMap trailers) {
        var event = event("http_call").put("call", call).put("upstream", upstream);
        event.set("headers", Wire.pairs(headers));
        event.set("body", Wire.data(body));
        event.set("trailers", Wire.pairs(trailers));
        add(event);
    }

    /** A unary gRPC call is opened, has one message, and ends. */
    void grpcCall(int call, String upstream, String service, String method, ProxyMap metadata, byte[] message) {
        var opened = part("opened").put("upstream", upstream).put("service", service).put("method", method);
        opened.set("metadata", Wire.pairs(metadata));
        grpc(call, opened);
        var sent = part("message");
        sent.set("message", Wire.data(message));
        grpc(call, sent);
        grpc(call, part("end"));
    }

    private void grpc(int call, ObjectNode part) {
        var event = event("grpc").put("call", call);
        event.set("part", part);
        add(event);
    }

    private void add(String receiver, int stream, ObjectNode part) {
        var event = event(receiver).put("stream", stream);
        event.set("part", part);
        add(event);
    }

    private synchronized void add(ObjectNode event) {
        if (!over) {
            seen.add(event);
            trace.accept(event);
        }
    }

    private static ObjectNode event(String name) {
        return Wire.JSON.createObjectNode().put("event", name);
    }

    private static ObjectNode part(String name) {
        return Wire.JSON.createObjectNode().put("part", name);
    }

    /** The innermost cause: the library wraps what the plugin or its own code threw. */
    private static String reason(Throwable cause) {
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause.toString();
    }
}
