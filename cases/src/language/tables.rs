//! The tables but for the kinds of steps.

use crate::language::form::{Form, Key, Table};
use crate::scenario::LIMITS;

const TEXTS: Form = Form::List(&Form::Text);
const CALLBACKS: Form = Form::List(&Form::PluginCallback);

/// The top of a file.
pub static CASE: Table = Table {
    name: "case",
    about: "The top of a file.",
    keys: &[
        Key::needed(
            "title",
            Form::Text,
            "One sentence that says what holds if the case passes: subject, function, condition, result.",
        ),
        Key::said(
            "statement",
            TEXTS,
            "The ids of the specification's statements that the case checks, as `cases/statements` and `pw-conform coverage --json` have them.",
        ),
        Key::said(
            "clause",
            TEXTS,
            "Where no statement says it, the place in the specification: `<function>/<STATUS>`, `<callback>` or `#<heading>`. A case has one of `statement` and `clause`, or both.",
        ),
        Key::said(
            "level",
            Form::Word(&["required", "recommended", "unspecified", "extension"]),
            "Whether the specification says so, advises it, is silent or contradicts itself, or whether it is not its matter. Every case has it but \
             those of the SDK kit, which judge plugins, and no host.",
        ),
        Key::said(
            "question",
            Form::Text,
            "What the specification's authors would have to decide; cases of level `unspecified` have it, and no others.",
        ),
        Key::said(
            "abi",
            Form::Text,
            "The versions of the ABI that the case runs for: `\"0.2.1\"`, `\"0.2.0..\"` (and later), `\"..0.2.0\"` (and earlier), \
             `\"0.1.0..0.2.0\"` (both included). Left out, it is the version that the modules of the plugins are marked with, or else all.",
        ),
        Key::said("why", Form::Text, "Why it matters: what goes wrong in a plugin if a host does otherwise."),
        Key::usually(
            "hazard",
            Form::Flag,
            "false",
            "The case may crash a host, so that it gets a host process of its own.",
        ),
        Key::usually(
            "http1",
            Form::Flag,
            "false",
            "The client and the upstream speak HTTP/1.1. `:method`, `:path`, `:authority` and `:status` are then parts of the first line, and `host`. A body without \
             `content-length` is sent in chunks, and `transfer-encoding` is not shown.",
        ),
        Key::usually(
            "choices",
            Form::Map(&Form::Flag),
            "{}",
            "How the host answers open questions of the specification: the reference host's choices that differ from what it usually does, by name. \
             reports/choices.md says what each of them means. Only in cases about plugins: of level `extension`, and of the SDK kit.",
        ),
        Key::said(
            "plugin",
            Form::List(&Form::Table(&PLUGIN)),
            "The plugins, in the order of the chain. Left out, there is one with nothing set up.",
        ),
        Key::said("step", Form::List(&Form::Table(&STEP)), "What the world does, in order."),
        Key::said("expect", Form::Table(&EXPECT), "What is expected of the whole run."),
        Key::said(
            "outcome",
            Form::Map(&Form::Table(&EXPECT)),
            "Outcomes that are acceptable as a whole, by name, each with what is then expected of the run. One of them must hold in full: its \
             expectations, those of `outcome` in the steps, and of the alternatives whose `answer` begins with the name of an outcome only those with this one's.",
        ),
    ],
};

/// A plugin.
pub static PLUGIN: Table = Table {
    name: "plugin",
    about: "A plugin and its module.",
    keys: &[
        SETTINGS[0],
        SETTINGS[1],
        SETTINGS[2],
        SETTINGS[3],
        SETTINGS[4],
        SETTINGS[5],
        SETTINGS[6],
        SETTINGS[7],
        SETTINGS[8],
        SETTINGS[9],
        SETTINGS[10],
        Key::said(
            "vm",
            Form::Text,
            "The name of an earlier plugin with a `vm_id`, in whose VM it runs, with the same module. Then only `name`, `configuration`, `background`, \
             `standby` and `failure` are its own.",
        ),
        Key::said(
            "module",
            Form::Text,
            "A module of its own in place of the probe: the path of a `.wat` or `.wasm` file, from the folder of the case file on. In text, `$marker` stands \
             for the version's marker.",
        ),
        Key::said(
            "kit",
            Form::Text,
            "In place of `module`: the plugin of that name in the SDK kit, whose module `pw-conform sdk` is given. Such a case has no `level`, \
             `statement` and `clause`.",
        ),
        Key::usually("without", Form::List(&Form::Callback), "[]", "The callbacks that the probe does not export."),
        Key::usually(
            "allocators",
            Form::List(&Form::Callback),
            "[\"proxy_on_memory_allocate\"]",
            "The allocators that the probe exports.",
        ),
        Key::said(
            "allocation",
            Form::Or(&[Form::Word(&["grow", "trap"]), Form::Address]),
            "What the probe's allocators do: grow the memory by a page each time, trap, or return this address. Left out, they work.",
        ),
        Key::usually(
            "report_allocations",
            Form::Flag,
            "false",
            "The calls of the probe's allocators are among its callbacks.",
        ),
    ],
};

