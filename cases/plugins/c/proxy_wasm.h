/*
 * The ABI of Proxy-Wasm plugins, version 0.2.1, for C: the host's functions, the callbacks, and a few helpers.
 *
 * Each plugin is one source, which includes this file once. Types and functions have the names of the specification. A callback is exported if
 * the plugin defines it, and a host function is imported if the plugin calls it.
 *
 * The bytes that a host returns belong to the plugin: `release` frees them. Several plugins may run in one VM, with configurations of their own,
 * so all state belongs to a context.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Types */

enum proxy_log_level_t { TRACE = 0, DEBUG = 1, INFO = 2, WARN = 3, ERROR = 4, CRITICAL = 5 };

enum proxy_status_t {
    OK = 0,
    NOT_FOUND = 1,
    BAD_ARGUMENT = 2,
    SERIALIZATION_FAILURE = 3,
    PARSE_FAILURE = 4,
    INVALID_MEMORY_ACCESS = 6,
    EMPTY = 7,
    CAS_MISMATCH = 8,
    INTERNAL_FAILURE = 10,
    UNIMPLEMENTED = 12,
};

enum proxy_action_t { CONTINUE = 0, PAUSE = 1 };

enum proxy_buffer_type_t {
    HTTP_REQUEST_BODY = 0,
    HTTP_RESPONSE_BODY = 1,
    DOWNSTREAM_DATA = 2,
    UPSTREAM_DATA = 3,
    HTTP_CALL_RESPONSE_BODY = 4,
    GRPC_CALL_MESSAGE = 5,
    VM_CONFIGURATION = 6,
    PLUGIN_CONFIGURATION = 7,
    FOREIGN_FUNCTION_ARGUMENTS = 8,
};

enum proxy_map_type_t {
    HTTP_REQUEST_HEADERS = 0,
    HTTP_REQUEST_TRAILERS = 1,
    HTTP_RESPONSE_HEADERS = 2,
    HTTP_RESPONSE_TRAILERS = 3,
    GRPC_CALL_INITIAL_METADATA = 4,
    GRPC_CALL_TRAILING_METADATA = 5,
    HTTP_CALL_RESPONSE_HEADERS = 6,
    HTTP_CALL_RESPONSE_TRAILERS = 7,
};

enum proxy_peer_type_t { UNKNOWN = 0, LOCAL = 1, REMOTE = 2 };

enum proxy_stream_type_t { HTTP_REQUEST = 0, HTTP_RESPONSE = 1, DOWNSTREAM = 2, UPSTREAM = 3 };

enum proxy_metric_type_t { COUNTER = 0, GAUGE = 1, HISTOGRAM = 2 };

/* Functions of the host. Bytes that go to the host are `const void *` here, so that both text and bytes fit. */

