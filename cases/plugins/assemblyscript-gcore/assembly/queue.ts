// Sends paths from one VM to another by a shared queue.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  LogLevelValues,
  RootContext,
  WasmResultValues,
  dequeue_shared_queue,
  enqueue_shared_queue,
  log,
  registerRootContext,
  register_shared_queue,
  resolve_shared_queue,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";
import { HeaderMapTypeValues, get_header_map_value } from "@gcoredev/proxy-wasm-sdk-as/assembly/runtime";

const QUEUE = "kit.jobs";

class QueueRoot extends RootContext {
  onConfigure(configuration_size: u32): bool {
    super.onConfigure(configuration_size);
    if (this.getConfiguration() == "consumer") register_shared_queue(QUEUE);
    return true;
  }

  onQueueReady(token: u32): void {
    let job = dequeue_shared_queue(token);
    while (job.result == WasmResultValues.Ok) {
      log(LogLevelValues.info, "job: " + String.UTF8.decode(job.data!));
      job = dequeue_shared_queue(token);
    }
  }

  createContext(context_id: u32): Context {
    return new Queue(context_id, this);
  }
}

class Queue extends Context {
  onRequestHeaders(a: u32, end_of_stream: bool): FilterHeadersStatusValues {
    if (this.root_context.getConfiguration() == "producer") {
      stream_context.headers.request.add("x-queued", queued() ? "yes" : "no");
    }
    return FilterHeadersStatusValues.Continue;
  }
}

function queued(): bool {
  const queue = resolve_shared_queue("consumer", QUEUE);
  if (queue.result != WasmResultValues.Ok) return false;
  const job = get_header_map_value(HeaderMapTypeValues.RequestHeaders, String.UTF8.encode("x-job"));
  return job.byteLength == 0 || enqueue_shared_queue(queue.token, job) == WasmResultValues.Ok;
}

registerRootContext((context_id: u32) => {
  return new QueueRoot(context_id);
}, "queue");
