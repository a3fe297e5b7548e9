//! Callbacks and contexts: which callback may come when, and what it ends.

use pw_abi::Action;
use pw_cases::scenario::Step;
use pw_cases::script;

use super::calls::Subject;
use super::finding::Wanted;
use super::instance::{Context, Instance, Link, State, Vm, exports};
use super::state::{Frame, Model};
use super::stream::piece_of;
use crate::share::homes;

/// Callbacks that may come while a message moves through the chain.
const WHILE_MOVING: [&str; 5] = [
    "proxy_on_done",
    "proxy_on_log",
    "proxy_on_delete",
    "proxy_on_upstream_connection_close",
    "proxy_on_downstream_connection_close",
];

impl Model {
    /// A plugin is being started: for the first time, again as `again` has crashed, or with another configuration. The number of
    /// the new instance.
    pub fn starts(&mut self, plugin: usize, again: Option<usize>) -> usize {
        if let Some(frame) = self.frame.take() {
            self.trapped(frame);
        }
        // What crashed before this has been removed by now.
        self.vm_ids_end();
        let own = &self.scenario.plugins[plugin];
        let configuration = match self.step.map(|step| &self.scenario.steps[step]) {
            Some(Step::Reconfigure { configuration, .. }) if again.is_none() => configuration.0.clone(),
            _ => again
                .map_or_else(|| own.settings.configuration.0.clone(), |old| self.instances[old].configuration.clone()),
        };
        let background = own.settings.background;
        let homes = homes(&self.scenario.plugins);
        let is_beside = |found: &&Instance| homes[found.plugin] == homes[plugin] && !found.ended;
        let vm = self.instances.iter().find(is_beside).filter(|_| !own.settings.vm_id.is_empty());
        let vm = vm.map_or(self.vms.len(), |found| found.vm);
        if vm == self.vms.len() {
            self.vms.push(Vm::of(plugin, &self.scenario));
        }
        let restarted = again.is_some();
        self.instances.push(Instance { restarted, started: restarted, ..Instance::new(plugin, vm, configuration) });
        if let Some(old) = again {
            self.instances[old].stays_ended = true;
            let (crashes, crashed) = (self.instances[old].crashes, self.instances[old].crashed);
            if let Some(new) = self.instances.last_mut() {
                new.crashes = crashes;
            }
            let least = wait(crashes).0;
            if self.time.1 < crashed.0 + least {
                let message = format!("a plugin is started too early after crash {crashes} in a row");
                let has_start = exports(&self.scenario.plugins[plugin], "proxy_on_vm_start");
                let first = if has_start { "proxy_on_vm_start" } else { "proxy_on_context_create" };
                self.found("a restart", &message, Some(plugin), Some(Wanted::Never(first)));
            }
        }
        let new = self.instances.len() - 1;
        match again {
            Some(old) => self.restarted(old, new),
            None if !background && self.step.is_none() => self.chain.push(Link::new(plugin, new)),
            None => {}
        }
        new
    }

    /// Whether the instance has ended, as it has if a callback of its VM has not returned. A plugin that is called after that was
    /// started again.
    pub fn has_ended(&self, instance: usize) -> bool {
        let vm = self.instances[instance].vm;
        let runs = self.frame.as_ref().is_some_and(|frame| self.instances[frame.instance].vm == vm);
        self.instances[instance].ended || runs
    }

    /// The index of an instance's plugin in the scenario.
    pub fn plugin(&self, instance: usize) -> usize {
        self.instances[instance].plugin
    }

    /// The host calls a plugin. If a callback has not returned before this, its guest has crashed.
    pub fn callback(&mut self, instance: usize, name: &'static str, args: &[u32]) {
        self.follow_callback(instance, name, args);
        self.called.push((self.instances[instance].plugin, name));
    }

