/* local_response: answers from each phase. */
#include "proxy_wasm.h"

enum phase { NO_PHASE, ON_REQUEST_HEADERS, ON_REQUEST_BODY, ON_REQUEST_TRAILERS, ON_RESPONSE_HEADERS, PHASES };

static const struct bytes names[PHASES] = {
    [ON_REQUEST_HEADERS] = TEXT("request_headers"),
    [ON_REQUEST_BODY] = TEXT("request_body"),
    [ON_REQUEST_TRAILERS] = TEXT("request_trailers"),
    [ON_RESPONSE_HEADERS] = TEXT("response_headers"),
};

/* A plugin or a stream. A stream keeps the phase that the plugin had when it began. */
struct state {
    struct context context;
    enum phase phase;
    /* Whether the phase has come, and whether the request was answered then. */
    bool came, answered;
};

/* What to do in a callback of a phase: answers, if it is the first one of the stream's phase. */
static enum proxy_action_t in_phase(uint32_t stream_context_id, enum phase phase)
{
    struct state *stream = find_stream(stream_context_id);
    if (stream == NULL)
        return CONTINUE;
    if (stream->phase != phase || stream->came) {
        /* Nothing more of the request may pass, but the callbacks of a response may be those of the answer. */
        return stream->answered && phase != ON_RESPONSE_HEADERS ? PAUSE : CONTINUE;
    }
    const struct pair headers[] = {{TEXT("x-local"), TEXT("yes")}, {TEXT("x-local-phase"), names[phase]}};
    stream->came = stream->answered = true;
    /* The callbacks of the response, or those of the stream's end, may come within this. */
    if (send_response(418, headers, COUNT(headers), TEXT("teapot")))
        return PAUSE;
    stream = find_stream(stream_context_id);
    if (stream != NULL)
        stream->answered = false;
    return CONTINUE;
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    struct state *created = create_context(sizeof(struct state), context_id, parent_context_id);
    struct state *plugin = find_plugin(parent_context_id);
    if (created != NULL && plugin != NULL)
        created->phase = plugin->phase;
}

uint32_t proxy_on_configure(uint32_t plugin_context_id, size_t plugin_configuration_size)
{
    struct state *plugin = find_plugin(plugin_context_id);
    struct bytes configuration;
    read_buffer(PLUGIN_CONFIGURATION, plugin_configuration_size, &configuration);
    if (plugin != NULL) {
        plugin->phase = NO_PHASE;
        for (enum phase phase = ON_REQUEST_HEADERS; phase < PHASES; phase++)
            if (equal(configuration, names[phase]))
                plugin->phase = phase;
    }
    release(configuration);
    return true;
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    return in_phase(stream_context_id, ON_REQUEST_HEADERS);
}

enum proxy_action_t proxy_on_request_body(uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream)
{
    (void)body_size;
    const struct state *stream = find_stream(stream_context_id);
    if (stream != NULL && stream->phase == ON_REQUEST_TRAILERS && !end_of_stream)
        return PAUSE;
    return in_phase(stream_context_id, ON_REQUEST_BODY);
}

enum proxy_action_t proxy_on_request_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)num_trailers;
    return in_phase(stream_context_id, ON_REQUEST_TRAILERS);
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    return in_phase(stream_context_id, ON_RESPONSE_HEADERS);
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