#define HOST(name, ...) \
    __attribute__((import_module("env"), import_name(#name))) enum proxy_status_t name(__VA_ARGS__)

HOST(proxy_done, void);
HOST(proxy_set_effective_context, uint32_t context_id);

HOST(proxy_log, enum proxy_log_level_t level, const void *message_data, size_t message_size);
HOST(proxy_get_log_level, enum proxy_log_level_t *return_level);

HOST(proxy_get_current_time_nanoseconds, uint64_t *return_time);
HOST(proxy_set_tick_period_milliseconds, uint32_t tick_period);

HOST(proxy_set_buffer_bytes,
    enum proxy_buffer_type_t buffer, size_t start, size_t size, const void *value_data, size_t value_size);
HOST(proxy_get_buffer_bytes,
    enum proxy_buffer_type_t buffer, size_t start, size_t max_size, uint8_t **return_data, size_t *return_size);
HOST(proxy_get_buffer_status, enum proxy_buffer_type_t buffer, size_t *return_size, uint32_t *return_unused);

HOST(proxy_get_header_map_size, enum proxy_map_type_t map, size_t *return_size);
HOST(proxy_get_header_map_pairs, enum proxy_map_type_t map, uint8_t **return_data, size_t *return_size);
HOST(proxy_set_header_map_pairs, enum proxy_map_type_t map, const void *pairs_data, size_t pairs_size);
HOST(proxy_get_header_map_value,
    enum proxy_map_type_t map, const void *key_data, size_t key_size, uint8_t **return_data,
    size_t *return_size);
HOST(proxy_add_header_map_value,
    enum proxy_map_type_t map, const void *key_data, size_t key_size, const void *value_data,
    size_t value_size);
HOST(proxy_replace_header_map_value,
    enum proxy_map_type_t map, const void *key_data, size_t key_size, const void *value_data,
    size_t value_size);
HOST(proxy_remove_header_map_value, enum proxy_map_type_t map, const void *key_data, size_t key_size);

HOST(proxy_continue_stream, enum proxy_stream_type_t stream);
HOST(proxy_close_stream, enum proxy_stream_type_t stream);
HOST(proxy_get_status, uint32_t *return_code, uint8_t **return_message_data, size_t *return_message_size);

HOST(proxy_send_local_response,
    uint32_t status_code, const void *details_data, size_t details_size, const void *body_data,
    size_t body_size, const void *headers_data, size_t headers_size, uint32_t grpc_status);

HOST(proxy_http_call,
    const void *upstream_data, size_t upstream_size, const void *headers_data, size_t headers_size,
    const void *body_data, size_t body_size, const void *trailers_data, size_t trailers_size, uint32_t timeout,
    uint32_t *return_call_id);

HOST(proxy_grpc_call,
    const void *upstream_data, size_t upstream_size, const void *service_data, size_t service_size,
    const void *method_data, size_t method_size, const void *metadata_data, size_t metadata_size,
    const void *message_data, size_t message_size, uint32_t timeout, uint32_t *return_call_id);
HOST(proxy_grpc_stream,
    const void *upstream_data, size_t upstream_size, const void *service_data, size_t service_size,
    const void *method_data, size_t method_size, const void *metadata_data, size_t metadata_size,
    uint32_t *return_stream_id);
HOST(proxy_grpc_send, uint32_t stream_id, const void *message_data, size_t message_size, uint32_t end_stream);
HOST(proxy_grpc_cancel, uint32_t call_or_stream_id);
HOST(proxy_grpc_close, uint32_t call_or_stream_id);

HOST(proxy_set_shared_data,
    const void *key_data, size_t key_size, const void *value_data, size_t value_size, uint32_t cas);
HOST(proxy_get_shared_data,
    const void *key_data, size_t key_size, uint8_t **return_data, size_t *return_size, uint32_t *return_cas);

HOST(proxy_register_shared_queue, const void *name_data, size_t name_size, uint32_t *return_queue_id);
HOST(proxy_resolve_shared_queue,
    const void *vm_id_data, size_t vm_id_size, const void *name_data, size_t name_size,
    uint32_t *return_queue_id);
HOST(proxy_enqueue_shared_queue, uint32_t queue_id, const void *value_data, size_t value_size);
HOST(proxy_dequeue_shared_queue, uint32_t queue_id, uint8_t **return_data, size_t *return_size);

HOST(proxy_define_metric,
    enum proxy_metric_type_t type, const void *name_data, size_t name_size, uint32_t *return_metric_id);
HOST(proxy_record_metric, uint32_t metric_id, uint64_t value);
HOST(proxy_increment_metric, uint32_t metric_id, int64_t delta);
HOST(proxy_get_metric, uint32_t metric_id, uint64_t *return_value);

HOST(proxy_get_property, const void *path_data, size_t path_size, uint8_t **return_data, size_t *return_size);
HOST(proxy_set_property, const void *path_data, size_t path_size, const void *value_data, size_t value_size);

HOST(proxy_call_foreign_function,
    const void *name_data, size_t name_size, const void *arguments_data, size_t arguments_size,
    uint8_t **return_results_data, size_t *return_results_size);

/* Callbacks. A bool is a `uint32_t` here: whatever is not 0 is true. */

#define CALLBACK(returns, name, ...) __attribute__((export_name(#name))) returns name(__VA_ARGS__)

CALLBACK(void, proxy_abi_version_0_2_1, void);
CALLBACK(void *, proxy_on_memory_allocate, size_t memory_size);

CALLBACK(void, proxy_on_context_create, uint32_t context_id, uint32_t parent_context_id);
CALLBACK(uint32_t, proxy_on_done, uint32_t context_id);
CALLBACK(void, proxy_on_log, uint32_t context_id);
CALLBACK(void, proxy_on_delete, uint32_t context_id);

CALLBACK(uint32_t, proxy_on_vm_start, uint32_t unused, size_t vm_configuration_size);
CALLBACK(uint32_t, proxy_on_configure, uint32_t plugin_context_id, size_t plugin_configuration_size);
CALLBACK(void, proxy_on_tick, uint32_t plugin_context_id);

CALLBACK(enum proxy_action_t, proxy_on_new_connection, uint32_t stream_context_id);
CALLBACK(enum proxy_action_t, proxy_on_downstream_data,
    uint32_t stream_context_id, size_t data_size, uint32_t end_of_stream);
CALLBACK(void, proxy_on_downstream_connection_close,
    uint32_t stream_context_id, enum proxy_peer_type_t peer_type);
CALLBACK(enum proxy_action_t, proxy_on_upstream_data,
    uint32_t stream_context_id, size_t data_size, uint32_t end_of_stream);
CALLBACK(void, proxy_on_upstream_connection_close,
    uint32_t stream_context_id, enum proxy_peer_type_t peer_type);

CALLBACK(enum proxy_action_t, proxy_on_request_headers,
    uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream);
CALLBACK(enum proxy_action_t, proxy_on_request_body,
    uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream);
CALLBACK(enum proxy_action_t, proxy_on_request_trailers, uint32_t stream_context_id, size_t num_trailers);
CALLBACK(enum proxy_action_t, proxy_on_response_headers,
    uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream);
CALLBACK(enum proxy_action_t, proxy_on_response_body,
    uint32_t stream_context_id, size_t body_size, uint32_t end_of_stream);
CALLBACK(enum proxy_action_t, proxy_on_response_trailers, uint32_t stream_context_id, size_t num_trailers);

CALLBACK(void, proxy_on_http_call_response,
    uint32_t plugin_context_id, uint32_t call_id, size_t num_headers, size_t body_size, size_t num_trailers);
CALLBACK(void, proxy_on_grpc_receive_initial_metadata,
    uint32_t plugin_context_id, uint32_t call_id, size_t num_elements);
CALLBACK(void, proxy_on_grpc_receive, uint32_t plugin_context_id, uint32_t call_id, size_t message_size);
CALLBACK(void, proxy_on_grpc_receive_trailing_metadata,
    uint32_t plugin_context_id, uint32_t call_id, size_t num_elements);
CALLBACK(void, proxy_on_grpc_close, uint32_t plugin_context_id, uint32_t call_id, uint32_t status_code);

CALLBACK(void, proxy_on_queue_ready, uint32_t plugin_context_id, uint32_t queue_id);
CALLBACK(void, proxy_on_foreign_function,
    uint32_t plugin_context_id, uint32_t function_id, size_t arguments_size);

void proxy_abi_version_0_2_1(void) {}

/* No bytes need no memory. Their address is never freed; it cannot be 0, which reports a failure. */
void *proxy_on_memory_allocate(size_t memory_size)
{
    static uint8_t no_bytes;
    return memory_size > 0 ? malloc(memory_size) : &no_bytes;
}

/* Bytes: a name, a value, a body. No bytes have no memory, wherever `data` points. */

struct bytes {
    uint8_t *data;
    size_t size;
};

#define NO_BYTES ((struct bytes){NULL, 0})

/* The bytes of a string literal, a NUL within it included. They are not to be changed, nor released. */
#define TEXT(literal) ((struct bytes){(uint8_t *)(literal), sizeof(literal) - 1})

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void release(struct bytes bytes)
{
    if (bytes.size > 0)
        free(bytes.data);
}

/* Whether a host function that returns bytes succeeded. Where there are none, they become NO_BYTES. */
static inline bool received(enum proxy_status_t status, struct bytes *value)
{
    if (status != OK || value->size == 0)
        *value = NO_BYTES;
    return status == OK;
}

static inline bool equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool begins_with(struct bytes bytes, struct bytes prefix)
{
    return bytes.size >= prefix.size && equal((struct bytes){bytes.data, prefix.size}, prefix);
}

/* Puts parts together, in memory of their own. False if there is not enough. */
static inline bool join(const struct bytes *parts, size_t count, struct bytes *joined)
{
    *joined = NO_BYTES;
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, parts[i].size, &size))
            return false;
    if (size == 0)
        return true;
    uint8_t *data = malloc(size);
    if (data == NULL)
        return false;
    *joined = (struct bytes){data, size};
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size > 0)
            memcpy(data, parts[i].data, parts[i].size);
        data += parts[i].size;
    }
    return true;
}