    fn follow_callback(&mut self, instance: usize, name: &'static str, args: &[u32]) {
        if let Some(frame) = self.frame.take() {
            self.trapped(frame);
        }
        if self.instances[instance].ended {
            let plugin = self.instances[instance].plugin;
            let about =
                if self.restarts(instance) { "a plugin that is not started again yet" } else { "a plugin that ended" };
            self.came(name, &format!("{name} is called in {about}"), plugin);
            return;
        }
        if name == "proxy_on_tick" {
            // What crashed before this has been removed by now.
            self.vm_ids_end();
        }
        if WHILE_MOVING.contains(&name) {
            self.rejects();
            self.ends(instance, args.first().copied().unwrap_or(0));
        } else if piece_of(name).is_none() && name != "proxy_on_context_create" {
            // Contexts of a stream begin before anything else happens to it.
            self.do_all_pending();
        }
        let Some(callback) = script::callback_number(name) else { return };
        let (script, entry) = self.vms[self.instances[instance].vm].enter(callback, name, args);
        let context = args.first().copied().unwrap_or(0);
        let mut frame = Frame {
            instance,
            callback,
            name,
            context,
            effective: context,
            script,
            entry,
            next: 0,
            piece: None,
            subject: Subject::None,
            finished: Vec::new(),
            calls: 0,
            properties: Vec::new(),
            before: None,
            pending: self.pending.len(),
            strays: false,
        };
        self.follow_context(&mut frame, args);
        self.frame = Some(frame);
        if self.blind {
            return;
        }
        match name {
            "proxy_on_tick" => self.ticks(instance),
            "proxy_on_queue_ready" => self.queue_ready(instance, args[1]),
            _ => self.about_call(instance, name, args),
        }
        self.piece(name, args);
    }

    /// A context ends: its stream is over, or will be once what is pending is done.
    fn ends(&mut self, instance: usize, context: u32) {
        let found = self.instances[instance].contexts.get(&context);
        let Some((number, _)) = found.and_then(|context| context.stream) else { return };
        let moves = |model: &Model| model.streams.get(&number).is_some_and(|stream| !stream.over && !stream.unfollowed);
        while moves(self) && self.do_pending() {}
    }

    /// Follows the state of the context that a callback is about.
    fn follow_context(&mut self, frame: &mut Frame, args: &[u32]) {
        let plugin = self.instances[frame.instance].plugin;
        let has = |name| exports(&self.scenario.plugins[plugin], name);
        let (has_done, has_create) = (has("proxy_on_done"), has("proxy_on_context_create"));
        let has_log = has("proxy_on_log");
        let limited = !self.scenario.plugins[plugin].settings.limits.is_empty();
        // Its VM goes on with the other plugins there.
        let refused = self.instances[frame.instance].refuses;
        let (name, id) = (frame.name, frame.context);
        if name == "proxy_on_context_create" {
            return self.created(frame.instance, id, args[1]);
        }
        if name == "proxy_on_vm_start" {
            // Its first argument is not a context.
            let root = self.instances[frame.instance].root;
            (frame.context, frame.effective) = (root.unwrap_or(1), root.unwrap_or(1));
            return;
        }
        if !has_create && !self.instances[frame.instance].contexts.contains_key(&id) {
            let parent = u32::from(self.instances[frame.instance].root.is_some());
            self.created(frame.instance, id, parent);
        }
        let Some(context) = self.instances[frame.instance].contexts.get_mut(&id) else {
            return self.came(name, &format!("{name} for a context that does not exist"), plugin);
        };
        let state = context.state;
        // Whether the end of a plugin's own context is logged is an open question; the reference host does not log it.
        let own = context.stream.is_none();
        let logs = has_log && !own;
        let (right, next) = match (name, state) {
            ("proxy_on_done", State::Live) => (true, State::Done),
            ("proxy_on_done", _) => (false, state),
            ("proxy_on_log", _) if own => (false, state),
            ("proxy_on_log", State::Done) => (true, State::Logged),
            ("proxy_on_log", State::Live) => (!has_done, State::Logged),
            ("proxy_on_log", State::Pending) => (limited, State::Logged),
            ("proxy_on_log", State::Logged) => (false, state),
            ("proxy_on_delete", State::Logged) => (true, state),
            ("proxy_on_delete", State::Done) => (!logs, state),
            ("proxy_on_delete", State::Live) => (!logs && !has_done || own && refused, state),
            ("proxy_on_delete", State::Pending) => (!logs && limited, State::Done),
            _ if context.stream.is_none() => (state != State::Logged, state),
            _ => (state == State::Live, state),
        };
        context.state = next;
        if !right {
            let is_unlogged = name == "proxy_on_delete" && state == State::Done;
            let wanted = if is_unlogged { Wanted::Due("proxy_on_log") } else { Wanted::Never(name) };
            self.found(name, &format!("{name} for a context that is {state:?}"), Some(plugin), Some(wanted));
        }
    }

