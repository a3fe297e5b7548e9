//! What a plugin has asked for, dropped when the plugin ends or crashes.

use std::sync::Arc;

use super::Proxy;
use crate::effect::Effect;
use crate::ids::PluginId;
use crate::planted::planted;
use crate::state::{CallId, Timer};

/// Drops what a plugin asked for: its ticks, notices and calls.
pub(super) fn drop_all(proxy: &mut Proxy, plugin: PluginId) {
    drop_timers(proxy, plugin);
    let state = proxy.state();
    let calls = state.plugins.get_mut(plugin).map(|found| std::mem::take(&mut found.calls)).unwrap_or_default();
    let mut calls: Vec<CallId> = calls.into_values().collect();
    calls.sort_by_key(|call| matches!(call, CallId::Grpc(_)));
    for call in calls {
        state.remove_call(call);
        state.effect(match call {
            CallId::Http(call) => Effect::CancelHttpCall { call },
            CallId::Grpc(call) => Effect::CancelGrpcCall { call },
        });
    }
}

/// Drops the ticks and notices of a plugin that has left its VM.
pub(super) fn drop_timers(proxy: &mut Proxy, plugin: PluginId) {
    let state = proxy.state();
    let Some(found) = state.plugins.get_mut(plugin) else { return };
    let tick = found.tick.take().map(|(_, due)| due);
    let queues = std::mem::take(&mut found.queues);
    state.timers.unset(tick, Timer::Tick(plugin));
    for queue in queues {
        planted!(ReaderTwice => continue);
        if let Some(queue) = state.queues.get_mut(&queue) {
            Arc::make_mut(&mut queue.readers).retain(|reader| *reader != plugin);
        }
    }
}