static inline void upper_case(struct bytes bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] >= 'a' && bytes.data[i] <= 'z')
            bytes.data[i] -= 'a' - 'A';
}

/* Numbers, in decimal ASCII */

#define DECIMAL_SIZE 20

static inline struct bytes to_decimal(uint64_t number, uint8_t digits[DECIMAL_SIZE])
{
    size_t at = DECIMAL_SIZE;
    do {
        digits[--at] = '0' + number % 10;
        number /= 10;
    } while (number > 0);
    return (struct bytes){digits + at, DECIMAL_SIZE - at};
}

/* False if it is not a number, or one that does not fit. */
static inline bool from_decimal(struct bytes digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        if (__builtin_mul_overflow(*number, 10, number)
            || __builtin_add_overflow(*number, digits.data[i] - '0', number))
            return false;
    }
    return digits.size > 0;
}

/* Logs a line at level info, put together from bytes. */
#define LOG(...) log_parts((struct bytes[]){__VA_ARGS__}, COUNT(((struct bytes[]){__VA_ARGS__})))

static inline void log_parts(const struct bytes *parts, size_t count)
{
    struct bytes line;
    if (!join(parts, count, &line))
        return;
    proxy_log(INFO, line.data, line.size);
    release(line);
}

/* Buffers */