/// The keys of a plugin that are settings of the host.
pub const SETTINGS: [Key; 11] = [
    Key::usually("name", Form::Text, "\"plugin\"", "Its name. Every plugin has another one."),
    Key::usually("vm_id", Form::Text, "\"\"", "The id of its VM. Plugins with the same one share data and queues."),
    Key::usually("vm_configuration", Form::Bytes, "\"\"", "What it reads from the buffer VM_CONFIGURATION."),
    Key::usually("configuration", Form::Bytes, "\"\"", "What it reads from the buffer PLUGIN_CONFIGURATION."),
    Key::usually("background", Form::Flag, "false", "It is on no stream."),
    Key::usually(
        "standby",
        Form::Flag,
        "false",
        "It is not started until a step puts it into the place of another plugin.",
    ),
    Key::usually("log_only", Form::Flag, "false", "What it would do to streams is reported, and not done."),
    Key::usually("limits", Form::Table(&LIMITS_TABLE), "{}", "Its limits that differ from the host's own."),
    Key::usually(
        "failure",
        Form::Word(&["closed", "open", "reload"]),
        "\"closed\"",
        "What happens when it faults: its streams fail, its streams continue without it, or it is started again after a wait.",
    ),
    Key::said(
        "capabilities",
        TEXTS,
        "The host functions that it may call and the callbacks that it gets. Left out, all.",
    ),
    Key::usually("environment", Form::Map(&Form::Text), "{}", "Its environment variables."),
];

const LIMIT: Form = Form::Number(0, i64::MAX);

/// The limits of a plugin.
pub(super) static LIMITS_TABLE: Table = Table {
    name: "limits",
    about: "The limits of a plugin.",
    keys: &[
        Key::said(LIMITS[0], LIMIT, "Bytes of memory."),
        Key::said(LIMITS[1], LIMIT, "Elements of a table."),
        Key::said(LIMITS[2], LIMIT, "Log lines of a callback."),
        Key::said(LIMITS[3], LIMIT, "Bytes of log lines of a callback."),
        Key::said(LIMITS[4], LIMIT, "Bytes of a body that is buffered."),
        Key::said(LIMITS[5], LIMIT, "Bytes of a map of fields."),
        Key::said(LIMITS[6], LIMIT, "Bytes of shared data of a VM id."),
        Key::said(LIMITS[7], LIMIT, "Bytes of the items in a queue."),
        Key::said(LIMITS[8], LIMIT, "Queues."),
        Key::said(LIMITS[9], LIMIT, "Metrics."),
        Key::said(LIMITS[10], LIMIT, "Calls in flight."),
        Key::said(LIMITS[11], LIMIT, "Contexts that wait for their end."),
        Key::said(LIMITS[12], LIMIT, "Bytes of properties of a stream."),
        Key::said(LIMITS[13], LIMIT, "Bytes of the host's memory that exist because of the plugin."),
    ],
};

/// What every step can have, besides the kinds.
pub static STEP: Table = Table {
    name: "step",
    about: "Something that the world outside of the host does; it has exactly one of the keys below, or `start`.",
    keys: &[
        Key::said(
            "start",
            Form::True,
            "The host loads, starts and configures the plugins. It comes first, and may be left out.",
        ),
        Key::usually("repeat", Form::Number(1, 10_000), "1", "How many times the step is done, with all that it has."),
        Key::said("guest", Form::List(&Form::Table(&GUEST)), "What the plugins do in this step, in order."),
        Key::said("expect", Form::Table(&EXPECT), "What is expected until the next step."),
        Key::said(
            "outcome",
            Form::Map(&Form::Table(&EXPECT)),
            "What is expected until the next step in an outcome of the case, by its name.",
        ),
    ],
};

