package pwconform;

import io.roastedroot.proxywasm.internal.Action;
import io.roastedroot.proxywasm.internal.Helpers;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.stream.Stream;

/** A request or a response on its way through the plugins of a chain. A piece that a plugin pauses stays at that plugin's stage. */
final class Direction {
    private final HttpStream stream;
    private final boolean isRequest;
    private final List<Stage> stages = new ArrayList<>();
    Fields headers;
    Fields trailers;

    /** The last piece has come from its sender. */
    boolean arrived;

    /** The headers have gone to the receiver. */
    boolean begun;

    /** The last piece has gone to the receiver. */
    boolean ended;

    Direction(HttpStream stream, boolean isRequest) {
        this.stream = stream;
        this.isRequest = isRequest;
    }

    /** Adds the next plugin of the chain, which requests reach last and responses first. */
    void add(Leg leg) {
        stages.add(isRequest ? stages.size() : 0, new Stage(leg));
    }

    /** Forgets the message, so that another one can take its place. */
    void drop() {
        for (var stage : stages) {
            stage.paused = null;
            stage.queue.clear();
            stage.leg.forget(isRequest);
        }
        trailers = null;
    }

    void arrive(Piece piece) {
        arrived |= piece.end();
        push(0, piece);
    }

    /** Sends a piece to the receiver, past all plugins. */
    void bypass(Piece piece) {
        push(stages.size(), piece);
    }

    /** Continues where a plugin has asked for it. The library knows one action for both directions. */
    boolean resume() {
        var resumed = false;
        for (var at = 0; at < stages.size(); at++) {
            var stage = stages.get(at);
            if (stage.paused != null && stage.leg.action() == Action.CONTINUE) {
                resumed = true;
                forward(at, stage.paused);
                while (!stage.queue.isEmpty() && !stage.keeps(stage.queue.peek())) {
                    push(at, stage.queue.poll());
                }
            }
        }
        return resumed;
    }

    /** Brings a piece to the stage of a plugin, or behind the last one to the receiver. */
    private void push(int at, Piece piece) {
        if (stream.isOver(isRequest)) {
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
        switch (piece.kind()) {
            case HEADERS -> filter(at, piece, () -> stage.leg.onHeaders(isRequest, piece.end()));
            case BODY -> {
                var held = stage.paused == null ? new byte[0] : stage.leg.body(isRequest);
                var body = Helpers.append(held, piece.body());
                filter(at, piece, () -> stage.leg.onBody(isRequest, body, piece.end()));
            }
            case TRAILERS -> push(at + 1, piece);
        }
    }

    private void filter(int at, Piece piece, Callback callback) {
        var stage = stages.get(at);
        var action = new Action[1];
        if (!stream.attempt(stage.leg, () -> action[0] = callback.call())) {
            return;
        }
        if (action[0] == Action.PAUSE) {
            stage.paused = piece;
        } else {
            forward(at, piece);
        }
    }

    /** Brings a piece to the next stage, with the body that the plugin has left. */
    private void forward(int at, Piece piece) {
        var stage = stages.get(at);
        stage.paused = null;
        var body = stage.leg.body(isRequest);
        stage.leg.forget(isRequest);
        if (piece.kind() != Piece.Kind.BODY || body.length > 0 || piece.end()) {
            push(at + 1, new Piece(piece.kind(), body, piece.end()));
        }
    }

    private void send(Piece piece) {
        if (piece.kind() == Piece.Kind.HEADERS && !writable()) {
            stream.fail(null);
            return;
        }
        begun = true;
        ended = piece.end();
        stream.report(isRequest ? "upstream" : "client", this, piece);
    }

    /** Whether a server could write these headers, whatever plugins have made of them. */
    private boolean writable() {
        if (isRequest) {
            return Stream.of(":method", ":scheme", ":authority", ":path").allMatch(name -> headers.get(name) != null);
        }
        var status = headers.get(":status");
        return status != null && status.matches("[1-9][0-9][0-9]");
    }

    /** Where a plugin stands. */
    private static final class Stage {
        final Leg leg;
        final Deque<Piece> queue = new ArrayDeque<>();
        Piece paused;

        Stage(Leg leg) {
            this.leg = leg;
        }

        /** Later pieces wait for paused headers, as JAX-RS lets them. The body grows while it is paused. */
        boolean keeps(Piece piece) {
            return paused != null && (paused.kind() == Piece.Kind.HEADERS || piece.kind() == Piece.Kind.TRAILERS);
        }
    }

    private interface Callback {
        Action call();
    }
}
