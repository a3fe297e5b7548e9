//! A run, as the model follows it: calls, crashes, and what reached the world.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use pw_abi::{Function, Returns, Version};
use pw_cases::data::Data;
use pw_cases::language::{self, text};
use pw_cases::scenario::{Failure, Scenario};
use pw_cases::script::{self, Act, Action, Allocation, Script};
use pw_cases::transcript::Event;

use super::call::{self, Call, Judged, Pointers};
use super::finding::{Wanted, Wrong, aspect, describe};
use super::instance::{exports, may, script};
use super::sections;
use super::state::{Frame, Model, OK, Verdict, frame_name};
use super::stream::Direction;
use crate::coverage::Coverage;
use crate::generate::{ALLOCATES, ALLOCATOR};

impl Model {
    /// A model of what the reference host does in a scenario.
    pub fn new(scenario: Arc<Scenario>) -> Model {
        let version = scenario.plugins.iter().find_map(script).map_or(Version::V0_2_1, |script| script.version);
        Model {
            scenario,
            version,
            instances: Vec::new(),
            vms: Vec::new(),
            chain: Vec::new(),
            canary: None,
            frame: None,
            pending: VecDeque::new(),
            streams: BTreeMap::new(),
            step: None,
            time: (0, 0),
            shared: Default::default(),
            queues: Default::default(),
            metrics: Default::default(),
            calls: Default::default(),
            log: Vec::new(),
            logged: 0,
            blind: false,
            findings: Vec::new(),
            called: Vec::new(),
            answers: Vec::new(),
            coverage: Coverage::default(),
        }
    }

    /// The run is over.
    pub fn end(mut self) -> Verdict {
        self.settle();
        let Model { findings, coverage, answers, called, .. } = self;
        Verdict { findings, coverage, answers, called }
    }

    /// A plugin has called the host, and the call is about to return with these core values. Calls that are not in the script are the
    /// probe's own.
    pub fn call(
        &mut self,
        instance: usize,
        function: &'static Function,
        lanes: &[u64],
        status: Option<u32>,
        memory: &[u8],
    ) {
        if self.frame.as_ref().is_none_or(|frame| frame.instance != instance) {
            return;
        }
        let scenario = self.scenario.clone();
        let Some(action) = self.due(&scenario).filter(|action| is(action, function)) else {
            return self.unscripted(instance, function, lanes, memory);
        };
        let Act::Call { lanes: written, .. } = &action.act else { return };
        let plugin = &scenario.plugins[self.instances[instance].plugin];
        let vm = self.instances[instance].vm;
        let Some(frame) = &mut self.frame else { return };
        frame.next += 1;
        frame.calls += 1;
        let allocates = function.params.iter().any(|param| param.out && param.lanes.len() == 2);
        let call = Call {
            function,
            lanes,
            status: status.unwrap_or(0),
            memory,
            memory_before: self.vms[vm].memory,
            script: written,
            version: self.version,
            limited: !plugin.settings.limits.is_empty(),
            may_lack_memory: allocates && script(plugin).is_some_and(|script| script.allocation != Allocation::Bump),
        };
        self.answers.push((action.id, Some(call.status)));
        self.coverage.call(function, call.status, frame.callback, self.version);
        self.vms[vm].memory = memory.len();
        if self.blind {
            return;
        }
        let judged = self.judge(instance, &call);
        if let Err(wrong) = judged.and_then(|()| call.untouched()) {
            let name = frame_name(&self.frame);
            let about = format!("{} {}", function.name, aspect(function, &wrong));
            let message = format!("{} in {name}: {}, but {}", function.name, describe(function, &wrong), wrong.actual);
            let plugin = Some(self.instances[instance].plugin);
            self.found(&about, &message, plugin, Some(Wanted::Answer(action.id, *wrong)));
        } else if allocates && call.allocated() {
            self.allocated(instance);
        }
    }

    /// The host got memory from the guest: from the newer of its allocators, which logs its first call.
    pub(in crate::model) fn allocated(&mut self, instance: usize) {
        let scenario = self.scenario.clone();
        let plugin = self.instances[instance].plugin;
        let logs = script(&scenario.plugins[plugin]).and_then(|script| allocator_actions(script).next());
        if let Some(id) = logs.filter(|_| !self.vms[self.instances[instance].vm].allocator_logged) {
            let actual = "the older was called".to_owned();
            let wanted = Wanted::Answer(id, Wrong { statuses: vec![OK], returned: None, actual, open: false });
            self.answers.push((id, None));
            let message = "the older allocator is called although there is the newer one";
            self.found("proxy_on_memory_allocate", message, Some(plugin), Some(wanted));
        }
    }

