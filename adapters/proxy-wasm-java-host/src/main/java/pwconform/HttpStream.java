package pwconform;

import io.roastedroot.proxywasm.internal.Plugin;
import io.roastedroot.proxywasm.internal.SendResponse;
import java.util.ArrayList;
import java.util.List;

/**
 * A request and its response at the plugins of a chain: what the JAX-RS filter of the library does, except that bodies come
 * in pieces and nothing blocks.
 */
final class HttpStream {
    private final int number;
    private final Events events;
    private final List<Leg> legs = new ArrayList<>();
    private final Direction request = new Direction(this, true);
    private final Direction response = new Direction(this, false);
    private boolean local;
    private boolean over;

    HttpStream(int number, Events events) {
        this.number = number;
        this.events = events;
    }

    /** Opens the stream at all plugins, then sends its first piece. */
    void open(List<Plugin> plugins, Fields headers, boolean end) {
        request.headers = headers;
        for (var plugin : plugins) {
            var leg = new Leg(this, plugin);
            legs.add(leg);
            request.add(leg);
            response.add(leg);
            if (!attempt(leg, leg::open)) {
                return;
            }
        }
        arrive(request, Piece.headers(end));
    }

    void requestBody(byte[] body, boolean end) {
        if (!request.arrived) {
            arrive(request, Piece.body(body, end));
        }
    }

    void requestTrailers(Fields trailers) {
        if (!request.arrived) {
            request.trailers = trailers;
            arrive(request, Piece.trailers());
        }
    }

    void responseHeaders(Fields headers, boolean end) {
        if (upstreamTalks() && !response.arrived) {
            response.headers = headers;
            arrive(response, Piece.headers(end));
        }
    }

    void responseBody(byte[] body, boolean end) {
        if (responseContinues()) {
            arrive(response, Piece.body(body, end));
        }
    }

    void responseTrailers(Fields trailers) {
        if (responseContinues()) {
            response.trailers = trailers;
            arrive(response, Piece.trailers());
        }
    }

    void clientReset() {
        if (!over) {
            resetUpstream();
            close(null);
        }
    }

    void upstreamReset() {
        if (upstreamTalks()) {
            events.reset("client", number);
            close(null);
        }
    }

    /** Does what plugins have asked for since: local responses, and resumption. Says whether there was anything. */
    boolean settle() {
        if (over) {
            return false;
        }
        var busy = false;
        for (var leg : legs) {
            busy |= answered(leg);
        }
        busy |= request.resume() | response.resume();
        finish();
        return busy;
    }

    Fields requestHeaders() {
        return visible(request.headers);
    }

    Fields requestTrailers() {
        return visible(request.trailers);
    }

    Fields responseHeaders() {
        return visible(response.headers);
    }

    Fields responseTrailers() {
        return visible(response.trailers);
    }

    /** Whether nothing of that direction is sent any more. */
    boolean isOver(boolean isRequest) {
        return over || isRequest && local;
    }

    /** Calls a plugin. False if the stream ended, or became a local response, in the call. */
    boolean attempt(Leg leg, Runnable call) {
        try {
            call.run();
        } catch (RuntimeException | Error e) {
            events.fault(leg.name(), Hung.unless(e));
            fail(leg);
        }
        return !over && !answered(leg);
    }

    /** A server answers 500 if a filter throws, or leaves it with what it cannot write. */
    void fail(Leg trapped) {
        resetUpstream();
        if (response.begun) {
            events.reset("client", number);
        } else {
            var headers = new Fields();
            headers.add(":status", "500");
            events.headers("client", number, headers, true);
        }
        close(trapped);
    }

    void report(String receiver, Direction direction, Piece piece) {
        switch (piece.kind()) {
            case HEADERS -> events.headers(receiver, number, direction.headers, piece.end());
            case BODY -> events.body(receiver, number, piece.body(), piece.end());
            case TRAILERS -> events.trailers(receiver, number, direction.trailers);
        }
    }

    private void arrive(Direction direction, Piece piece) {
        direction.arrive(piece);
        finish();
    }

    /** A map that has not come is not there, and at last, when the stream is logged, it is empty. */
    private Fields visible(Fields map) {
        return map == null && over ? new Fields() : map;
    }

    private boolean upstreamTalks() {
        return !over && !local && request.begun;
    }

    /** Whether the upstream can send a body or trailers: after its headers, and before its last piece. */
    private boolean responseContinues() {
        return upstreamTalks() && response.headers != null && !response.arrived;
    }

    private void resetUpstream() {
        if (request.begun && !(request.ended && response.arrived)) {
            events.reset("upstream", number);
        }
    }

    private void finish() {
        if (!over && response.ended && (request.arrived || local)) {
            close(null);
        }
    }

    /** Ends the stream at all plugins but the one that trapped. */
    private void close(Leg trapped) {
        over = true;
        for (var leg : legs) {
            if (leg != trapped && leg.isOpen()) {
                try {
                    leg.close();
                } catch (RuntimeException | Error e) {
                    events.fault(leg.name(), Hung.unless(e));
                }
            }
        }
    }

    /** Sends the local response that a plugin asked for, if it did. One that is too late is dropped. */
    private boolean answered(Leg leg) {
        var answer = leg.takeAnswer();
        if (answer == null || over || response.begun) {
            return false;
        }
        var replaces = response.headers != null;
        if (!local) {
            resetUpstream();
        }
        local = true;
        request.drop();
        response.drop();
        response.headers = fields(answer);
        send(Piece.headers(answer.body().length == 0), replaces);
        if (answer.body().length > 0) {
            send(Piece.body(answer.body(), true), replaces);
        }
        finish();
        return true;
    }

    /** A response of an upstream is replaced in its place; other local responses pass through the response callbacks. */
    private void send(Piece piece, boolean replaces) {
        if (replaces) {
            response.bypass(piece);
        } else {
            response.arrive(piece);
        }
    }

    private static Fields fields(SendResponse answer) {
        var fields = new Fields();
        fields.add(":status", Integer.toString(answer.statusCode()));
        for (var field : answer.headers().entries()) {
            fields.add(field.getKey(), field.getValue());
        }
        return fields;
    }
}
