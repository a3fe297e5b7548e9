/* large: large headers and bodies. */
#include "proxy_wasm.h"

struct stream {
    struct context context;
    /* Whether the request had an `x-size`, and which. */
    bool has_size;
    size_t size;
    /* Whether bodies are held, and how many bytes of them. */
    bool holds_request, holds_response;
    size_t request_size, response_size;
};

static size_t longest_value(const struct map *map)
{
    size_t longest = 0;
    for (size_t i = 0; i < map->count; i++)
        if (map->pairs[i].value.size > longest)
            longest = map->pairs[i].value.size;
    return longest;
}

/* `size` times a byte, to be released. False if there is not enough memory. */
static bool repeat(uint8_t byte, size_t size, struct bytes *bytes)
{
    *bytes = NO_BYTES;
    if (size == 0)
        return true;
    uint8_t *data = malloc(size);
    if (data == NULL)
        return false;
    memset(data, byte, size);
    *bytes = (struct bytes){data, size};
    return true;
}

static void replace_request(size_t body_size)
{
    struct bytes body;
    if (!read_buffer(HTTP_REQUEST_BODY, body_size, &body))
        return;
    uint8_t digits[DECIMAL_SIZE];
    const struct bytes length = to_decimal(body.size, digits);
    release(body);
    proxy_set_buffer_bytes(HTTP_REQUEST_BODY, 0, body_size, length.data, length.size);
}

static void replace_response(size_t body_size, size_t new_size)
{
    struct bytes body;
    if (repeat('b', new_size, &body))
        proxy_set_buffer_bytes(HTTP_RESPONSE_BODY, 0, body_size, body.data, body.size);
    release(body);
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct stream), context_id, parent_context_id);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct stream *stream = find_stream(stream_context_id);
    struct bytes size;
    uint64_t number;
    if (get_field(HTTP_REQUEST_HEADERS, TEXT("x-size"), &size) && stream != NULL) {
        stream->has_size = from_decimal(size, &number) && number <= SIZE_MAX;
        stream->size = stream->has_size ? number : 0;
    }
    release(size);

    struct map map;
    if (get_map(HTTP_REQUEST_HEADERS, &map)) {
        uint8_t digits[DECIMAL_SIZE];
        const struct bytes longest = to_decimal(longest_value(&map), digits);
        release_map(&map);
        add_field(HTTP_REQUEST_HEADERS, TEXT("x-largest"), longest);
    }
    remove_field(HTTP_REQUEST_HEADERS, TEXT("content-length"));
    return CONTINUE;
}

enum proxy_action_t proxy_on_request_body(uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream)
{
    struct stream *stream = find_stream(stream_context_id);
    if (stream == NULL)
        return CONTINUE;
    stream->holds_request = !end_of_stream;
    stream->request_size = body_size;
    if (stream->holds_request)
        return PAUSE;
    replace_request(body_size);
    return CONTINUE;
}

enum proxy_action_t proxy_on_request_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)num_trailers;
    const struct stream *stream = find_stream(stream_context_id);
    if (stream != NULL && stream->holds_request)
        replace_request(stream->request_size);
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    const struct stream *stream = find_stream(stream_context_id);
    if (stream == NULL || !stream->has_size)
        return CONTINUE;
    struct bytes large;
    if (repeat('h', stream->size, &large))
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-large"), large);
    release(large);
    remove_field(HTTP_RESPONSE_HEADERS, TEXT("content-length"));
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_body(uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream)
{
    struct stream *stream = find_stream(stream_context_id);
    if (stream == NULL || !stream->has_size)
        return CONTINUE;
    stream->holds_response = !end_of_stream;
    stream->response_size = body_size;
    if (stream->holds_response)
        return PAUSE;
    replace_response(body_size, stream->size);
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)num_trailers;
    const struct stream *stream = find_stream(stream_context_id);
    if (stream != NULL && stream->holds_response)
        replace_response(stream->response_size, stream->size);
    return CONTINUE;
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
