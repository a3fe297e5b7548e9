/* queue: sends paths from one VM to another by a shared queue. */
#include "proxy_wasm.h"

/* A plugin or a stream. A stream keeps the role that the plugin had when it began. */
struct state {
    struct context context;
    bool produces, consumes;
    /* The queue of a consumer. */
    uint32_t queue_id;
};

static const struct bytes queue_name = TEXT("kit.jobs"), consumer = TEXT("consumer"), producer = TEXT("producer");

static bool enqueue(void)
{
    uint32_t queue_id;
    if (proxy_resolve_shared_queue(consumer.data, consumer.size, queue_name.data, queue_name.size, &queue_id) != OK)
        return false;
    struct bytes job;
    bool taken = !get_field(HTTP_REQUEST_HEADERS, TEXT("x-job"), &job)
        || proxy_enqueue_shared_queue(queue_id, job.data, job.size) == OK;
    release(job);
    return taken;
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    struct state *created = create_context(sizeof(struct state), context_id, parent_context_id);
    struct state *plugin = find_plugin(parent_context_id);
    if (created != NULL && plugin != NULL)
        created->produces = plugin->produces;
}

uint32_t proxy_on_configure(uint32_t plugin_context_id, size_t plugin_configuration_size)
{
    struct state *plugin = find_plugin(plugin_context_id);
    struct bytes configuration;
    read_buffer(PLUGIN_CONFIGURATION, plugin_configuration_size, &configuration);
    if (plugin != NULL) {
        plugin->produces = equal(configuration, producer);
        plugin->consumes = equal(configuration, consumer)
            && proxy_register_shared_queue(queue_name.data, queue_name.size, &plugin->queue_id) == OK;
    }
    release(configuration);
    return true;
}

void proxy_on_queue_ready(uint32_t plugin_context_id, uint32_t queue_id)
{
    const struct state *plugin = find_plugin(plugin_context_id);
    if (plugin == NULL || !plugin->consumes || plugin->queue_id != queue_id)
        return;
    struct bytes job = NO_BYTES;
    while (received(proxy_dequeue_shared_queue(queue_id, &job.data, &job.size), &job)) {
        LOG(TEXT("job: "), job);
        release(job);
        job = NO_BYTES;
    }
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    const struct state *stream = find_stream(stream_context_id);
    if (stream != NULL && stream->produces)
        add_field(HTTP_REQUEST_HEADERS, TEXT("x-queued"), enqueue() ? TEXT("yes") : TEXT("no"));
    return CONTINUE;
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
