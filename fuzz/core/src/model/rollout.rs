//! What the operator does: plugins that replace others, canaries, and plugins that are removed. Which streams a canary gets that does not get all
//! is the host's own; its contexts show it. The model knows no log-only canaries.

use pw_cases::scenario::{Failure, Step};

use super::instance::{Canary, script};
use super::state::Model;

impl Model {
    /// An instance was started that the operator puts in the place of another, or as its canary.
    pub fn put(&mut self, new: usize) {
        let scenario = self.scenario.clone();
        let Some(step) = self.step.map(|step| &scenario.steps[step]) else { return };
        let Some(place) = self.place(step) else {
            // Of plugins in the background it is not followed what replaces them, and so not what the plugins of a VM id still share.
            self.blind |= !matches!(step, Step::Reconfigure { .. });
            return;
        };
        let of = self.chain[place].instance;
        self.roll_back(of);
        if let Step::Canary { share, faults, .. } = step {
            let faults = u64::from(*faults);
            self.canary = Some(Canary { of, to: new, share: *share, faults, streams: 0, crashes: 0 });
            if self.instances[new].ended {
                // By what its start has caused.
                self.canary_has_crashed(new);
            }
        } else {
            self.instances[of].stays_ended = true;
            (self.chain[place].instance, self.chain[place].is_out) = (new, false);
        }
    }

    /// What the operator does in a step that starts no plugin.
    pub(in crate::model) fn operates(&mut self, step: &Step) {
        let Some(place) = self.place(step) else { return };
        let current = self.chain[place].instance;
        match step {
            Step::Promote { .. } => {
                if let Some(canary) = self.canary.take_if(|canary| canary.of == current) {
                    self.chain[place].instance = canary.to;
                    self.instances[current].stays_ended = true;
                }
            }
            Step::RollBack { .. } => self.roll_back(current),
            // One that was replaced is removed already; the other stays.
            Step::Remove { .. } if self.instances[current].plugin == self.chain[place].plugin => {
                self.roll_back(current);
                self.instances[current].stays_ended = true;
                self.chain[place].is_out = true;
            }
            _ => {}
        }
    }

    /// The place of the plugin that a step is about.
    fn place(&self, step: &Step) -> Option<usize> {
        let name = step.plugins().0?;
        let plugin = self.scenario.plugins.iter().position(|known| known.settings.name == name)?;
        self.chain.iter().position(|link| link.plugin == plugin)
    }

    fn roll_back(&mut self, of: usize) {
        if let Some(canary) = self.canary.take_if(|canary| canary.of == of) {
            self.instances[canary.to].stays_ended = true;
        }
    }

    /// Whether the operator keeps an instance, as far as is known: what becomes of plugins in the background is not followed.
    pub(in crate::model) fn is_kept(&self, instance: usize) -> bool {
        let links = self.chain.iter().filter(|link| !link.is_out).map(|link| link.instance);
        let canary = self.canary.iter().flat_map(|canary| [canary.of, canary.to]);
        links.chain(canary).any(|kept| kept == instance)
            || self.scenario.steps.iter().all(|step| step.plugins().0.is_none())
    }

    /// An instance that has crashed was started again.
    pub(in crate::model) fn restarted(&mut self, old: usize, new: usize) {
        let canary = self.canary.iter_mut().flat_map(|canary| [&mut canary.of, &mut canary.to]);
        let links = self.chain.iter_mut().map(|link| &mut link.instance);
        links.chain(canary).filter(|instance| **instance == old).for_each(|instance| *instance = new);
    }

    /// An instance has crashed. A canary is rolled back when it crashes too often, and its streams return to the other if it is not started
    /// again.
    pub(in crate::model) fn canary_has_crashed(&mut self, instance: usize) {
        let reloads = self.scenario.plugins[self.instances[instance].plugin].settings.failure == Failure::Reload;
        let Some(canary) = self.canary.as_mut().filter(|canary| canary.to == instance) else { return };
        canary.crashes += 1;
        if canary.crashes * 100 > canary.faults * canary.streams.max(1) || !reloads {
            self.canary = None;
            self.instances[instance].stays_ended = true;
        }
    }

    /// The instances that a new stream runs through. If a canary may be in the place of one of them, that place, and the canary.
    pub(in crate::model) fn chain_of_a_stream(&mut self) -> (Vec<usize>, Option<(usize, usize)>) {
        let links = self.chain.iter().filter(|link| !link.is_out).map(|link| link.instance);
        let mut chain: Vec<usize> = links.collect();
        let Some(canary) = self.canary.as_mut().filter(|canary| canary.share > 0) else { return (chain, None) };
        let Some(place) = chain.iter().position(|instance| *instance == canary.of) else { return (chain, None) };
        let (of, to) = (canary.of, canary.to);
        if canary.share < 100 {
            // What one of them lets pass, or does not show, the other may not.
            self.blind |= !self.is_told_apart(of) || !self.is_told_apart(to);
            return (chain, Some((place, to)));
        }
        canary.streams += 1;
        chain[place] = to;
        (chain, None)
    }

    /// Whether an instance shows that it got a stream, and gets all callbacks about it.
    fn is_told_apart(&self, instance: usize) -> bool {
        let found = &self.instances[instance];
        let plugin = &self.scenario.plugins[found.plugin];
        let without = script(plugin).is_some_and(|script| !script.without.is_empty());
        !found.ended && !without && plugin.settings.capabilities.is_none() && plugin.settings.limits.is_empty()
    }

    /// A context of an instance begins. If it is the canary that may have the stream, it has it.
    pub(in crate::model) fn decides(&mut self, instance: usize, number: u32) {
        let Some(stream) = self.streams.get_mut(&number) else { return };
        let Some((place, to)) = stream.undecided else { return };
        if instance == to {
            stream.chain[place] = to;
            if let Some(canary) = self.canary.as_mut().filter(|canary| canary.to == to) {
                canary.streams += 1;
            }
        }
        if instance == to || instance == stream.chain[place] {
            stream.undecided = None;
        }
    }
}
