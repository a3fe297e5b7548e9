/* tcp: works on TCP connections. */
#include "proxy_wasm.h"

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct context), context_id, parent_context_id);
}

enum proxy_action_t proxy_on_new_connection(uint32_t stream_context_id)
{
    (void)stream_context_id;
    LOG(TEXT("open"));
    return CONTINUE;
}

enum proxy_action_t proxy_on_downstream_data(uint32_t stream_context_id, size_t data_size, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)end_of_stream;
    struct bytes data;
    if (read_buffer(DOWNSTREAM_DATA, data_size, &data) && data.size > 0) {
        upper_case(data);
        proxy_set_buffer_bytes(DOWNSTREAM_DATA, 0, data.size, data.data, data.size);
    }
    release(data);
    return CONTINUE;
}

enum proxy_action_t proxy_on_upstream_data(uint32_t stream_context_id, size_t data_size, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)end_of_stream;
    const struct bytes prefix = TEXT("> ");
    if (data_size > 0)
        proxy_set_buffer_bytes(UPSTREAM_DATA, 0, 0, prefix.data, prefix.size);
    return CONTINUE;
}

void proxy_on_downstream_connection_close(uint32_t stream_context_id, enum proxy_peer_type_t peer_type)
{
    (void)stream_context_id, (void)peer_type;
    LOG(TEXT("client closed"));
}

void proxy_on_upstream_connection_close(uint32_t stream_context_id, enum proxy_peer_type_t peer_type)
{
    (void)stream_context_id, (void)peer_type;
    LOG(TEXT("upstream closed"));
}

void proxy_on_log(uint32_t context_id)
{
    if (find_stream(context_id) != NULL)
        LOG(TEXT("finished"));
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
