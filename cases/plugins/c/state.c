/* state: ticks, shared data, metrics. */
#include "proxy_wasm.h"

enum { TICKS, LEVEL, SIZES, METRICS };

static const struct {
    enum proxy_metric_type_t type;
    struct bytes name;
} metrics[METRICS] = {
    [TICKS] = {COUNTER, TEXT("kit_ticks")},
    [LEVEL] = {GAUGE, TEXT("kit_level")},
    [SIZES] = {HISTOGRAM, TEXT("kit_sizes")},
};

/* A plugin or a stream; all but the first is the plugin's. */
struct state {
    struct context context;
    bool ticks;
    struct {
        bool defined;
        uint32_t id;
    } metrics[METRICS];
};

static const struct bytes key = TEXT("kit.ticks");

static struct state *plugin_of(uint32_t stream_context_id)
{
    const struct context *stream = find_stream(stream_context_id);
    return stream == NULL ? NULL : find_plugin(stream->parent_id);
}

/* Reads the shared value, to be released. */
static enum proxy_status_t get_ticks(struct bytes *value, uint32_t *cas)
{
    *value = NO_BYTES;
    *cas = 0;
    enum proxy_status_t status = proxy_get_shared_data(key.data, key.size, &value->data, &value->size, cas);
    received(status, value);
    return status;
}

/* Increments the shared value until no other was faster. False if that cannot be done. */
static bool increment_ticks(uint64_t *ticks)
{
    for (;;) {
        struct bytes value;
        uint32_t cas;
        enum proxy_status_t status = get_ticks(&value, &cas);
        if (!from_decimal(value, ticks))
            *ticks = 0;
        release(value);
        if (status != OK && status != NOT_FOUND)
            return false;
        uint8_t digits[DECIMAL_SIZE];
        const struct bytes incremented = to_decimal(++*ticks, digits);
        status = proxy_set_shared_data(key.data, key.size, incremented.data, incremented.size, cas);
        if (status != CAS_MISMATCH)
            return status == OK;
    }
}

void proxy_on_context_create(uint32_t context_id, uint32_t parent_context_id)
{
    create_context(sizeof(struct state), context_id, parent_context_id);
}

uint32_t proxy_on_configure(uint32_t plugin_context_id, size_t plugin_configuration_size)
{
    struct state *plugin = find_plugin(plugin_context_id);
    if (plugin == NULL)
        return false;
    struct bytes configuration;
    uint64_t period;
    read_buffer(PLUGIN_CONFIGURATION, plugin_configuration_size, &configuration);
    if (!from_decimal(configuration, &period) || period > UINT32_MAX)
        period = 0;
    release(configuration);
    /* 0 ends ticks, if there were any. */
    if (period > 0 || plugin->ticks)
        proxy_set_tick_period_milliseconds(period);
    plugin->ticks = period > 0;

    for (size_t i = 0; i < METRICS; i++) {
        const struct bytes name = metrics[i].name;
        uint32_t id;
        if (proxy_define_metric(metrics[i].type, name.data, name.size, &id) == OK) {
            plugin->metrics[i].defined = true;
            plugin->metrics[i].id = id;
        }
    }
    return true;
}

void proxy_on_tick(uint32_t plugin_context_id)
{
    const struct state *plugin = find_plugin(plugin_context_id);
    uint64_t ticks;
    bool incremented = increment_ticks(&ticks);
    if (plugin != NULL && plugin->metrics[TICKS].defined)
        proxy_increment_metric(plugin->metrics[TICKS].id, 1);
    if (plugin != NULL && plugin->metrics[LEVEL].defined && incremented)
        proxy_record_metric(plugin->metrics[LEVEL].id, ticks);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    const struct state *plugin = plugin_of(stream_context_id);
    struct bytes path;
    if (get_field(HTTP_REQUEST_HEADERS, TEXT(":path"), &path) && plugin != NULL && plugin->metrics[SIZES].defined)
        proxy_record_metric(plugin->metrics[SIZES].id, path.size);
    release(path);
    return CONTINUE;
}

enum proxy_action_t proxy_on_response_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)num_headers, (void)end_of_stream;
    struct bytes ticks;
    uint32_t cas;
    enum proxy_status_t status = get_ticks(&ticks, &cas);
    if (status == OK || status == NOT_FOUND)
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-ticks"), status == OK ? ticks : TEXT("0"));
    release(ticks);

    const struct state *plugin = plugin_of(stream_context_id);
    uint64_t value;
    if (plugin != NULL && plugin->metrics[LEVEL].defined
        && proxy_get_metric(plugin->metrics[LEVEL].id, &value) == OK) {
        uint8_t digits[DECIMAL_SIZE];
        const struct bytes level = to_decimal(value, digits);
        add_field(HTTP_RESPONSE_HEADERS, TEXT("x-level"), level);
    }
    return CONTINUE;
}

void proxy_on_delete(uint32_t context_id)
{
    free(take_context(context_id));
}