/// What the probe does in a callback.
pub static GUEST: Table = Table {
    name: "guest",
    about: "What the probe does in a callback: it makes a call, traps, or returns. It has exactly one of `call`, `trap` and `returns`.",
    keys: &[
        Key::said("plugin", Form::Text, "The plugin. Left out, the first."),
        Key::said(
            "in",
            Form::Callback,
            "The callback, `_initialize`, or an allocator, which then runs in the middle of a call. Left out, the callback that the step causes, which must then come in this step; otherwise the next call of the callback, perhaps in a later step.",
        ),
        Key::usually(
            "optional",
            Form::Flag,
            "false",
            "The host may leave this callback out; then nothing is expected of what the probe does in it. It must be the plugin's last one of that name.",
        ),
        Key::said("call", Form::Function, "The host function that it calls."),
        Key::usually(
            "args",
            Form::Map(&Form::Argument),
            "{}",
            "The in-parameters by name, as `pw-conform abi` lists them. An out-parameter gets a place of the probe's own, unless `<parameter>_data` or \
             `<parameter>_size` gives another address.",
        ),
        Key::usually(
            "expect",
            Form::AnyOf(&Form::Status),
            "\"OK\"",
            "The status, or several that are acceptable. `\"TRAP\"` means that the call does not return.",
        ),
        Key::usually("returned", Form::Map(&Form::Wanted), "{}", "What the out-parameters are, if the call succeeds."),
        Key::said(
            "accept",
            Form::List(&Form::Table(&ACCEPT)),
            "In place of `expect` and `returned`: acceptable answers, each with its values.",
        ),
        Key::usually(
            "save",
            Form::Map(&Form::Text),
            "{}",
            "Names under which returned numbers are kept, for `{ saved = \"name\" }` in later calls.",
        ),
        Key::said("trap", Form::True, "It executes `unreachable`."),
        Key::said("returns", Form::Result, "What the callback returns. Left out, CONTINUE, true or 0."),
    ],
};

/// An acceptable answer of a call.
pub static ACCEPT: Table = Table {
    name: "accept",
    about: "An acceptable answer of a call.",
    keys: &[
        Key::needed("expect", Form::Status, "The status."),
        Key::usually(
            "returned",
            Form::Map(&Form::Wanted),
            "{}",
            "What the out-parameters are then; `\"untouched\"` for a place that is as it was.",
        ),
        Key::said(
            "answer",
            Form::Text,
            "What to call it in the record. `\"<outcome>\"` or `\"<outcome>: <more>\"` says to which outcome it belongs. Left out, its status.",
        ),
    ],
};

/// What is expected of a step or of the run.
pub static EXPECT: Table = Table {
    name: "expect",
    about: "What is expected to be seen. Where a list of alternatives can stand, one of them must hold; a table among them is named in the record by its `answer`.",
    keys: &[
        Key::said(
            "start",
            Form::AnyOf(&Form::Word(&["started", "refused"])),
            "Whether the plugins are started, or one of them is refused. Left out, they must be started.",
        ),
        Key::said("fault", Form::AnyOf(&Form::Flag), "Whether a plugin traps or is stopped. Left out, none may."),
        Key::said(
            "callbacks",
            Form::Or(&[CALLBACKS, Form::List(&CALLBACKS)]),
            "Exactly these callbacks, in this order; or a list of such lists.",
        ),
        Key::said(
            "order",
            Form::List(&Form::Text),
            "These callbacks, in this order, perhaps with others between them. `\"<callback> returned\"` is the end of one, which tells calls within it from \
             those after it.",
        ),
        Key::said(
            "never",
            CALLBACKS,
            "None of these callbacks. A step that says so of the callback which it causes has no block for it.",
        ),
        Key::said(
            "arguments",
            Form::List(&Form::Arguments),
            "Callbacks with these arguments, in this order, perhaps with others between them.",
        ),
        Key::said(
            "log",
            Form::List(&Form::Table(&LOG_LINE)),
            "These log lines, in this order, perhaps with others between them.",
        ),
        Key::said("never_log", Form::List(&Form::Table(&LOG_LINE)), "None of these log lines."),
        Key::said("upstream", Form::AnyOf(&WIRE), "What reaches the upstream of the step's stream, or of stream 0."),
        Key::said("client", Form::AnyOf(&WIRE), "What reaches the client of the step's stream, or of stream 0."),
        Key::said(
            "calls",
            Form::Or(&[Form::List(&Form::Table(&CALL)), Form::List(&Form::List(&Form::Table(&CALL)))]),
            "Exactly these HTTP calls reach their servers, in this order; or a list of such lists.",
        ),
        Key::said(
            "grpc",
            Form::Or(&[Form::List(&Form::Table(&GRPC)), Form::List(&Form::List(&Form::Table(&GRPC)))]),
            "Exactly these gRPC calls and streams reach their servers, in this order; or a list of such lists.",
        ),
        Key::said("metrics", Form::Map(&Form::Wanted), "What the step `read_metrics` reads, by name."),
        Key::said(
            "would",
            Form::Or(&[TEXTS, Form::List(&TEXTS)]),
            "All that log-only plugins would have done, in order: `request headers`, `request trailers`, `response headers` or `response trailers`, each with the \
             fields that are more (`+name: value`) or less (`-name: value`); `request body`, `response body`; `answer 403`; `reset`; `route`. Or a list of such lists.",
        ),
        Key::said("rolled_back", Form::Flag, "Whether a canary is rolled back."),
    ],
};

