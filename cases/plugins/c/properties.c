/* properties: reads and sets properties. */
#include "proxy_wasm.h"

/* The parts of a path have a NUL between them. */
static enum proxy_status_t get_property(struct bytes path, struct bytes *value)
{
    *value = NO_BYTES;
    enum proxy_status_t status = proxy_get_property(path.data, path.size, &value->data, &value->size);
    received(status, value);
    return status;
}

static void add_property(enum proxy_map_type_t map, struct bytes name, struct bytes path)
{
    struct bytes value;
    if (get_property(path, &value) == OK)
        add_field(map, name, value);
    release(value);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)num_headers, (void)end_of_stream;
    const struct bytes path = TEXT("kit.note");
    struct bytes note;
    add_property(HTTP_REQUEST_HEADERS, TEXT("x-path"), TEXT("request\0path"));
    if (get_field(HTTP_REQUEST_HEADERS, TEXT("x-note"), &note))
        proxy_set_property(path.data, path.size, note.data, note.size);
    release(note);
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)num_headers, (void)end_of_stream;
    struct bytes missing;
    add_property(HTTP_RESPONSE_HEADERS, TEXT("x-plugin-name"), TEXT("plugin_name"));
    add_property(HTTP_RESPONSE_HEADERS, TEXT("x-note"), TEXT("kit.note"));
    if (get_property(TEXT("kit.missing"), &missing) == NOT_FOUND)
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-missing"), TEXT("yes"));
    release(missing);
    return CONTINUE;
}
