//! What plugins of a VM id share: data, and the queues and metrics that they know. It is removed with the last of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use pw_abi::MetricType;

use super::account::Account;
use crate::ids::PluginId;

/// What plugins of a VM id share.
#[derive(Default)]
pub(crate) struct Realm {
    pub(crate) vm_id: String,
    /// The number of plugins that run or may be restarted.
    pub(crate) members: usize,
    /// The VMs of its plugins.
    pub(crate) vms: BTreeSet<usize>,
    /// Values with their compare-and-swap values.
    pub(crate) shared_data: BTreeMap<Vec<u8>, (Bytes, u32)>,
    /// Bytes of its keys and values.
    pub(crate) shared_size: usize,
    /// Its own queues, by name.
    pub(crate) queue_names: BTreeMap<Vec<u8>, u32>,
    /// The queues that its plugins have registered or resolved.
    pub(crate) queues: BTreeSet<u32>,
    /// The metrics that its plugins have defined.
    pub(crate) metrics: BTreeSet<u32>,
    /// Bytes of all of this.
    pub(crate) account: Account,
}

/// A queue of a VM id.
#[derive(Default)]
pub(crate) struct Queue {
    /// The VM id's realm.
    pub(crate) realm: usize,
    pub(crate) items: VecDeque<Bytes>,
    /// Bytes of all items.
    pub(crate) size: usize,
    /// The plugins that are notified of items.
    pub(crate) readers: Arc<Vec<PluginId>>,
}

/// A metric of the proxy.
pub(crate) struct Metric {
    pub(crate) metric_type: MetricType,
    pub(crate) name: Vec<u8>,
    pub(crate) value: u64,
    /// The number of VM ids whose plugins have defined it.
    pub(crate) holders: usize,
}
