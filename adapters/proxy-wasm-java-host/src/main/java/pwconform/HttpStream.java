package pwconform;

import io.roastedroot.proxywasm.internal.Action;
import io.roastedroot.proxywasm.internal.Helpers;
import io.roastedroot.proxywasm.internal.Plugin;
import io.roastedroot.proxywasm.internal.SendResponse;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;

/**
 * A request and its response on their way through a chain of plugins: what the JAX-RS filter of the library does, except
 * that bodies come in pieces and nothing blocks. A piece that a plugin pauses stays at that plugin's stage.
 */
final class HttpStream {
    private static final byte[] NOTHING = new byte[0];

    private final int number;
    private final Events events;
    private final List<Leg> legs = new ArrayList<>();
    private final Direction request = new Direction(true);
    private final Direction response = new Direction(false);
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
            request.stages.add(new Stage(leg));
            response.stages.add(0, new Stage(leg));
            if (!attempt(leg, leg::open)) {
                return;
            }
        }
        arrive(request, new Piece(Kind.HEADERS, NOTHING, end));
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

    void requestBody(byte[] body, boolean end) {
        arrive(request, new Piece(Kind.BODY, body, end));
    }

    void requestTrailers(Fields trailers) {
        request.trailers = trailers;
        arrive(request, new Piece(Kind.TRAILERS, NOTHING, true));
    }

    void responseHeaders(Fields headers, boolean end) {
        if (upstreamTalks()) {
            response.headers = headers;
            arrive(response, new Piece(Kind.HEADERS, NOTHING, end));
        }
    }

    void responseBody(byte[] body, boolean end) {
        if (upstreamTalks()) {
            arrive(response, new Piece(Kind.BODY, body, end));
        }
    }

    void responseTrailers(Fields trailers) {
        if (upstreamTalks()) {
            response.trailers = trailers;
            arrive(response, new Piece(Kind.TRAILERS, NOTHING, true));
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
        var busy = false;
        for (var direction : List.of(request, response)) {
            for (var at = 0; at < legs.size() && !over; at++) {
                busy |= answered(direction.stages.get(at).leg) || direction.resumed(at);
            }
        }
        return busy;
    }

    /** A map that has not come is not there, and at last, when the stream is logged, it is empty. */
    private Fields visible(Fields map) {
        return map == null && over ? new Fields() : map;
    }

    private boolean upstreamTalks() {
        return !over && !local && request.begun;
    }

    private void arrive(Direction direction, Piece piece) {
        direction.arrived |= piece.end;
        direction.push(0, piece);
        finish();
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

    /** Calls a plugin. False if the stream ended, or became a local response, in the call. */
    private boolean attempt(Leg leg, Runnable call) {
        try {
            call.run();
        } catch (RuntimeException | Error e) {
            events.fault(leg.name(), Hung.unless(e));
            fail(leg);
        }
        return !over && !answered(leg);
    }

    /** A server answers 500 if a filter throws, or leaves it with what it cannot write. */
    private void fail(Leg trapped) {
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

    private void resetUpstream() {
        if (request.begun && !(request.ended && response.arrived)) {
            events.reset("upstream", number);
        }
    }

    /** Sends the local response that a plugin asked for, if it did. Too late is without effect, as with the library's users. */
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
        response.trailers = null;
        // A response of an upstream is replaced in its place, other local responses pass through the response callbacks.
        var at = replaces ? legs.size() : 0;
        var body = answer.body();
        response.push(at, new Piece(Kind.HEADERS, NOTHING, body.length == 0));
        if (body.length > 0) {
            response.push(at, new Piece(Kind.BODY, body, true));
        }
        finish();
        return true;
    }

    private static Fields fields(SendResponse answer) {
        var fields = new Fields();
        fields.add(":status", Integer.toString(answer.statusCode()));
        for (var field : answer.headers().entries()) {
            fields.add(field.getKey(), field.getValue());
        }
        return fields;
    }

    private enum Kind {
        HEADERS,
        BODY,
        TRAILERS
    }

    private record Piece(Kind kind, byte[] body, boolean end) {}

    /** Where a plugin stands in one direction. */
    private static final class Stage {
        final Leg leg;
        final Deque<Piece> queue = new ArrayDeque<>();
        Piece paused;

        Stage(Leg leg) {
            this.leg = leg;
        }

        /** Later pieces wait for paused headers, as JAX-RS lets them. The body grows while it is paused. */
        boolean keeps(Piece piece) {
            return paused != null && (paused.kind == Kind.HEADERS || piece.kind == Kind.TRAILERS);
        }
    }

    private final class Direction {
        final boolean isRequest;
        final List<Stage> stages = new ArrayList<>();
        Fields headers;
        Fields trailers;
        boolean arrived;
        boolean begun;
        boolean ended;

        Direction(boolean isRequest) {
            this.isRequest = isRequest;
        }

        void drop() {
            for (var stage : stages) {
                stage.paused = null;
                stage.queue.clear();
                stage.leg.forget(isRequest);
            }
        }

        /** Brings a piece to a stage, or behind the last one to its receiver. */
        void push(int at, Piece piece) {
            if (over || isRequest && local) {
                return;
            }
            if (at == stages.size()) {
                send(piece);
                return;
            }
            var stage = stages.get(at);
            if (stage.keeps(piece)) {
                stage.queue.add(piece);
                return;
            }
            switch (piece.kind) {
                case HEADERS -> filter(at, piece, leg -> leg.onHeaders(isRequest, piece.end));
                case BODY -> {
                    var held = stage.paused == null ? NOTHING : stage.leg.body(isRequest);
                    var all = new Piece(Kind.BODY, Helpers.append(held, piece.body), piece.end);
                    filter(at, all, leg -> leg.onBody(isRequest, all.body, all.end));
                }
                case TRAILERS -> push(at + 1, piece);
            }
        }

        /** Goes on at a stage if its plugin has asked for that. The library knows one action for both directions. */
        boolean resumed(int at) {
            var stage = stages.get(at);
            if (stage.paused == null || stage.leg.action() != Action.CONTINUE) {
                return false;
            }
            forward(at, stage.paused);
            while (!stage.queue.isEmpty() && !stage.keeps(stage.queue.peek())) {
                push(at, stage.queue.poll());
            }
            finish();
            return true;
        }

        private void filter(int at, Piece piece, Callback callback) {
            var stage = stages.get(at);
            var action = new Action[1];
            if (!attempt(stage.leg, () -> action[0] = callback.call(stage.leg))) {
                return;
            }
            if (action[0] == Action.PAUSE) {
                stage.paused = new Piece(piece.kind, stage.leg.body(isRequest), piece.end);
            } else {
                forward(at, piece);
            }
        }

        private void forward(int at, Piece piece) {
            var stage = stages.get(at);
            stage.paused = null;
            var body = stage.leg.body(isRequest);
            stage.leg.forget(isRequest);
            if (piece.kind != Kind.BODY || body.length > 0 || piece.end) {
                push(at + 1, new Piece(piece.kind, body, piece.end));
            }
        }

        /** Whether a server could write these headers, whatever plugins have made of them. */
        private boolean writable() {
            if (isRequest) {
                return Stream.of(":method", ":scheme", ":authority", ":path").allMatch(name -> headers.get(name) != null);
            }
            var status = headers.get(":status");
            return status != null && status.matches("[1-9][0-9][0-9]");
        }

        private void send(Piece piece) {
            if (piece.kind == Kind.HEADERS && !writable()) {
                fail(null);
                return;
            }
            var receiver = isRequest ? "upstream" : "client";
            begun = true;
            ended = piece.end;
            switch (piece.kind) {
                case HEADERS -> events.headers(receiver, number, headers, piece.end);
                case BODY -> events.body(receiver, number, piece.body, piece.end);
                case TRAILERS -> events.trailers(receiver, number, trailers);
            }
        }
    }

    private interface Callback {
        Action call(Leg leg);
    }
}