/*
 * Reads the first `size` bytes of a buffer, to be released. A host may return fewer than it was asked for, so that the rest is asked for again.
 * False if they cannot be read.
 */
static inline bool read_buffer(enum proxy_buffer_type_t buffer, size_t size, struct bytes *value)
{
    *value = NO_BYTES;
    while (value->size < size) {
        struct bytes piece = NO_BYTES, longer;
        received(proxy_get_buffer_bytes(buffer, value->size, size - value->size, &piece.data, &piece.size), &piece);
        if (piece.size == 0)
            break;
        if (value->size == 0) {
            *value = piece;
            continue;
        }
        bool joined = join((struct bytes[]){*value, piece}, 2, &longer);
        release(*value);
        release(piece);
        *value = longer;
        if (!joined)
            break;
    }
    if (value->size >= size)
        return true;
    release(*value);
    *value = NO_BYTES;
    return false;
}

/* Maps of fields */

struct pair {
    struct bytes name, value;
};

/* `pairs` point into `serialized`. */
struct map {
    struct bytes serialized;
    struct pair *pairs;
    size_t count;
};

static inline void release_map(struct map *map)
{
    free(map->pairs);
    release(map->serialized);
    *map = (struct map){NO_BYTES, NULL, 0};
}

/* Takes `size` bytes, and the NUL that ends them, from the serialised form. False if it is too short. */
static inline bool take(struct bytes *rest, size_t size, struct bytes *taken)
{
    if (rest->size <= size)
        return false;
    *taken = (struct bytes){rest->data, size};
    *rest = (struct bytes){rest->data + size + 1, rest->size - size - 1};
    return true;
}

/*
 * Finds the pairs of a serialised map: the number of pairs, the lengths of each pair's name and value, and then names and values, each with a
 * NUL at its end. An empty map may also be no bytes, or a single NUL.
 */
static inline bool decode(struct map *map)
{
    struct bytes serialized = map->serialized;
    uint32_t count, lengths[2];
    if (serialized.size < sizeof count)
        return serialized.size == 0 || (serialized.size == 1 && serialized.data[0] == 0);
    memcpy(&count, serialized.data, sizeof count);
    size_t left = serialized.size - sizeof count;
    if (count == 0)
        return true;
    if (count > left / sizeof lengths)
        return false;
    map->pairs = calloc(count, sizeof *map->pairs);
    if (map->pairs == NULL)
        return false;
    map->count = count;
    const uint8_t *next_lengths = serialized.data + sizeof count;
    struct bytes rest = {serialized.data + sizeof count + count * sizeof lengths, left - count * sizeof lengths};
    for (size_t i = 0; i < count; i++, next_lengths += sizeof lengths) {
        memcpy(lengths, next_lengths, sizeof lengths);
        if (!take(&rest, lengths[0], &map->pairs[i].name) || !take(&rest, lengths[1], &map->pairs[i].value))
            return false;
    }
    return true;
}

/* Reads all fields of a map, to be released. False if it cannot be read. */
static inline bool get_map(enum proxy_map_type_t type, struct map *map)
{
    *map = (struct map){NO_BYTES, NULL, 0};
    struct bytes *serialized = &map->serialized;
    if (!received(proxy_get_header_map_pairs(type, &serialized->data, &serialized->size), serialized))
        return false;
    if (decode(map))
        return true;
    release_map(map);
    return false;
}

