package pwconform;

import com.fasterxml.jackson.databind.JsonNode;
import io.roastedroot.proxywasm.internal.ArrayBytesProxyMap;
import io.roastedroot.proxywasm.internal.ArrayProxyMap;
import io.roastedroot.proxywasm.internal.GrpcCallResponseHandler;
import io.roastedroot.proxywasm.internal.HttpCallResponseHandler;
import io.roastedroot.proxywasm.internal.HttpRequestAdaptor;
import io.roastedroot.proxywasm.internal.ProxyMap;
import io.roastedroot.proxywasm.internal.ServerAdaptor;
import java.net.URI;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The time, and the servers of the calls that plugins make. */
final class Outside {
    private static final int GRPC_DEADLINE_EXCEEDED = 4;
    private static final int GRPC_UNAVAILABLE = 14;

    /** Headers that the HTTP client of JAX-RS, java.net.http, sets on its own; it takes none from plugins. */
    private static final Set<String> OF_THE_CLIENT = Set.of("connection", "content-length", "expect", "host", "upgrade");

    private final Events events;
    private final Guard guard;
    private final List<Timer> timers = new ArrayList<>();
    private final List<Call<HttpCallResponseHandler>> httpCalls = new ArrayList<>();
    private final List<Call<GrpcCallResponseHandler>> grpcCalls = new ArrayList<>();
    private long now;

    Outside(Events events, Guard guard) {
        this.events = events;
        this.guard = guard;
    }

    /** The upstreams that plugins know, each as a URI whose host is the name. */
    static Map<String, URI> upstreams() {
        return Stream.of("upstream", "auth", "callout", "dead")
                .collect(Collectors.toMap(Function.identity(), name -> URI.create("http://" + name)));
    }

    /** Lets time pass, and runs {@code settle} after each thing that happens meanwhile. */
    void advance(long milliseconds, Runnable settle) {
        var until = now + milliseconds;
        for (var next = next(until); next != null; next = next(until)) {
            now = next.at;
            if (next.period > 0) {
                next.at += next.period;
            } else {
                timers.remove(next);
            }
            guard.run(next.plugin, next.task);
            settle.run();
        }
        now = until;
    }

    /** Runs what is due now: a call must not be answered before it has returned to the plugin. */
    void settle(Runnable settle) {
        advance(0, settle);
    }

    void callResponse(int number, JsonNode headers, byte[] body) {
        // Neither JAX-RS nor Quarkus gives `:status` or trailers to the library.
        var fields = Wire.fields(headers);
        fields.remove(":status");
        answer(httpCalls, number, handler -> handler.call(Integer.parseInt(status(headers)), fields, body));
    }

    void callReset(int number) {
        answer(httpCalls, number, Outside::failed);
    }

    void grpcInitialMetadata(int number, JsonNode metadata) {
        if (!metadata.isEmpty()) {
            grpc(number, handler -> handler.onHeaders(metadata(metadata)));
        }
    }

    void grpcMessage(int number, byte[] message) {
        grpc(number, handler -> handler.onMessage(message));
    }

    void grpcClose(int number, int status, JsonNode metadata) {
        answer(grpcCalls, number, handler -> {
            if (!metadata.isEmpty()) {
                handler.onTrailers(metadata(metadata));
            }
            handler.onClose(status);
        });
    }

    void grpcReset(int number) {
        answer(grpcCalls, number, handler -> handler.onClose(GRPC_UNAVAILABLE));
    }

    private Timer next(long until) {
        return timers.stream()
                .filter(timer -> timer.at <= until)
                .min(Comparator.comparingLong(timer -> timer.at))
                .orElse(null);
    }

    private Timer schedule(String plugin, long delay, long period, Runnable task) {
        var timer = new Timer(plugin, now + delay, period, task);
        timers.add(timer);
        return timer;
    }

    /** Gives the last answer to a call that is still waited for. */
    private <H> void answer(List<Call<H>> calls, int number, Consumer<H> answer) {
        var call = number < calls.size() ? calls.set(number, null) : null;
        if (call != null) {
            timers.remove(call.timeout);
            guard.run(call.plugin, () -> answer.accept(call.handler));
        }
    }

    private void grpc(int number, Consumer<GrpcCallResponseHandler> answer) {
        var call = number < grpcCalls.size() ? grpcCalls.get(number) : null;
        if (call != null) {
            guard.run(call.plugin, () -> answer.accept(call.handler));
        }
    }

