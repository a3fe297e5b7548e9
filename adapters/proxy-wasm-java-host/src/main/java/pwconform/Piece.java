package pwconform;

/** A piece of a message. The fields of headers and trailers are with their {@link Direction}, since plugins change them there. */
record Piece(Kind kind, byte[] body, boolean end) {
    enum Kind {
        HEADERS,
        BODY,
        TRAILERS
    }

    static Piece headers(boolean end) {
        return new Piece(Kind.HEADERS, new byte[0], end);
    }

    static Piece body(byte[] body, boolean end) {
        return new Piece(Kind.BODY, body, end);
    }

    static Piece trailers() {
        return new Piece(Kind.TRAILERS, new byte[0], true);
    }
}
