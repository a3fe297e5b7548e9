//! What the log says of a scenario's plugins: which of it belongs to the transcript, and how a plugin was refused.

use crate::job::Plugin;
use pw_cases::transcript::Event;

use crate::target::{Finding, Found, Vm};
use crate::window::Window;

/// Plugins, as the log shows them.
pub struct Plugins {
    plugins: Vec<Known>,
    /// The plugins in the background have started.
    started: bool,
    /// What VMs other than those on streams have logged, and how they failed.
    others: Vec<Other>,
    /// How such VMs failed, in the host's words.
    faults: Vec<String>,
    /// Why the host has rejected the chain, and because of which plugin.
    rejection: Option<(usize, String)>,
    /// VMs in the process, as far as the log shows.
    vms: u32,
}

struct Known {
    name: String,
    background: bool,
}

/// What a VM that is not on streams has done.
#[derive(Clone)]
struct Other {
    vm: usize,
    plugin: usize,
    event: Event,
}

impl Plugins {
    /// The plugins of a scenario that starts.
    pub fn new(plugins: &[Plugin]) -> Plugins {
        let known =
            |plugin: &Plugin| Known { name: plugin.settings.name.clone(), background: plugin.settings.background };
        Plugins {
            plugins: plugins.iter().map(known).collect(),
            started: false,
            others: Vec::new(),
            faults: Vec::new(),
            rejection: None,
            vms: 0,
        }
    }

    /// Whether there are plugins in the background.
    pub fn has_background(&self) -> bool {
        self.plugins.iter().any(|plugin| plugin.background)
    }

    /// Whether VMs are left in the process.
    pub fn has_vms(&self) -> bool {
        self.vms > 0
    }

    /// Whether the host has rejected the chain.
    pub fn is_rejected(&self) -> bool {
        self.rejection.is_some()
    }

    /// Takes what a line of the log says.
    pub fn see(&mut self, found: Found, window: &mut Window) {
        let Found { plugin, vm, finding } = found;
        let Some(known) = self.plugins.get(plugin) else { return };
        let name = || known.name.clone();
        // What a plugin in the background does is its transcript once all have started.
        let other = match vm {
            Vm::Other(number) if !(self.started && known.background) => Some(number),
            Vm::Other(_) | Vm::Serving => None,
        };
        let event = match finding {
            Finding::Log { level, message } => Event::Log { plugin: name(), level: level.into(), message },
            Finding::Fault(reason) => {
                self.faults.extend(other.map(|_| reason.clone()));
                Event::Fault { plugin: name(), reason }
            }
            Finding::Created => return self.vms += 1,
            Finding::Destroyed { left } => return self.vms = left,
            Finding::Rejected(reason) => return self.rejection = Some((plugin, reason)),
        };
        match other {
            Some(vm) => self.others.push(Other { vm, plugin, event }),
            None => window.push(event),
        }
    }

    /// The plugins in the background have started: reports how their latest VMs, which stay, have started.
    pub fn start(&mut self, window: &mut Window) {
        self.started = true;
        if !self.has_background() {
            return;
        }
        let others = std::mem::take(&mut self.others);
        for (at, _) in self.plugins.iter().enumerate().filter(|(_, plugin)| plugin.background) {
            let own = || others.iter().filter(|other| other.plugin == at);
            let latest = own().map(|other| other.vm).max();
            own().filter(|other| Some(other.vm) == latest).for_each(|other| window.push(other.event.clone()));
        }
    }

    /// The chain is about to be changed: what VMs have done before does not explain a refusal.
    pub fn change(&mut self) {
        self.others.clear();
        self.faults.clear();
    }

    /// Reports that the host has rejected the chain, after what the plugin's latest VM has logged: it has come furthest.
    pub fn refuse(&mut self, window: &mut Window) {
        let (refused, reason) = self.rejection.take().unwrap_or_else(|| (0, "the listener was rejected".into()));
        let others = std::mem::take(&mut self.others);
        let own = || others.iter().filter(|other| other.plugin == refused);
        let latest = own().next_back().map(|other| other.vm);
        for Other { event, .. } in own().filter(|other| Some(other.vm) == latest) {
            // Faults are a part of the reason.
            if !matches!(event, Event::Fault { .. }) {
                window.push(event.clone());
            }
        }
        self.faults.push(reason);
        let plugin = self.plugins.get(refused).map(|plugin| plugin.name.clone()).unwrap_or_default();
        window.push(Event::Refused { plugin, reason: self.faults.join("; ") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugins(background: &[bool]) -> Plugins {
        let plugin = |(at, background)| {
            Plugin::default().set(|settings| (settings.name, settings.background) = (format!("p{at}"), background))
        };
        Plugins::new(&background.iter().copied().enumerate().map(plugin).collect::<Vec<_>>())
    }

    fn log(text: &str) -> Finding {
        Finding::Log { level: "INFO", message: text.into() }
    }

    fn see(plugins: &mut Plugins, window: &mut Window, plugin: usize, vm: Vm, finding: Finding) {
        plugins.see(Found { plugin, vm, finding }, window);
    }

    fn texts(window: &mut Window) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Log { plugin, message, .. } => format!("{plugin} {}", message.as_str().unwrap_or_default()),
            Event::Refused { plugin, reason } => format!("{plugin} refused: {reason}"),
            other => format!("{other:?}"),
        };
        window.take().iter().map(text).collect()
    }

    #[test]
    fn trials_are_reported_if_the_plugin_is_refused() {
        let (mut plugins, mut window) = (plugins(&[false, false]), Window::default());
        plugins.start(&mut window);
        see(&mut plugins, &mut window, 1, Vm::Other(0), log("first"));
        see(&mut plugins, &mut window, 0, Vm::Other(1), log("of another plugin"));
        see(&mut plugins, &mut window, 1, Vm::Other(2), log("second"));
        see(&mut plugins, &mut window, 1, Vm::Other(2), Finding::Fault("trap".into()));
        assert_eq!(texts(&mut window), [""; 0]);
        see(&mut plugins, &mut window, 1, Vm::Serving, Finding::Rejected("no".into()));
        assert!(plugins.is_rejected());
        plugins.refuse(&mut window);
        assert_eq!(texts(&mut window), ["p1 second", "p1 refused: trap; no"]);
    }

    #[test]
    fn the_latest_vm_of_a_plugin_in_the_background_is_reported() {
        let (mut plugins, mut window) = (plugins(&[true, false]), Window::default());
        see(&mut plugins, &mut window, 0, Vm::Other(0), log("trial"));
        see(&mut plugins, &mut window, 0, Vm::Other(1), log("stays"));
        plugins.start(&mut window);
        see(&mut plugins, &mut window, 0, Vm::Other(1), log("later"));
        see(&mut plugins, &mut window, 1, Vm::Other(2), log("trial"));
        see(&mut plugins, &mut window, 1, Vm::Serving, log("on streams"));
        assert_eq!(texts(&mut window), ["p0 stays", "p0 later", "p1 on streams"]);
    }

    #[test]
    fn counts_vms() {
        let (mut plugins, mut window) = (plugins(&[false]), Window::default());
        assert!(!plugins.has_vms());
        see(&mut plugins, &mut window, 0, Vm::Serving, Finding::Created);
        assert!(plugins.has_vms());
        see(&mut plugins, &mut window, 0, Vm::Serving, Finding::Destroyed { left: 0 });
        assert!(!plugins.has_vms());
    }
}