    /** As JAX-RS and Quarkus report a call that failed: the status does not reach the plugin. */
    private static void failed(HttpCallResponseHandler handler) {
        handler.call(500, new ArrayProxyMap(), new byte[0]);
    }

    private static String status(JsonNode headers) {
        return Wire.fields(headers).get(":status");
    }

    private static ArrayBytesProxyMap metadata(JsonNode pairs) {
        var metadata = new ArrayBytesProxyMap();
        for (var pair : pairs) {
            metadata.add(Wire.string(pair.get(0)), Wire.bytes(pair.get(1)));
        }
        return metadata;
    }

    /** Runs what calls a plugin, and reports its fault. */
    interface Guard {
        void run(String plugin, Runnable body);
    }

    private static final class Timer {
        final String plugin;
        final long period;
        final Runnable task;
        long at;

        /** A {@code period} of 0 means once. */
        Timer(String plugin, long at, long period, Runnable task) {
            this.plugin = plugin;
            this.at = at;
            this.period = period;
            this.task = task;
        }
    }

    private record Call<H>(String plugin, H handler, Timer timeout) {}

    /** What a plugin reaches of the outside. */
    final class Adaptor implements ServerAdaptor {
        private final String plugin;

        Adaptor(String plugin) {
            this.plugin = plugin;
        }

        @Override
        public Runnable scheduleTick(long delay, Runnable task) {
            if (delay <= 0) {
                throw new IllegalArgumentException("a period has to be positive, as for every ScheduledExecutorService");
            }
            var timer = schedule(plugin, delay, delay, task);
            return () -> timers.remove(timer);
        }

        @Override
        public HttpRequestAdaptor httpRequestAdaptor(Object context) {
            return (HttpRequestAdaptor) context;
        }

        @Override
        public Runnable scheduleHttpCall(
                String method,
                String host,
                int port,
                URI uri,
                ProxyMap headers,
                byte[] body,
                ProxyMap trailers,
                int timeout,
                HttpCallResponseHandler handler) {
            if (host.equals("dead")) {
                var refused = schedule(plugin, 0, 0, () -> failed(handler));
                return () -> timers.remove(refused);
            }
            var number = httpCalls.size();
            var timer = timeout > 0 ? schedule(plugin, timeout, 0, () -> callReset(number)) : null;
            httpCalls.add(new Call<>(plugin, handler, timer));
            events.httpCall(number, host, received(method, uri, headers), body, trailers);
            return () -> cancel(httpCalls, number);
        }

        @Override
        public Runnable scheduleGrpcCall(
                String host,
                int port,
                boolean plainText,
                String service,
                String method,
                ProxyMap metadata,
                byte[] message,
                int timeout,
                GrpcCallResponseHandler handler) {
            if (host.equals("dead")) {
                var refused = schedule(plugin, 0, 0, () -> handler.onClose(GRPC_UNAVAILABLE));
                return () -> timers.remove(refused);
            }
            var number = grpcCalls.size();
            var timer = timeout > 0 ? schedule(plugin, timeout, 0, () -> expire(number)) : null;
            grpcCalls.add(new Call<>(plugin, handler, timer));
            events.grpcCall(number, host, service, method, metadata, message);
            return () -> cancel(grpcCalls, number);
        }

        private void expire(int number) {
            answer(grpcCalls, number, handler -> handler.onClose(GRPC_DEADLINE_EXCEEDED));
        }

        private <H> void cancel(List<Call<H>> calls, int number) {
            var call = calls.set(number, null);
            if (call != null) {
                timers.remove(call.timeout);
            }
        }

        /** The request as its server sees it. `Host`, which the library adds, is `:authority` there. */
        private static ProxyMap received(String method, URI uri, ProxyMap headers) {
            var received = new Fields();
            received.add(":method", method);
            received.add(":scheme", uri.getScheme());
            received.add(":authority", uri.getRawAuthority());
            received.add(":path", uri.getRawPath() + (uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery()));
            for (var field : headers.entries()) {
                if (!OF_THE_CLIENT.contains(field.getKey().toLowerCase(Locale.ROOT))) {
                    received.add(field.getKey(), field.getValue());
                }
            }
            return received;
        }
    }
}
