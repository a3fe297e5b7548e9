/* grpc_authorise: asks a server by a gRPC call whether a request may pass. */
#include "proxy_wasm.h"

static const uint32_t TIMEOUT_MS = 1000;

static bool call(struct context *stream)
{
    const struct bytes upstream = TEXT("auth"), service = TEXT("kit.Auth"), method = TEXT("Check");
    const struct pair metadata[] = {{TEXT("x-kit"), TEXT("call")}};
    struct bytes token, serialized;
    get_field(HTTP_REQUEST_HEADERS, TEXT("x-token"), &token);
    if (encode(metadata, COUNT(metadata), &serialized)) {
        stream->calling = proxy_grpc_call(upstream.data, upstream.size, service.data, service.size, method.data,
                                          method.size, serialized.data, serialized.size, token.data, token.size,
                                          TIMEOUT_MS, &stream->call_id)
            == OK;
        release(serialized);
    }
    release(token);
    return stream->calling;
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct context), context_id, parent_context_id);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct context *stream = find_stream(stream_context_id);
    if (stream == NULL || !call(stream))
        send_response(503, NULL, 0, NO_BYTES);
    return PAUSE;
}

void proxy_on_grpc_receive(uint32_t plugin_context_id, uint32_t call_id, size_t message_size)
{
    struct context *stream = find_caller(plugin_context_id, call_id);
    struct bytes message;
    if (stream == NULL || !read_buffer(GRPC_CALL_MESSAGE, message_size, &message))
        return;
    /* Whether or not the call is closed after this does not matter any more. */
    stream->calling = false;
    if (proxy_set_effective_context(stream->id) == OK) {
        /* The client may have sent several. */
        remove_field(HTTP_REQUEST_HEADERS, TEXT("x-user"));
        add_field(HTTP_REQUEST_HEADERS, TEXT("x-user"), message);
        /* The stream may end within this. */
        proxy_continue_stream(HTTP_REQUEST);
    }
    release(message);
}

void proxy_on_grpc_close(uint32_t plugin_context_id, uint32_t call_id, uint32_t status_code)
{
    struct context *stream = find_caller(plugin_context_id, call_id);
    if (stream == NULL)
        return;
    stream->calling = false;

    uint32_t code;
    struct bytes message = NO_BYTES;
    received(proxy_get_status(&code, &message.data, &message.size), &message);
    if (proxy_set_effective_context(stream->id) == OK) {
        uint8_t digits[DECIMAL_SIZE];
        const struct bytes status = to_decimal(status_code, digits);
        const struct pair headers[] = {{TEXT("x-grpc-status"), status}};
        /* The stream may end within this. */
        send_response(403, headers, COUNT(headers), message);
    }
    release(message);
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
