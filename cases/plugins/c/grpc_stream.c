/* grpc_stream: holds a request until a gRPC stream has said enough. */
#include "proxy_wasm.h"

struct stream {
    struct context context;
    /* Whether the request was continued or answered. */
    bool finished;
    uint32_t messages;
};

static bool open_stream(struct context *stream)
{
    const struct bytes upstream = TEXT("callout"), service = TEXT("kit.Feed"), method = TEXT("Watch");
    const struct pair metadata[] = {{TEXT("x-kit"), TEXT("stream")}};
    struct bytes serialized;
    if (!encode(metadata, COUNT(metadata), &serialized))
        return false;
    stream->calling = proxy_grpc_stream(upstream.data, upstream.size, service.data, service.size, method.data,
                                        method.size, serialized.data, serialized.size, &stream->call_id)
        == OK;
    release(serialized);
    return stream->calling;
}

static void log_feed(struct bytes beginning, enum proxy_map_type_t map)
{
    struct bytes feed;
    bool found = get_field(map, TEXT("x-feed"), &feed);
    LOG(beginning, found ? feed : TEXT("-"));
    release(feed);
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct stream), context_id, parent_context_id);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct stream *stream = find_stream(stream_context_id);
    if (stream == NULL || !open_stream(&stream->context)) {
        if (stream != NULL)
            stream->finished = true;
        send_response(503, NULL, 0, NO_BYTES);
        return PAUSE;
    }
    struct bytes path;
    get_field(HTTP_REQUEST_HEADERS, TEXT(":path"), &path);
    proxy_grpc_send(stream->context.call_id, path.data, path.size, false);
    release(path);
    return PAUSE;
}

/* The feed has said enough: the request continues. The stream may end within this. */
static void finish(struct stream *stream)
{
    uint8_t digits[DECIMAL_SIZE];
    const struct bytes messages = to_decimal(stream->messages, digits);
    stream->finished = true;
    proxy_grpc_close(stream->context.call_id);
    replace_field(HTTP_REQUEST_HEADERS, TEXT("x-messages"), messages);
    proxy_continue_stream(HTTP_REQUEST);
}

void proxy_on_grpc_receive(uint32_t plugin_context_id, uint32_t call_id, size_t message_size)
{
    struct stream *stream = find_caller(plugin_context_id, call_id);
    struct bytes message;
    if (stream == NULL || stream->finished || !read_buffer(GRPC_CALL_MESSAGE, message_size, &message))
        return;
    stream->messages++;
    LOG(TEXT("message: "), message);
    /* A host may look for the gRPC stream among those of the context that opened it. */
    if (proxy_set_effective_context(stream->context.id) == OK) {
        if (equal(message, TEXT("go")))
            finish(stream);
        else
            proxy_grpc_send(call_id, message.data, message.size, false);
    }
    release(message);
}

void proxy_on_grpc_receive_initial_metadata(uint32_t plugin_context_id, uint32_t call_id, size_t num_elements)
{
    (void)num_elements;
    if (find_caller(plugin_context_id, call_id) != NULL)
        log_feed(TEXT("initial: "), GRPC_CALL_INITIAL_METADATA);
}

void proxy_on_grpc_receive_trailing_metadata(uint32_t plugin_context_id, uint32_t call_id, size_t num_elements)
{
    (void)num_elements;
    if (find_caller(plugin_context_id, call_id) != NULL)
        log_feed(TEXT("trailing: "), GRPC_CALL_TRAILING_METADATA);
}

void proxy_on_grpc_close(uint32_t plugin_context_id, uint32_t call_id, uint32_t status_code)
{
    struct stream *stream = find_caller(plugin_context_id, call_id);
    if (stream == NULL)
        return;
    stream->context.calling = false;
    if (stream->finished || proxy_set_effective_context(stream->context.id) != OK)
        return;
    stream->finished = true;
    uint8_t digits[DECIMAL_SIZE];
    const struct bytes status = to_decimal(status_code, digits);
    const struct pair headers[] = {{TEXT("x-grpc-status"), status}};
    /* The stream may end within this. */
    send_response(503, headers, COUNT(headers), NO_BYTES);
}

uint32_t proxy_on_done(uint32_t context_id)
{
    struct stream *stream = find_stream(context_id);
    if (stream != NULL && stream->context.calling && !stream->finished) {
        stream->context.calling = false;
        proxy_grpc_cancel(stream->context.call_id);
    }
    return true;
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