    fn created(&mut self, instance: usize, id: u32, parent: u32) {
        if let Some(number) = self.step.filter(|_| parent != 0).and_then(|step| self.scenario.steps[step].stream()) {
            self.decides(instance, number);
        }
        let found = &self.instances[instance];
        let plugin = found.plugin;
        if found.contexts.contains_key(&id) {
            return self.came("proxy_on_context_create", "a context is created twice", plugin);
        }
        let root = found.root;
        let mut stream = None;
        if parent == 0 {
            self.instances[instance].root = Some(id);
        } else {
            let number = self.step.and_then(|step| self.scenario.steps[step].stream());
            let taken = |place: &usize| {
                found.contexts.values().any(|context| context.stream == number.map(|number| (number, *place)))
            };
            let chain = number.and_then(|number| self.streams.get(&number)).map(|stream| &stream.chain);
            let place = chain.and_then(|chain| {
                (0..chain.len()).filter(|place| chain[*place] == instance).find(|place| !taken(place))
            });
            stream = number.zip(place);
            let exports = exports(&self.scenario.plugins[plugin], "proxy_on_context_create");
            if !exports && (stream.is_none() || self.streams.len() > 1) {
                // Its first callback comes after it began, perhaps while another stream moves, and it may be any stream's.
                self.blind = true;
                return;
            }
            if stream.is_none() || exports && root != Some(parent) {
                let message = "a context is created that belongs to no stream";
                return self.came("proxy_on_context_create", message, plugin);
            }
        }
        self.instances[instance].contexts.insert(id, Context { stream, state: State::Live });
    }

    /// A callback returned.
    pub fn returned(&mut self, instance: usize, name: &'static str, result: Option<u32>) {
        let Some(frame) = self.frame.take().filter(|frame| frame.instance == instance && frame.name == name) else {
            return;
        };
        let scenario = self.scenario.clone();
        self.frame = Some(frame);
        let left = self.due(&scenario).map(|action| action.id);
        let Some(frame) = self.frame.take() else { return };
        if let Some(left) = left.filter(|_| !self.blind) {
            let plugin = Some(self.instances[instance].plugin);
            self.find("the probe", &format!("action {left} is not done in {name}"), plugin);
        }
        match (name, result) {
            ("proxy_on_vm_start" | "proxy_on_configure", Some(0)) => self.instances[instance].refuses = true,
            ("proxy_on_configure", _) => self.configured(instance),
            _ => {}
        }
        let context = self.instances[instance].contexts.get_mut(&frame.context);
        if let (Some(context), "proxy_on_done", Some(0)) = (context, name, result) {
            context.state = State::Pending;
        }
        for id in &frame.finished {
            if let Some(context) = self.instances[instance].contexts.get_mut(id) {
                context.state = State::Done;
            }
        }
        if let Some((stream, place, direction)) = frame.piece {
            self.decided(stream, place, direction, result.is_some_and(|action| action != Action::CONTINUE.0));
        }
        if name == "proxy_on_delete" {
            let deleted = self.instances[instance].contexts.remove(&frame.context);
            if deleted.is_some_and(|context| context.stream.is_none()) {
                self.instances[instance].stays_ended = true;
                self.ended(instance);
            }
        }
    }

    /// The world does the step at `index`.
    pub fn step(&mut self, index: usize) {
        self.settle();
        self.step = Some(index);
        self.called.clear();
        let scenario = self.scenario.clone();
        let step = &scenario.steps[index];
        self.time = (self.time.1, self.time.1);
        if let Step::Advance { milliseconds } = step {
            self.time.1 += milliseconds * 1_000_000;
        }
        if matches!(step, Step::Shutdown) {
            self.instances.iter_mut().for_each(|found| found.stays_ended = true);
        }
        self.operates(step);
        self.enters(step);
        self.calls.step(step);
    }

