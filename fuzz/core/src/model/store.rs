//! The shared data of a run.

/// All stores.
#[derive(Default)]
pub(in crate::model) struct Store(pub(in crate::model) Vec<Shared>);

/// A value of a VM id.
pub(in crate::model) struct Shared {
    pub(in crate::model) vm_id: String,
    pub(in crate::model) key: Vec<u8>,
    pub(in crate::model) value: Vec<u8>,
    /// The compare-and-swap value, once a plugin has read it.
    pub(in crate::model) cas: Option<u32>,
    /// Earlier compare-and-swap values.
    pub(in crate::model) stale: Vec<u32>,
}

impl Store {
    /// The last plugin of a VM id has ended.
    pub(in crate::model) fn end(&mut self, vm_id: &str) {
        self.0.retain(|shared| shared.vm_id != vm_id);
    }
}
