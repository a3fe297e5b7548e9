/* configuration: reads its configurations, and refuses bad ones. */
#include "proxy_wasm.h"

/* A plugin or a stream. A stream keeps the configuration that the plugin had when it began. */
struct state {
    struct context context;
    struct bytes configuration;
};

static struct bytes vm_configuration;

uint32_t proxy_on_vm_start(uint32_t unused, size_t vm_configuration_size)
{
    (void)unused;
    struct bytes configuration;
    read_buffer(VM_CONFIGURATION, vm_configuration_size, &configuration);
    if (equal(configuration, TEXT("refuse"))) {
        release(configuration);
        return false;
    }
    release(vm_configuration);
    vm_configuration = configuration;
    return true;
}

uint32_t proxy_on_configure(uint32_t plugin_context_id, size_t plugin_configuration_size)
{
    struct state *plugin = find_plugin(plugin_context_id);
    struct bytes configuration;
    read_buffer(PLUGIN_CONFIGURATION, plugin_configuration_size, &configuration);
    if (plugin == NULL || begins_with(configuration, TEXT("refuse"))) {
        release(configuration);
        return false;
    }
    release(plugin->configuration);
    plugin->configuration = configuration;
    return true;
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    struct state *created = create_context(sizeof(struct state), context_id, parent_context_id);
    struct state *plugin = find_plugin(parent_context_id);
    if (created != NULL && plugin != NULL)
        join(&plugin->configuration, 1, &created->configuration);
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct state *stream = find_stream(stream_context_id);
    if (stream != NULL)
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-configuration"), stream->configuration);
    add_field(HTTP_RESPONSE_HEADERS, TEXT("x-vm-configuration"), vm_configuration);
    return CONTINUE;
}

void proxy_on_delete(uint32_t context_id)
{
    struct state *state = take_context(context_id);
    if (state != NULL)
        release(state->configuration);
    free(state);
}
