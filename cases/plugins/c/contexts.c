/* contexts: keeps several streams apart. */
#include "proxy_wasm.h"

static const uint32_t TIMEOUT_MS = 1000;

struct stream {
    struct context context;
    /* Whether a request came, and its path. */
    bool asked;
    struct bytes path;
};

static bool call(struct stream *stream)
{
    const struct bytes upstream = TEXT("callout");
    const struct pair headers[] = {
        {TEXT(":method"), TEXT("GET")},
        {TEXT(":path"), stream->path},
        {TEXT(":authority"), TEXT("callout")},
        {TEXT(":scheme"), TEXT("http")},
    };
    struct bytes serialized;
    if (!encode(headers, COUNT(headers), &serialized))
        return false;
    struct context *context = &stream->context;
    context->calling = proxy_http_call(upstream.data, upstream.size, serialized.data, serialized.size, NULL, 0, NULL, 0,
                                       TIMEOUT_MS, &context->call_id)
        == OK;
    release(serialized);
    return context->calling;
}

static void set_answer(const struct stream *stream, struct bytes answer)
{
    replace_field(HTTP_REQUEST_HEADERS, TEXT("x-answer"), answer);
    replace_field(HTTP_REQUEST_HEADERS, TEXT("x-asked"), stream->path);
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct stream), context_id, parent_context_id);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct stream *stream = find_stream(stream_context_id);
    if (stream == NULL)
        return CONTINUE;
    release(stream->path);
    get_field(HTTP_REQUEST_HEADERS, TEXT(":path"), &stream->path);
    stream->asked = true;
    if (call(stream))
        return PAUSE;
    set_answer(stream, TEXT("failed"));
    return CONTINUE;
}

void proxy_on_http_call_response(uint32_t plugin_context_id, uint32_t call_id, size_t num_headers, size_t body_size,
                                 size_t num_trailers)
{
    (void)num_trailers;
    struct stream *stream = find_caller(plugin_context_id, call_id);
    if (stream == NULL)
        return;
    stream->context.calling = false;

    struct bytes body;
    read_buffer(HTTP_CALL_RESPONSE_BODY, body_size, &body);
    if (proxy_set_effective_context(stream->context.id) == OK) {
        set_answer(stream, num_headers > 0 ? body : TEXT("failed"));
        /* The stream may end within this. */
        proxy_continue_stream(HTTP_REQUEST);
    }
    release(body);
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    const struct stream *stream = find_stream(stream_context_id);
    if (stream != NULL && stream->asked)
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-asked"), stream->path);
    return CONTINUE;
}

void proxy_on_log(uint32_t context_id)
{
    const struct stream *stream = find_stream(context_id);
    if (stream != NULL)
        LOG(TEXT("finished: "), stream->path);
}

void proxy_on_delete(uint32_t context_id)
{
    struct stream *stream = take_context(context_id);
    if (stream != NULL)
        release(stream->path);
    free(stream);
}
