//! The effects that are not drained yet, and the plugins that are charged for them. Log lines are effects too.

use bytes::Bytes;
use pw_abi::{LogLevel, Status};

use super::{Charges, MIN_CAPACITY, State, account};
use crate::effect::Effect;
use crate::ids::{PluginId, StreamId};

/// An effect that is not drained yet, and the plugin that is charged for it, with the bytes.
pub(super) struct Queued {
    effect: Effect,
    payer: Option<(PluginId, usize)>,
    /// Charges for what plugins have added to a message.
    charges: Charges,
}

impl State {
    /// Queues an effect that is charged to no plugin.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(Queued { effect, payer: None, charges: Charges::default() });
    }

    /// Queues an effect of the active plugin, and charges it for these bytes.
    ///
    /// # Errors
    ///
    /// INTERNAL_FAILURE if the plugin's account has no room for them.
    pub(crate) fn plugin_effect(&mut self, effect: Effect, bytes: usize) -> Result<(), Status> {
        let bytes = bytes.saturating_add(account::EFFECT);
        let plugin = self.active.plugin;
        let found = self.plugin();
        if !found.account.has_room(bytes, found.limits.host_memory) {
            return Err(Status::INTERNAL_FAILURE);
        }
        found.account.add(bytes);
        self.effects.push_back(Queued { effect, payer: Some((plugin, bytes)), charges: Charges::default() });
        Ok(())
    }

    /// Takes the effect that was queued first.
    pub(crate) fn next_effect(&mut self) -> Option<Effect> {
        let Queued { effect, payer, charges } = self.effects.pop_front()?;
        drop(charges);
        if let Some((plugin, bytes)) = payer
            && let Some(plugin) = self.plugins.get(plugin)
        {
            plugin.account.release(bytes);
        }
        if self.effects.is_empty() {
            self.effects.shrink_to(MIN_CAPACITY);
            self.plugins.free_leaving();
        }
        Some(effect)
    }

    pub(crate) fn effects(&self) -> usize {
        self.effects.len()
    }

    /// Queues an effect of a stream; for a copy, what it would change.
    pub(crate) fn emit(&mut self, stream: StreamId, effect: Effect) {
        self.emit_charged(stream, effect, Charges::default());
    }

    /// The same with the charges for what plugins have added to a piece.
    pub(crate) fn emit_charged(&mut self, stream: StreamId, effect: Effect, charges: Charges) {
        if !stream.shadow {
            return self.effects.push_back(Queued { effect, payer: None, charges });
        }
        let Some((found, Some(plugin))) = self.find(stream).map(|found| {
            let plugin = found.shadow.as_ref().map(|shadow| (shadow.plugin, shadow.of));
            (found, plugin)
        }) else {
            return;
        };
        let (plugin, of) = plugin;
        let changes = found.discarded(effect);
        for what in changes {
            let Some(owner) = self.plugins.get(plugin) else { continue };
            let bytes = account::EFFECT + what.size();
            if owner.account.has_room(bytes, owner.limits.host_memory) {
                owner.account.add(bytes);
                let effect = Effect::Discarded { plugin, stream: of, what };
                self.effects.push_back(Queued { effect, payer: Some((plugin, bytes)), charges: Charges::default() });
            }
        }
    }

    /// Writes a line of the active plugin to the log, if it is within the plugin's limits.
    pub(crate) fn log(&mut self, level: LogLevel, message: &[u8]) {
        if level < self.config.log_level {
            return;
        }
        let plugin = self.active.plugin;
        let (lines, bytes) = self.active.logged;
        let (owner, cost) = (self.plugin(), account::EFFECT + message.len());
        let limits = &owner.limits;
        let within = lines < limits.log_lines && bytes.saturating_add(message.len()) <= limits.log_bytes;
        if within && owner.account.has_room(cost, limits.host_memory) {
            owner.account.add(cost);
            self.active.logged = (lines + 1, bytes + message.len());
            let effect = Effect::Log { plugin, level, message: Bytes::copy_from_slice(message) };
            self.effects.push_back(Queued { effect, payer: Some((plugin, cost)), charges: Charges::default() });
        } else if lines != usize::MAX {
            self.active.logged.0 = usize::MAX;
            let message = Bytes::from_static(b"the callback logs more than it may: the rest is dropped");
            self.effect(Effect::Log { plugin, level: LogLevel::WARN, message });
        }
    }
}
