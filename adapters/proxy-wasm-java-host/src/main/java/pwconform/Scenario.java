package pwconform;

import com.dylibso.chicory.wasm.Parser;
import com.fasterxml.jackson.databind.JsonNode;
import io.roastedroot.proxywasm.LogHandler;
import io.roastedroot.proxywasm.LogLevel;
import io.roastedroot.proxywasm.MetricType;
import io.roastedroot.proxywasm.PluginFactory;
import io.roastedroot.proxywasm.SimpleMetricsHandler;
import io.roastedroot.proxywasm.SimpleSharedDataHandler;
import io.roastedroot.proxywasm.SimpleSharedQueueHandler;
import io.roastedroot.proxywasm.StartException;
import io.roastedroot.proxywasm.WasmException;
import io.roastedroot.proxywasm.internal.Plugin;
import io.roastedroot.proxywasm.internal.Pool;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The plugins, streams and calls of one scenario. */
final class Scenario {
    private final Events events;
    private final Outside outside;
    private final Map<String, Stores> stores = new HashMap<>();
    private final List<Plugin> plugins = new ArrayList<>();
    private final List<Plugin> chain = new ArrayList<>();
    private final Map<Integer, HttpStream> streams = new TreeMap<>();

    Scenario(Events events) {
        this.events = events;
        this.outside = new Outside(events, this::guard);
    }

    /** Loads and starts a plugin. False if the host refuses it. */
    boolean start(JsonNode settings, byte[] wasm) {
        var name = settings.path("name").asText();
        try {
            var factory = factory(name, settings, wasm);
            var plugin = new Pool.SharedPlugin(outside.new Adaptor(name), factory).borrow();
            plugins.add(plugin);
            if (!settings.path("background").asBoolean()) {
                chain.add(plugin);
            }
        } catch (StartException | RuntimeException | Error e) {
            events.refused(name, Hung.unless(e));
            return false;
        }
        settle();
        return true;
    }

    void run(JsonNode steps) {
        var index = 0;
        for (var step : steps) {
            events.step(index++);
            step(step);
            settle();
        }
    }

    private void step(JsonNode step) {
        var end = step.path("end_of_stream").asBoolean();
        var call = step.path("call").asInt();
        switch (step.path("do").asText()) {
            case "request_headers" -> open(step.path("stream").asInt(), Wire.fields(step.path("headers")), end);
            case "request_body" -> on(step, stream -> stream.requestBody(Wire.bytes(step.path("body")), end));
            case "request_trailers" -> on(step, stream -> stream.requestTrailers(Wire.fields(step.path("trailers"))));
            case "response_headers" -> on(step, stream -> stream.responseHeaders(Wire.fields(step.path("headers")), end));
            case "response_body" -> on(step, stream -> stream.responseBody(Wire.bytes(step.path("body")), end));
            case "response_trailers" -> on(step, stream -> stream.responseTrailers(Wire.fields(step.path("trailers"))));
            case "client_reset" -> on(step, HttpStream::clientReset);
            case "upstream_reset" -> on(step, HttpStream::upstreamReset);
            case "call_response" -> outside.callResponse(call, step.path("headers"), Wire.bytes(step.path("body")));
            case "call_reset" -> outside.callReset(call);
            case "grpc_initial_metadata" -> outside.grpcInitialMetadata(call, step.path("metadata"));
            case "grpc_message" -> outside.grpcMessage(call, Wire.bytes(step.path("message")));
            case "grpc_close" -> outside.grpcClose(call, step.path("status").asInt(), step.path("metadata"));
            case "grpc_reset" -> outside.grpcReset(call);
            case "advance" -> outside.advance(step.path("milliseconds").asLong(), this::settleStreams);
            case "read_metrics" -> stores.values().forEach(of -> of.metrics.report(events));
            case "shutdown" -> shutdown();
            default -> throw new UnsupportedOperationException("this adapter does not know the step " + step.path("do"));
        }
    }

    private void open(int number, Fields headers, boolean end) {
        var stream = new HttpStream(number, events);
        streams.put(number, stream);
        stream.open(chain, headers, end);
    }

    private void on(JsonNode step, Consumer<HttpStream> action) {
        var stream = streams.get(step.path("stream").asInt());
        if (stream != null) {
            action.accept(stream);
        }
    }

    /** Ends the streams, then the plugins. */
    private void shutdown() {
        streams.values().forEach(HttpStream::clientReset);
        chain.clear();
        for (var plugin : plugins) {
            guard(plugin.name(), plugin::close);
        }
    }

    private void settle() {
        outside.settle(this::settleStreams);
        settleStreams();
    }

    private void settleStreams() {
        for (var busy = true; busy; ) {
            busy = false;
            for (var stream : streams.values()) {
                busy |= stream.settle();
            }
        }
    }

    private void guard(String plugin, Runnable body) {
        try {
            body.run();
        } catch (RuntimeException | Error e) {
            events.fault(plugin, Hung.unless(e));
        }
    }

    private PluginFactory factory(String name, JsonNode settings, byte[] wasm) {
        var shared = stores.computeIfAbsent(settings.path("vm_id").asText(), vm -> new Stores());
        return PluginFactory.builder(Parser.parse(wasm))
                .withName(name)
                .withShared(true)
                .withProperty(List.of("vm_id"), settings.path("vm_id").asText())
                .withVmConfig(Wire.bytes(settings.path("vm_configuration")))
                .withPluginConfig(Wire.bytes(settings.path("configuration")))
                .withUpstreams(Outside.upstreams())
                .withStrictUpstreams(true)
                .withSharedDataHandler(shared.data)
                .withSharedQueueHandler(shared.queues)
                .withMetricsHandler(shared.metrics)
                .withLogger(new LogHandler() {
                    @Override
                    public void log(LogLevel level, String message) {
                        events.log(name, level.name(), message);
                    }
                })
                .build();
    }

    /** What plugins with the same VM id share. */
    private static final class Stores {
        final SimpleSharedDataHandler data = new SimpleSharedDataHandler();
        final SimpleSharedQueueHandler queues = new SimpleSharedQueueHandler();
        final Metrics metrics = new Metrics();
    }

    /** The library's metrics, which it does not list. */
    private static final class Metrics extends SimpleMetricsHandler {
        private final Map<String, Integer> ids = new TreeMap<>();

        @Override
        public synchronized int defineMetric(MetricType type, String name) throws WasmException {
            var id = super.defineMetric(type, name);
            ids.put(name, id);
            return id;
        }

        void report(Events events) {
            ids.forEach((name, id) -> {
                try {
                    events.metric(name, getMetric(id));
                } catch (WasmException removed) {
                    // It is not there any more, so it has no value to report.
                }
            });
        }
    }
}