const WIRE: Form = Form::Or(&[Form::Word(&["nothing", "reset", "closed"]), Form::Table(&MESSAGE)]);

/// What is expected of a message.
pub static MESSAGE: Table = Table {
    name: "message",
    about: "What is expected of a message, put together from its parts. `\"closed\"` in its place is a reset, or the end of a TCP connection.",
    keys: &[
        Key::said(
            "status",
            Form::Or(&[Form::Wanted, Form::List(&Form::Wanted)]),
            "The status of a response, or a list of those that are acceptable.",
        ),
        Key::usually("headers", EXPECTED_FIELDS, "[]", "Headers. For each name these are all of its values, in order."),
        Key::usually("absent", TEXTS, "[]", "Names of headers that are not there."),
        Key::said("body", Form::Wanted, "The body."),
        Key::usually(
            "trailers",
            EXPECTED_FIELDS,
            "[]",
            "Trailers. For each name these are all of its values, in order.",
        ),
        Key::usually("absent_trailers", TEXTS, "[]", "Names of trailers that are not there."),
        Key::said("end_of_stream", Form::Flag, "Whether the message comes to its end."),
        Key::said(
            "answer",
            Form::Text,
            "As one of several alternatives: what to call it in the record; `\"<outcome>\"` or `\"<outcome>: <more>\"` says to which outcome it belongs.",
        ),
    ],
};

const EXPECTED_FIELDS: Form = Form::List(&Form::List(&Form::Wanted));

/// An HTTP call of a plugin.
pub static CALL: Table = Table {
    name: "http_call",
    about: "What is expected of an HTTP call of a plugin.",
    keys: &[
        Key::said("upstream", Form::Text, "The upstream that it reaches."),
        MESSAGE.keys[1],
        MESSAGE.keys[2],
        MESSAGE.keys[3],
        MESSAGE.keys[4],
        MESSAGE.keys[5],
        MESSAGE.keys[6],
        MESSAGE.keys[0],
    ],
};

/// A gRPC call or stream of a plugin.
pub static GRPC: Table = Table {
    name: "grpc_call",
    about: "What is expected of a gRPC call or stream of a plugin.",
    keys: &[
        Key::said("upstream", Form::Text, "The upstream that it reaches."),
        Key::said("service", Form::Text, "The gRPC service."),
        Key::said("method", Form::Text, "The method."),
        Key::usually(
            "metadata",
            EXPECTED_FIELDS,
            "[]",
            "Its metadata. For each name these are all of its values, in order.",
        ),
        Key::said("messages", MESSAGES, "Its messages, in order."),
        Key::said("end_of_stream", Form::Flag, "Whether the plugin ends its side."),
        Key::said("reset", Form::Flag, "Whether the plugin cancels it."),
    ],
};

const MESSAGES: Form = Form::List(&Form::Wanted);

/// A line of the log.
pub static LOG_LINE: Table = Table {
    name: "log_line",
    about: "What is expected of a line of the log.",
    keys: &[
        Key::said("plugin", Form::Text, "The plugin that logs it. Left out, any."),
        Key::said(
            "level",
            Form::Word(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"]),
            "Its level. Left out, any.",
        ),
        Key::said("message", Form::Wanted, "Its text. Left out, any."),
    ],
};

/// The keys of an expected value that is not given as such.
pub static WANTS: Table = Table {
    name: "expected_value",
    about: "An expected value that is not given as it is; all of the keys must hold.",
    keys: &[
        Key::said("contains", Form::Bytes, "These bytes are in it."),
        Key::said("prefix", Form::Bytes, "It begins with these bytes."),
        Key::said("suffix", Form::Bytes, "It ends with these bytes."),
        Key::said("size", Form::Wanted, "The number of its bytes."),
        Key::said("one_of", Form::List(&Form::Wanted), "It is one of these."),
        Key::said("at_least", Form::Number(i64::MIN, i64::MAX), "It is this number or a larger one."),
        Key::said("at_most", Form::Number(i64::MIN, i64::MAX), "It is this number or a smaller one."),
        Key::said("not", Form::Wanted, "It is something else."),
        Key::said("includes", Form::Fields, "These fields are in the map, perhaps with others."),
        Key::said(
            "same_as",
            Form::Text,
            "It is the number that was saved under this name. `plugin_context` and `stream_context` are those of the first plugin.",
        ),
        Key::said("differs_from", Form::Text, "It is another number than the one that was saved under this name."),
    ],
};
