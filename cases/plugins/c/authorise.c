/* authorise: asks a server over HTTP whether a request may pass. */
#include "proxy_wasm.h"

static const uint32_t TIMEOUT_MS = 1000;

static void refuse(uint32_t status, struct bytes body)
{
    const struct pair headers[] = {{TEXT("x-denied-by"), TEXT("authorise")}};
    send_response(status, headers, COUNT(headers), body);
}

static bool call(struct context *stream)
{
    struct pair headers[5] = {
        {TEXT(":method"), TEXT("GET")},
        {TEXT(":path"), TEXT("/check")},
        {TEXT(":authority"), TEXT("auth")},
        {TEXT(":scheme"), TEXT("http")},
    };
    size_t count = 4;
    struct bytes token, serialized;
    if (get_field(HTTP_REQUEST_HEADERS, TEXT("x-token"), &token))
        headers[count++] = (struct pair){TEXT("x-token"), token};
    if (encode(headers, count, &serialized)) {
        const struct bytes upstream = TEXT("auth");
        stream->calling = proxy_http_call(upstream.data, upstream.size, serialized.data, serialized.size, NULL, 0, NULL,
                                          0, TIMEOUT_MS, &stream->call_id)
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
        refuse(503, NO_BYTES);
    return PAUSE;
}

void proxy_on_http_call_response(uint32_t plugin_context_id, uint32_t call_id, size_t num_headers, size_t body_size,
                                 size_t num_trailers)
{
    (void)num_trailers;
    struct context *stream = find_caller(plugin_context_id, call_id);
    if (stream == NULL)
        return;
    stream->calling = false;

    struct bytes status, user, body;
    get_field(HTTP_CALL_RESPONSE_HEADERS, TEXT(":status"), &status);
    bool has_user = get_field(HTTP_CALL_RESPONSE_HEADERS, TEXT("x-user"), &user);
    read_buffer(HTTP_CALL_RESPONSE_BODY, body_size, &body);

    /* From here on, the stream may end within a call of the host. */
    if (proxy_set_effective_context(stream->id) == OK) {
        if (num_headers == 0) {
            refuse(503, NO_BYTES);
        } else if (!equal(status, TEXT("200"))) {
            refuse(403, body);
        } else {
            /* The client may have sent several. */
            remove_field(HTTP_REQUEST_HEADERS, TEXT("x-user"));
            if (has_user)
                add_field(HTTP_REQUEST_HEADERS, TEXT("x-user"), user);
            proxy_continue_stream(HTTP_REQUEST);
        }
    }
    release(status);
    release(user);
    release(body);
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