/* Serialises pairs, to be released. False if there is not enough memory. */
static inline bool encode(const struct pair *pairs, size_t count, struct bytes *serialized)
{
    *serialized = NO_BYTES;
    if (count == 0)
        return true;
    size_t size = sizeof(uint32_t);
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(size, 2 * sizeof(uint32_t) + 2, &size)
            || __builtin_add_overflow(size, pairs[i].name.size, &size)
            || __builtin_add_overflow(size, pairs[i].value.size, &size))
            return false;
    uint8_t *data = calloc(1, size);
    if (data == NULL)
        return false;
    *serialized = (struct bytes){data, size};
    memcpy(data, &(uint32_t){count}, sizeof(uint32_t));
    data += sizeof(uint32_t);
    for (size_t i = 0; i < count; i++, data += 2 * sizeof(uint32_t))
        memcpy(data, (uint32_t[]){pairs[i].name.size, pairs[i].value.size}, 2 * sizeof(uint32_t));
    for (size_t i = 0; i < count; i++) {
        const struct bytes both[] = {pairs[i].name, pairs[i].value};
        for (size_t j = 0; j < COUNT(both); j++) {
            if (both[j].size > 0)
                memcpy(data, both[j].data, both[j].size);
            data += both[j].size + 1;
        }
    }
    return true;
}

/* Single fields */

/* Reads a field's value, to be released. False if there is none. */
static inline bool get_field(enum proxy_map_type_t map, struct bytes name, struct bytes *value)
{
    *value = NO_BYTES;
    return received(proxy_get_header_map_value(map, name.data, name.size, &value->data, &value->size), value);
}

static inline void add_field(enum proxy_map_type_t map, struct bytes name, struct bytes value)
{
    proxy_add_header_map_value(map, name.data, name.size, value.data, value.size);
}

static inline void replace_field(enum proxy_map_type_t map, struct bytes name, struct bytes value)
{
    proxy_replace_header_map_value(map, name.data, name.size, value.data, value.size);
}

static inline void remove_field(enum proxy_map_type_t map, struct bytes name)
{
    proxy_remove_header_map_value(map, name.data, name.size);
}

/* Local responses */

/* -1 stands for no status of gRPC. */
#define NO_GRPC_STATUS UINT32_MAX

static inline bool send_response(uint32_t status, const struct pair *headers, size_t count, struct bytes body)
{
    struct bytes serialized;
    if (!encode(headers, count, &serialized))
        return false;
    bool sent = proxy_send_local_response(status, NULL, 0, body.data, body.size, serialized.data, serialized.size,
                                          NO_GRPC_STATUS)
        == OK;
    release(serialized);
    return sent;
}

/* Contexts. The plugin's own struct for them begins with this one. */

struct context {
    struct context *next;
    uint32_t id, parent_id;
    /* The HTTP call, or the gRPC call or stream, that this context waits for. */
    bool calling;
    uint32_t call_id;
};

static struct context *contexts;

/* Keeps a new context, of `size` zeroed bytes. NULL if there is not enough memory. */
static inline void *create_context(size_t size, uint32_t id, uint32_t parent_id)
{
    struct context *context = calloc(1, size);
    if (context == NULL)
        return NULL;
    context->id = id;
    context->parent_id = parent_id;
    context->next = contexts;
    contexts = context;
    return context;
}

static inline void *find_context(uint32_t id)
{
    for (struct context *context = contexts; context != NULL; context = context->next)
        if (context->id == id)
            return context;
    return NULL;
}

static inline void *find_plugin(uint32_t id)
{
    struct context *context = find_context(id);
    return context != NULL && context->parent_id == 0 ? context : NULL;
}

static inline void *find_stream(uint32_t id)
{
    struct context *context = find_context(id);
    return context != NULL && context->parent_id != 0 ? context : NULL;
}

/* Finds the stream that waits for a call: NULL if it is gone, or no longer waits. */
static inline void *find_caller(uint32_t plugin_id, uint32_t call_id)
{
    for (struct context *context = contexts; context != NULL; context = context->next)
        if (context->calling && context->call_id == call_id && context->parent_id == plugin_id)
            return context;
    return NULL;
}

/* Removes a context and returns it, for the caller to free. NULL if it was not kept. */
static inline void *take_context(uint32_t id)
{
    for (struct context **link = &contexts; *link != NULL; link = &(*link)->next) {
        struct context *context = *link;
        if (context->id != id)
            continue;
        *link = context->next;
        return context;
    }
    return NULL;
}
