/* body: changes bodies to upper case, both ways, as a whole or piece by piece. */
#include "proxy_wasm.h"

/* A plugin or a stream. A stream keeps the mode that the plugin had when it began. */
struct state {
    struct context context;
    bool streaming;
    /* Bytes of the bodies that are held. */
    size_t request_size, response_size;
};

static void replace(enum proxy_buffer_type_t buffer, size_t size)
{
    struct bytes body;
    if (!read_buffer(buffer, size, &body) || body.size == 0)
        return;
    upper_case(body);
    proxy_set_buffer_bytes(buffer, 0, body.size, body.data, body.size);
    release(body);
}

static enum proxy_action_t on_body(struct state *stream, enum proxy_buffer_type_t buffer, size_t *held, size_t size,
                                   bool end_of_stream)
{
    if (!stream->streaming && !end_of_stream) {
        *held = size;
        return PAUSE;
    }
    *held = 0;
    replace(buffer, size);
    return CONTINUE;
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    struct state *created = create_context(sizeof(struct state), context_id, parent_context_id);
    struct state *plugin = find_plugin(parent_context_id);
    if (created != NULL && plugin != NULL)
        created->streaming = plugin->streaming;
}

uint32_t proxy_on_configure(uint32_t plugin_context_id, size_t plugin_configuration_size)
{
    struct state *plugin = find_plugin(plugin_context_id);
    struct bytes configuration;
    read_buffer(PLUGIN_CONFIGURATION, plugin_configuration_size, &configuration);
    if (plugin != NULL)
        plugin->streaming = equal(configuration, TEXT("stream"));
    release(configuration);
    return true;
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)num_headers, (void)end_of_stream;
    remove_field(HTTP_REQUEST_HEADERS, TEXT("content-length"));
    return CONTINUE;
}

enum proxy_action_t proxy_on_request_body(uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream)
{
    struct state *stream = find_stream(stream_context_id);
    return stream == NULL ? CONTINUE
                          : on_body(stream, HTTP_REQUEST_BODY, &stream->request_size, body_size, end_of_stream);
}

enum proxy_action_t proxy_on_request_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)num_trailers;
    struct state *stream = find_stream(stream_context_id);
    if (stream != NULL)
        replace(HTTP_REQUEST_BODY, stream->request_size);
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)num_headers, (void)end_of_stream;
    remove_field(HTTP_RESPONSE_HEADERS, TEXT("content-length"));
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_body(uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream)
{
    struct state *stream = find_stream(stream_context_id);
    return stream == NULL ? CONTINUE
                          : on_body(stream, HTTP_RESPONSE_BODY, &stream->response_size, body_size, end_of_stream);
}

enum proxy_action_t proxy_on_response_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)num_trailers;
    struct state *stream = find_stream(stream_context_id);
    if (stream != NULL)
        replace(HTTP_RESPONSE_BODY, stream->response_size);
    return CONTINUE;
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
