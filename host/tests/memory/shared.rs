//! What is charged to a VM id: queues, metrics and shared data.

use crate::support::{call, on, put, queue, repeat};
use crate::{COUNTS, Row, TAKE};

pub(crate) fn queues(rows: &mut Vec<Row>) {
    for times in COUNTS {
        for size in [0, 1, 1000] {
            let name = format!("items of {size} bytes in a queue");
            let put = format!("(drop {})", put(size));
            rows.push(Row::emptied(&name, times, &put, &repeat(times, TAKE)).with(&[queue()]));
        }
        let put = format!("(drop {}) {TAKE}", put(0));
        let ready = on("proxy_on_queue_ready", "");
        let mut row = Row::new("notices of queues that wait", times, &put).with(&[queue(), ready]);
        row.config.limits.callbacks_per_event = 1000;
        rows.push(row);
        rows.push(Row::new("queues", times, &call("register_shared_queue", &[0, 8, 8])).that_stays());
        rows.push(Row::new("metrics", times, &call("define_metric", &[0, 0, 8, 8])).that_stays());
    }
    rows.push(
        Row::new("metrics with names of 1000 bytes", 2000, &call("define_metric", &[0, 0, 1000, 8])).that_stays(),
    );
}

pub(crate) fn shared_data(rows: &mut Vec<Row>) {
    for size in [0, 1000] {
        let set = call("set_shared_data", &[0, 8, 0x100, size, 0]);
        rows.push(Row::new(&format!("keys of shared data with {size} bytes"), 10_000, &set).that_stays());
    }
}
