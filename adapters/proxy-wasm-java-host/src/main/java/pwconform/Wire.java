package pwconform;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import io.roastedroot.proxywasm.internal.ProxyMap;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/** Bytes and header fields as the protocol writes them. */
final class Wire {
    private static final int MAX_LINE_BYTES = 64 << 20;

    static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(MAX_LINE_BYTES).build())
            .build());

    private Wire() {}

    static byte[] bytes(JsonNode data) {
        return data.isTextual()
                ? data.textValue().getBytes(StandardCharsets.UTF_8)
                : HexFormat.of().parseHex(data.path("hex").asText());
    }

    static JsonNode data(byte[] bytes) {
        try {
            return JSON.getNodeFactory().textNode(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString());
        } catch (CharacterCodingException e) {
            return JSON.createObjectNode().put("hex", HexFormat.of().formatHex(bytes));
        }
    }

    static Fields fields(JsonNode pairs) {
        var fields = new Fields();
        for (var pair : pairs) {
            fields.add(string(pair.get(0)), string(pair.get(1)));
        }
        return fields;
    }

    static ArrayNode pairs(ProxyMap fields) {
        var pairs = JSON.createArrayNode();
        for (var field : fields.entries()) {
            pairs.addArray().add(field.getKey()).add(field.getValue());
        }
        return pairs;
    }

    /** The library holds names and values as Java strings: other bytes than UTF-8 cannot be given to it. */
    static String string(JsonNode data) {
        return new String(bytes(data), StandardCharsets.UTF_8);
    }
}
