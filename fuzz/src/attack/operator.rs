//! What operators do: they add, replace, try and end plugins, the attacker's and the guard.

use pw_host::{Canary, Module, PluginConfig, PluginId, Proxy};

use super::bystanders;
use super::plan::GuardAction;
use super::world::{Guards, World, Wrong};

impl World {
    /// The operator adds a plugin.
    pub(crate) fn add(&mut self, template: usize) -> Result<(), Wrong> {
        self.start(template, "add", |proxy, module, config| proxy.add_plugin(module, config).ok())
    }

    pub(crate) fn replace(&mut self, target: usize, template: usize) -> Result<(), Wrong> {
        let Some(old) = self.plugin(target) else { return Ok(()) };
        self.start(template, "replace", |proxy, module, config| proxy.replace_plugin(old, module, config).ok())
    }

    pub(crate) fn canary(&mut self, target: usize, template: usize, canary: Canary) -> Result<(), Wrong> {
        let Some(old) = self.plugin(target) else { return Ok(()) };
        self.start(template, "canary", |proxy, module, config| proxy.canary(old, module, config, canary).ok())
    }

    fn start(
        &mut self,
        template: usize,
        about: &'static str,
        start: impl FnOnce(&mut Proxy, &Module, PluginConfig) -> Option<PluginId>,
    ) -> Result<(), Wrong> {
        let Some(count) = Some(self.templates.len()).filter(|count| *count > 0) else { return Ok(()) };
        let (module, config) = self.templates[template % count].clone();
        let limits = config.limits;
        self.fuel += limits.fuel;
        self.host_memory += limits.host_memory;
        if let Some(id) = self.event(about, |proxy| start(proxy, &module, config))? {
            if self.limits.insert(id, limits).is_some() {
                return Err(format!("{about}: {id:?} was given before"));
            }
            self.plugins.push(id);
        }
        Ok(())
    }

    pub(crate) fn plugin(&self, number: usize) -> Option<PluginId> {
        (!self.plugins.is_empty()).then(|| self.plugins[number % self.plugins.len()])
    }

    /// The operator does something to the guard.
    pub(crate) fn guard(&mut self, action: GuardAction) -> Result<(), Wrong> {
        use GuardAction::{Canary as Try, Promote, Remove, Replace, Retire, RollBack, Terminate};
        let serving = self.guards.serving;
        let any = |guards: &Guards, number: usize| guards.all[number % guards.all.len()];
        match action {
            Try { share, log_only } => {
                let config = bystanders::config("guard", log_only);
                let canary = Canary { share, faults: 50 };
                let module = bystanders::guard();
                let added =
                    self.event("canary of the guard", |proxy| proxy.canary(serving, &module, config, canary).ok())?;
                self.guards.all.extend(added);
                if let Some(id) = added {
                    self.guards.canary = Some((id, log_only));
                }
            }
            Replace => {
                let (module, config) = (bystanders::guard(), bystanders::config("guard", false));
                let added =
                    self.event("replace the guard", |proxy| proxy.replace_plugin(serving, &module, config).ok())?;
                if let Some(id) = added {
                    self.guards.all.push(id);
                    self.guards.serving = id;
                    self.guards.canary = None;
                }
            }
            Promote => {
                self.event("promote the guard's canary", |proxy| proxy.promote(serving))?;
                if let Some((canary, log_only)) = self.guards.canary.take() {
                    self.guards.serving = canary;
                    self.guards.retired |= log_only;
                }
            }
            RollBack => {
                self.event("roll back the guard's canary", |proxy| proxy.roll_back(serving))?;
                self.guards.canary = None;
            }
            Retire(number) => {
                let id = any(&self.guards, number);
                self.event("retire a guard", |proxy| proxy.retire_plugin(id))?;
                self.guards.retired |= id == serving;
                self.guards.canary.take_if(|(canary, _)| *canary == id);
            }
            Remove(number) => {
                let id = any(&self.guards, number);
                self.event("remove a guard", |proxy| proxy.remove_plugin(id))?;
                self.guards.canary.take_if(|(canary, _)| *canary == id || id == serving);
            }
            Terminate(number) => {
                let id = any(&self.guards, number);
                self.event("terminate a guard", |proxy| proxy.terminate_plugin(id))?;
                self.guards.canary.take_if(|(canary, _)| *canary == id || id == serving);
            }
        }
        Ok(())
    }
}
