/* foreign: calls foreign functions, and is called as one. */
#include "proxy_wasm.h"

static void call(struct bytes function, struct bytes arguments)
{
    struct bytes results = NO_BYTES;
    if (received(proxy_call_foreign_function(function.data, function.size, arguments.data, arguments.size,
                                             &results.data, &results.size),
                 &results))
        add_field(HTTP_REQUEST_HEADERS, TEXT("x-results"), results);
    else
        add_field(HTTP_REQUEST_HEADERS, TEXT("x-failed"), TEXT("yes"));
    release(results);
}

enum proxy_action_t proxy_on_request_headers(uint32_t stream_context_id, size_t num_headers, uint32_t end_of_stream)
{
    (void)stream_context_id, (void)num_headers, (void)end_of_stream;
    struct bytes function, arguments;
    if (!get_field(HTTP_REQUEST_HEADERS, TEXT("x-function"), &function))
        return CONTINUE;
    get_field(HTTP_REQUEST_HEADERS, TEXT("x-arguments"), &arguments);
    call(function, arguments);
    release(arguments);
    release(function);
    return CONTINUE;
}

void proxy_on_foreign_function(uint32_t plugin_context_id, uint32_t function_id, size_t arguments_size)
{
    (void)plugin_context_id;
    struct bytes arguments;
    read_buffer(FOREIGN_FUNCTION_ARGUMENTS, arguments_size, &arguments);
    uint8_t digits[DECIMAL_SIZE];
    const struct bytes number = to_decimal(function_id, digits);
    LOG(TEXT("foreign "), number, TEXT(": "), arguments);
    release(arguments);
}