    /// Checks that everything has happened that had to happen before the next step.
    pub(super) fn settle(&mut self) {
        if let Some(frame) = self.frame.take() {
            self.trapped(frame);
        }
        self.do_all_pending();
        self.check_restarts();
        let refused: Vec<usize> = (0..self.instances.len())
            .filter(|number| self.instances[*number].refuses && !self.instances[*number].ended)
            .collect();
        for number in refused {
            self.ended(number);
            self.canary_has_crashed(number);
        }
        if !self.blind {
            self.check_deleted();
            self.check_ticks();
            self.check_queues();
            self.check_calls();
        }
        if !self.blind {
            self.check_messages();
        }
        let lines = self.log[self.logged.min(self.log.len())..].iter();
        let limited = |plugin: usize| !self.scenario.plugins[plugin].settings.limits.is_empty();
        let missing: Vec<_> = lines.filter(|(plugin, ..)| !limited(*plugin)).cloned().collect();
        if let Some(line) = missing.first().filter(|_| !self.blind) {
            let wanted = self.logs(line);
            self.found("log", &format!("{} lines are missing", missing.len()), None, Some(wanted));
        }
        self.logged = self.log.len();
        self.vm_ids_end();
    }

    /// A plugin's start is over. An instance that was started with another configuration replaces the others.
    fn configured(&mut self, instance: usize) {
        let plugin = self.instances[instance].plugin;
        if !self.instances[instance].started && self.step.is_some() {
            let others = self.instances.iter_mut().filter(|found| found.plugin == plugin);
            others.for_each(|found| found.stays_ended = true);
        }
        let found = &mut self.instances[instance];
        (found.started, found.stays_ended) = (true, false);
    }

    /// Whether a VM id has a plugin that runs or is to be started again.
    pub(super) fn has_plugins(&self, vm_id: &str) -> bool {
        let is_of_it = |number: &usize| self.scenario.plugins[self.instances[*number].plugin].settings.vm_id == vm_id;
        let mut all = (0..self.instances.len()).filter(is_of_it);
        all.any(|number| !self.instances[number].ended || self.restarts(number))
    }

    /// What the plugins of a VM id shared is removed with the last of them.
    fn vm_ids_end(&mut self) {
        let scenario = self.scenario.clone();
        let vm_ids = scenario.plugins.iter().map(|plugin| plugin.settings.vm_id.as_str());
        for vm_id in vm_ids.filter(|vm_id| !self.has_plugins(vm_id)).collect::<Vec<_>>() {
            self.shared.end(vm_id);
            self.queues.end(vm_id);
            self.metrics.end(vm_id);
        }
    }

    /// Checks that each plugin that was to be started again was.
    fn check_restarts(&mut self) {
        let is_late = |number: &usize| {
            let found = &self.instances[*number];
            found.ended
                && self.restarts(*number)
                && self.is_kept(*number)
                && found.crashes <= DOUBLED
                && found.crashed.1 + wait(found.crashes).1 < self.time.1
        };
        let late = (0..self.instances.len()).find(is_late).map(|number| self.instances[number].plugin);
        if late.is_some() {
            let wanted = Some(Wanted::Due("proxy_on_context_create"));
            self.found("a restart", "a plugin that has crashed is not started again", late, wanted);
        }
    }

    /// Checks that each context that is done was deleted.
    fn check_deleted(&mut self) {
        let over = |context: &Context| [State::Done, State::Logged].contains(&context.state);
        let live = self.instances.iter().filter(|found| !found.ended);
        let left = live.filter(|found| found.contexts.values().any(over)).map(|found| found.plugin).next();
        if left.is_some() {
            let name = "proxy_on_delete";
            self.found(name, "a context is done, but is not deleted", left, Some(Wanted::Due(name)));
        }
    }

    /// Whether the running callback creates a context of a stream that the step opens. What the step sends comes after it.
    pub(super) fn opens(&self, stream: u32) -> bool {
        let creates = self.frame.as_ref().is_some_and(|frame| frame.name == "proxy_on_context_create");
        let step = self.step.map(|step| &self.scenario.steps[step]);
        creates && step.is_some_and(|step| step.stream() == Some(stream))
    }

    /// The stream, and the place in its chain, that the running callback's calls act on.
    pub(super) fn here(&self) -> Option<(u32, usize)> {
        let frame = self.frame.as_ref()?;
        self.instances[frame.instance].contexts.get(&frame.effective)?.stream
    }
}

/// After how many crashes in a row the wait no longer doubles.
const DOUBLED: u32 = 6;

/// How long a plugin that has crashed waits at least and at most, in nanoseconds: half a second to a second after the first crash, and twice as long
/// with each further one in a row.
fn wait(crashes: u32) -> (u64, u64) {
    let most = 500_000_000 << crashes.clamp(1, DOUBLED);
    (most / 2, most)
}