    pub(in crate::model) fn judge(&mut self, instance: usize, call: &Call<'_>) -> Judged {
        if call.overlaps() {
            self.blind = true;
            return Ok(());
        }
        // The arguments of a call that it may not make are not checked.
        if !may(&self.scenario.plugins[self.instances[instance].plugin], call.function.name) {
            return call.restricted();
        }
        match call.pointers() {
            Pointers::OutOfBounds if call.function.returns == Returns::Nothing => Ok(()),
            Pointers::OutOfBounds => call.is(&[call.fault()]),
            Pointers::Unspecified if call.status == call.fault() => Ok(()),
            _ => sections::judge(self, instance, call),
        }
    }

    /// The script's next action in the running callback.
    pub(in crate::model) fn due<'a>(&self, scenario: &'a Scenario) -> Option<&'a Action> {
        let frame = self.frame.as_ref()?;
        let script = script(&scenario.plugins[frame.script])?;
        script.entries[frame.callback].get(frame.entry)?.actions.get(frame.next)
    }

    /// A call that is not the script's next: the probe's report, or the log line of an allocator.
    pub(in crate::model) fn unscripted(&mut self, instance: usize, function: &Function, lanes: &[u64], memory: &[u8]) {
        let scenario = self.scenario.clone();
        let plugin = self.instances[instance].plugin;
        let Some(script) = script(&scenario.plugins[plugin]) else { return };
        let message = lanes.get(1).zip(lanes.get(2)).and_then(|(address, size)| call::range(memory, *address, *size));
        let logs = function.name == "proxy_log";
        if logs && !script.silent && message.is_some_and(|message| message.starts_with(b"pw ")) {
            return;
        }
        if logs && message == Some(ALLOCATES.as_bytes()) {
            self.answers.extend(allocator_actions(script).map(|id| (id, Some(OK))));
            self.vms[self.instances[instance].vm].allocator_logged = true;
            self.log.push((plugin, lanes[0] as u32, message.unwrap_or_default().to_vec()));
            return;
        }
        self.find("the probe", &format!("{} is called out of turn", function.name), Some(plugin));
    }

    /// The guest has crashed before the running callback returned.
    pub(in crate::model) fn trapped(&mut self, frame: Frame) {
        let scenario = self.scenario.clone();
        let instance = frame.instance;
        let plugin = self.instances[instance].plugin;
        self.frame = Some(frame);
        let due = self.due(&scenario);
        self.answers.extend(due.map(|action| (action.id, None)));
        let may_lack_memory =
            script(&scenario.plugins[plugin]).is_some_and(|script| script.allocation == Allocation::Trap);
        let wrong = match due.map(|action| &action.act) {
            Some(Act::Trap) => None,
            Some(Act::Call { function, .. }) if function.name == "proc_exit" => None,
            Some(Act::Call { function, .. }) if may_lack_memory && function.params.iter().any(|param| param.out) => {
                None
            }
            Some(Act::Call { function, .. }) => Some(function.name),
            None => Some("no call"),
        };
        if let Some(name) = wrong.filter(|_| !self.blind) {
            let promises = due.and_then(|action| match &action.act {
                Act::Call { function, .. } => {
                    Some(function.promises(self.version).map(|promise| promise.value).collect())
                }
                Act::Trap => None,
            });
            let wrong = Wrong {
                statuses: promises.unwrap_or_default(),
                returned: None,
                actual: "a trap".to_owned(),
                open: false,
            };
            let message = format!("{name} in {}: an answer, but the plugin ended", frame_name(&self.frame));
            let wanted = due.map(|action| Wanted::Answer(action.id, wrong));
            self.found(&format!("{name} traps"), &message, Some(plugin), wanted);
        }
        let opens = |model: &Model, number: usize| {
            scenario.plugins[model.instances[number].plugin].settings.failure == Failure::Open
        };
        let mut is_followed = false;
        if let Some(frame) = self.frame.take().filter(|_| opens(self, instance)) {
            // Without that callback it is not known which context belongs to which stream.
            let all_tell = scenario.plugins.iter().all(|plugin| exports(plugin, "proxy_on_context_create"));
            is_followed = all_tell && !frame.strays && frame.pending == self.pending.len();
            self.undo_properties(frame.properties);
            if let (Some((number, place, _)), Some([request, response])) = (frame.piece, frame.before)
                && let Some(stream) = self.streams.get_mut(&number)
            {
                stream.stage(Direction::Request, place).hold_again(request);
                stream.stage(Direction::Response, place).hold_again(response);
            }
        }
        let vm = self.instances[instance].vm;
        let shares = |number: &usize| self.instances[*number].vm == vm && !self.instances[*number].ended;
        let all: Vec<usize> = (0..self.instances.len()).filter(shares).collect();
        for number in all {
            let opens = opens(self, number);
            let found = &mut self.instances[number];
            found.crashes += 1;
            found.crashed = self.time;
            found.passes = is_followed && found.started && opens;
            self.ended(number);
            self.canary_has_crashed(number);
        }
    }

    /// An instance has ended, and gets no callbacks. Its streams go on without it, or can no longer be followed.
    pub(in crate::model) fn ended(&mut self, instance: usize) {
        self.instances[instance].end();
        self.queues.remove(instance);
        self.calls.remove(instance);
        if self.instances[instance].passes {
            return self.passes(instance);
        }
        self.streams
            .values_mut()
            .filter(|stream| stream.chain.contains(&instance))
            .for_each(|stream| stream.unfollowed = true);
    }

    /// Whether an instance that has ended may be started again.
    pub fn restarts(&self, instance: usize) -> bool {
        let found = &self.instances[instance];
        let reloads = self.scenario.plugins[found.plugin].settings.failure == Failure::Reload;
        reloads && found.started && !found.stays_ended
    }

    /// Something reached the world.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Log { plugin, level, message } => self.line(plugin, level, &message.0),
            Event::Upstream { stream, part } => self.came_out(*stream, Direction::Request, part),
            Event::Client { stream, part } => self.came_out(*stream, Direction::Response, part),
            Event::Metric { name, value } => self.metric(name, *value),
            _ => {}
        }
    }

    pub(in crate::model) fn line(&mut self, plugin: &str, level: &str, message: &[u8]) {
        let place = self.scenario.plugins.iter().position(|known| known.settings.name == plugin);
        let limited = place.is_some_and(|place| !self.scenario.plugins[place].settings.limits.is_empty());
        let reports =
            place.and_then(|place| script(&self.scenario.plugins[place])).is_some_and(|script| !script.silent);
        if self.blind || limited || reports && message.starts_with(b"pw ") {
            return;
        }
        let limits = |plugin: usize| !self.scenario.plugins[plugin].settings.limits.is_empty();
        while self.log.get(self.logged).is_some_and(|(plugin, ..)| limits(*plugin)) {
            self.logged += 1;
        }
        let level = pw_abi::LogLevel::TABLE.value(level);
        let due = self.log.get(self.logged).cloned();
        let expected = due.as_ref();
        let same = expected.is_some_and(|(by, at, line)| Some(*by) == place && Some(*at) == level && line == message);
        self.logged += 1;
        if !same {
            let expected =
                expected.map_or("none".to_owned(), |(_, _, line)| String::from_utf8_lossy(line).into_owned());
            let seen = String::from_utf8_lossy(message);
            let wanted = due.as_ref().map(|line| self.logs(line));
            self.found("log", &format!("the line {expected:?} was due, but {seen:?} came"), place, wanted);
        }
    }
}

impl Model {
    /// That a line is in the log.
    pub(in crate::model) fn logs(&self, (plugin, level, message): &(usize, u32, Vec<u8>)) -> Wanted {
        let name = text(&self.scenario.plugins[*plugin].settings.name);
        let level = pw_abi::LogLevel::TABLE.values.iter().find(|known| known.value == *level);
        let level = level.map_or(String::new(), |level| format!("level = \"{}\", ", level.name));
        let message = language::bytes(&Data::from(message.as_slice()));
        Wanted::Line(format!("log = [{{ plugin = {name}, {level}message = {message} }}]\n"))
    }
}

/// The ids of what the newer of a guest's two allocators does in its first call.
fn allocator_actions(script: &Script) -> impl Iterator<Item = u32> {
    let number = script::callback_number(ALLOCATOR).filter(|_| script.allocators.len() > 1);
    let entries = number.into_iter().flat_map(|number| &script.entries[number]);
    entries.flat_map(|entry| &entry.actions).map(|action| action.id)
}

fn is(action: &Action, function: &'static Function) -> bool {
    matches!(&action.act, Act::Call { function: due, .. } if std::ptr::eq(*due, function))
}
