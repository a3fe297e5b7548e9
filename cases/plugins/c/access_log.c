/* access_log: writes a line about each stream. */
#include "proxy_wasm.h"

static const struct {
    enum proxy_map_type_t map;
    struct bytes name;
} fields[] = {
    {HTTP_REQUEST_HEADERS, TEXT(":path")},
    {HTTP_RESPONSE_HEADERS, TEXT(":status")},
    {HTTP_REQUEST_TRAILERS, TEXT("x-sum")},
    {HTTP_RESPONSE_TRAILERS, TEXT("x-sum")},
};

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct context), context_id, parent_context_id);
}

void proxy_on_log(uint32_t context_id)
{
    if (find_stream(context_id) == NULL)
        return;
    struct bytes values[COUNT(fields)], shown[COUNT(fields)];
    for (size_t i = 0; i < COUNT(fields); i++)
        shown[i] = get_field(fields[i].map, fields[i].name, &values[i]) ? values[i] : TEXT("-");
    LOG(shown[0], TEXT(" "), shown[1], TEXT(" "), shown[2], TEXT(" "), shown[3]);
    for (size_t i = 0; i < COUNT(fields); i++)
        release(values[i]);
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
