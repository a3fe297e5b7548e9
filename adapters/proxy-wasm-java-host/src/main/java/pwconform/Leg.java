package pwconform;

import static io.roastedroot.proxywasm.internal.Helpers.bytes;
import static io.roastedroot.proxywasm.internal.Helpers.string;

import io.roastedroot.proxywasm.internal.Action;
import io.roastedroot.proxywasm.internal.HttpRequestAdaptor;
import io.roastedroot.proxywasm.internal.HttpRequestBody;
import io.roastedroot.proxywasm.internal.HttpResponseBody;
import io.roastedroot.proxywasm.internal.Plugin;
import io.roastedroot.proxywasm.internal.PluginHttpContext;
import io.roastedroot.proxywasm.internal.ProxyMap;
import io.roastedroot.proxywasm.internal.SendResponse;
import io.roastedroot.proxywasm.internal.WasmResult;
import java.io.ByteArrayInputStream;
import java.util.List;
import java.util.Map;

/** A stream as one plugin sees it. */
final class Leg implements HttpRequestAdaptor {
    /** Properties of a request that are headers of it, as JAX-RS has them. */
    private static final Map<String, String> HEADERS_OF_PROPERTIES = Map.of(
            "request.path", ":path",
            "request.method", ":method",
            "request.host", ":authority",
            "request.scheme", ":scheme",
            "request.referer", "referer",
            "request.useragent", "user-agent");

    private final HttpStream stream;
    private final Plugin plugin;
    private PluginHttpContext context;

    Leg(HttpStream stream, Plugin plugin) {
        this.stream = stream;
        this.plugin = plugin;
    }

    String name() {
        return plugin.name();
    }

    void open() {
        context = plugin.createHttpContext(plugin.getServerAdaptor().httpRequestAdaptor(this));
    }

    boolean isOpen() {
        return context != null;
    }

    void close() {
        context.context().close();
    }

    Action onHeaders(boolean isRequest, boolean end) {
        var http = context.context();
        return isRequest ? http.callOnRequestHeaders(end) : http.callOnResponseHeaders(end);
    }

    Action onBody(boolean isRequest, byte[] body, boolean end) {
        if (isRequest) {
            context.setHttpRequestBodyState(new HttpRequestBody(() -> new ByteArrayInputStream(body)));
            return context.context().callOnRequestBody(end);
        }
        context.setHttpResponseBodyState(new HttpResponseBody(body));
        return context.context().callOnResponseBody(end);
    }

    /** What the plugin has made of the body that is here, empty if there is none. */
    byte[] body(boolean isRequest) {
        return isRequest ? context.getHttpRequestBody() : context.getHttpResponseBody();
    }

    /** The body has left the plugin. */
    void forget(boolean isRequest) {
        if (context == null) {
            return;
        }
        if (isRequest) {
            context.setHttpRequestBodyState(null);
        } else {
            context.setHttpResponseBodyState(null);
        }
    }

    /** The action of the last callback, or what the plugin asked for since. */
    Action action() {
        return context.getAction();
    }

    SendResponse takeAnswer() {
        return context == null ? null : context.consumeSentHttpResponse();
    }

    @Override
    public String remoteAddress() {
        return "127.0.0.1";
    }

    @Override
    public int remotePort() {
        return 40_000;
    }

    @Override
    public String localAddress() {
        return "127.0.0.1";
    }

    @Override
    public int localPort() {
        return 80;
    }

    @Override
    public String protocol() {
        return "HTTP/2";
    }

    @Override
    public ProxyMap getHttpRequestHeaders() {
        return stream.requestHeaders();
    }

    @Override
    public ProxyMap getHttpRequestTrailers() {
        return stream.requestTrailers();
    }

    @Override
    public ProxyMap getHttpResponseHeaders() {
        return stream.responseHeaders();
    }

    @Override
    public ProxyMap getHttpResponseTrailers() {
        return stream.responseTrailers();
    }

    @Override
    public ProxyMap getGrpcReceiveInitialMetaData() {
        return null;
    }

    @Override
    public ProxyMap getGrpcReceiveTrailerMetaData() {
        return null;
    }

    @Override
    public byte[] getProperty(PluginHttpContext caller, List<String> path) {
        var name = String.join(".", path);
        var header = HEADERS_OF_PROPERTIES.get(name);
        if (header != null) {
            var value = stream.requestHeaders().get(header);
            return value == null ? null : bytes(value);
        }
        return switch (name) {
            case "source.address" -> bytes(remoteAddress());
            case "source.port" -> bytes((long) remotePort());
            case "destination.address" -> bytes(localAddress());
            case "destination.port" -> bytes((long) localPort());
            case "request.protocol" -> bytes(protocol());
            case "request.url_path" -> bytes(stream.requestHeaders().get(":path").split("\\?", 2)[0]);
            case "request.headers" -> stream.requestHeaders().encode();
            case "response.code" -> status();
            case "response.headers" -> stream.responseHeaders() == null ? null : stream.responseHeaders().encode();
            default -> null;
        };
    }

    @Override
    public WasmResult setProperty(PluginHttpContext caller, List<String> path, byte[] value) {
        var header = HEADERS_OF_PROPERTIES.get(String.join(".", path));
        if (header == null) {
            return WasmResult.NOT_FOUND;
        }
        stream.requestHeaders().put(header, string(value));
        return WasmResult.OK;
    }

    private byte[] status() {
        return stream.responseHeaders() == null ? null : bytes(Integer.parseInt(stream.responseHeaders().get(":status")));
    }
}
