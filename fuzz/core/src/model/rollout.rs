//! What the operator does: plugins that replace others, canaries, and plugins that are removed. The model knows no canaries that get
//! some of the streams, nor log-only ones.

use pw_cases::scenario::{Failure, Step};

use super::instance::Canary;
use super::state::Model;

impl Model {
    /// An instance was started that the operator puts in the place of another, or as its canary.
    pub fn put(&mut self, new: usize) {
        let scenario = self.scenario.clone();
        let Some(step) = self.step.map(|step| &scenario.steps[step]) else { return };
        let Some(place) = self.place(step) else { return };
        let of = self.chain[place].instance;
        self.roll_back(of);
        if let Step::Canary { share, faults, .. } = step {
            let faults = u64::from(*faults);
            self.canary = Some(Canary { of, to: new, gets_all: *share == 100, faults, streams: 0, crashes: 0 });
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

    /// The instances that a new stream runs through.
    pub(in crate::model) fn chain_of_a_stream(&mut self) -> Vec<usize> {
        let canary = &mut self.canary;
        let links = self.chain.iter().filter(|link| !link.is_out);
        let chosen =
            links.map(|link| match canary.as_mut().filter(|canary| canary.of == link.instance && canary.gets_all) {
                Some(canary) => {
                    canary.streams += 1;
                    canary.to
                }
                None => link.instance,
            });
        chosen.collect()
    }
}
