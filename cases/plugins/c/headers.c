/* headers: reads, adds, replaces and removes headers and trailers, both ways. */
#include "proxy_wasm.h"

struct stream {
    struct context context;
    bool has_echo;
    struct bytes echo;
};

static void copy_fields(void)
{
    const struct bytes prefix = TEXT("x-copy-");
    struct map map;
    if (!get_map(HTTP_REQUEST_HEADERS, &map))
        return;
    for (size_t i = 0; i < map.count; i++) {
        struct bytes name = map.pairs[i].name, copied;
        if (!begins_with(name, prefix))
            continue;
        struct bytes rest = {name.data + prefix.size, name.size - prefix.size};
        if (join((struct bytes[]){TEXT("x-copied-"), rest}, 2, &copied))
            add_field(HTTP_REQUEST_HEADERS, copied, map.pairs[i].value);
        release(copied);
    }
    release_map(&map);
}

static void add_number_of_fields(enum proxy_map_type_t trailers)
{
    struct map map;
    if (!get_map(trailers, &map))
        return;
    uint8_t digits[DECIMAL_SIZE];
    const struct bytes count = to_decimal(map.count, digits);
    add_field(trailers, TEXT("x-trailer-fields"), count);
    release_map(&map);
}

/* Sets all headers again, with one more. */
static void append_by_setting_all(void)
{
    struct map map;
    if (!get_map(HTTP_RESPONSE_HEADERS, &map))
        return;
    struct pair *pairs = calloc(map.count + 1, sizeof *pairs);
    struct bytes serialized;
    if (pairs != NULL) {
        for (size_t i = 0; i < map.count; i++)
            pairs[i] = map.pairs[i];
        pairs[map.count] = (struct pair){TEXT("x-all"), TEXT("set")};
        if (encode(pairs, map.count + 1, &serialized))
            proxy_set_header_map_pairs(HTTP_RESPONSE_HEADERS, serialized.data, serialized.size);
        release(serialized);
    }
    free(pairs);
    release_map(&map);
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct stream), context_id, parent_context_id);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct stream *stream = find_stream(stream_context_id);
    if (stream != NULL) {
        release(stream->echo);
        stream->has_echo = get_field(HTTP_REQUEST_HEADERS, TEXT("x-echo"), &stream->echo);
    }
    copy_fields();
    struct bytes replaced;
    if (get_field(HTTP_REQUEST_HEADERS, TEXT("x-replace"), &replaced))
        replace_field(HTTP_REQUEST_HEADERS, TEXT("x-replace"), TEXT("replaced"));
    release(replaced);
    remove_field(HTTP_REQUEST_HEADERS, TEXT("x-remove"));
    return CONTINUE;
}

enum proxy_action_t proxy_on_request_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)stream_context_id, (void)num_trailers;
    add_number_of_fields(HTTP_REQUEST_TRAILERS);
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    const struct stream *stream = find_stream(stream_context_id);
    if (stream != NULL && stream->has_echo)
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-echoed"), stream->echo);
    append_by_setting_all();
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_trailers(uint32_t stream_context_id, size_t num_trailers)
{
    (void)stream_context_id, (void)num_trailers;
    add_number_of_fields(HTTP_RESPONSE_TRAILERS);
    return CONTINUE;
}

void proxy_on_delete(uint32_t context_id)
{
    struct stream *stream = take_context(context_id);
    if (stream != NULL)
        release(stream->echo);
    free(stream);
}
