//! Brings a case to a version of the ABI: names become rows of the table, arguments become lanes, what the guest does
//! becomes scripts. No name is compared after this.

mod lanes;
mod size;

use std::collections::{BTreeMap, BTreeSet};

use pw_abi::{Function, Kind, Param, Version};

pub use self::lanes::{Acceptable, out_lanes, region};
use self::lanes::{acceptable, number, result_bits};
use crate::case::{Case, CaseStep, Does, GuestDoes, Module, Plugin};
use crate::data::Data;
use crate::format::{self, Complaint, Node, Read, Value, meant};
use crate::language;
use crate::probe;
use crate::scenario::{self, Guest, Scenario};
use crate::script::{self, Act, Action, Entry, Form, Lane, Out, PLUGIN_CONTEXT, REGISTERS, STREAM_CONTEXT, Script};

const TICK: &str = "proxy_on_tick";

/// A case for one version.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// What happens.
    pub scenario: Scenario,
    /// What the scripts' calls are expected to answer.
    pub calls: Vec<CallCheck>,
}

/// What an action of a script is expected to answer.
#[derive(Clone, Debug)]
pub struct CallCheck {
    /// The action's number.
    pub action: u32,
    /// The line of the case file.
    pub line: usize,
    /// The plugin.
    pub plugin: String,
    /// The callback in which the action is due.
    pub callback: &'static str,
    /// The function; none where the guest traps.
    pub function: Option<&'static Function>,
    /// The acceptable answers.
    pub accept: Vec<Acceptable>,
    /// The numbers to keep: returned value and name.
    pub save: Vec<(String, String)>,
    /// The host may leave the callback out.
    pub optional: bool,
    /// The number of the step in which it is due, counted from 1; 0 is the start. None if the callback may come later.
    pub step: Option<usize>,
}

impl Case {
    /// The case for `version`, or what in the file cannot be.
    pub fn lower(&self, version: Version) -> Read<Lowered> {
        size::steps(self)?;
        let mut lowering = Lowering::new(self, version)?;
        for step in &self.steps {
            lowering.step(step)?;
        }
        let Lowering { scripts, calls, .. } = lowering;
        size::ticks(self, &scripts)?;
        size::scripts(self, &scripts)?;
        let homes = self.plugins.iter().enumerate().map(|(index, plugin)| (plugin, plugin.home.unwrap_or(index)));
        let plugins = homes.map(|(plugin, home)| lower_plugin(plugin, scripts[home].clone(), version));
        let scenario = Scenario {
            plugins: plugins.collect::<Read<_>>()?,
            steps: self.steps.iter().filter_map(|step| step.step.clone()).collect(),
            hazard: self.hazard,
            http1: self.http1,
            choices: self.choices.clone(),
        };
        Ok(Lowered { scenario, calls })
    }
}

fn lower_plugin(plugin: &Plugin, script: Script, version: Version) -> Read<scenario::Plugin> {
    let guest = match &plugin.module {
        None => Guest::Probe(script),
        Some(Module::Binary { bytes, .. }) => Guest::Module(bytes.clone()),
        Some(Module::Text { name, text }) => match probe::assemble(&text.replace("$marker", version.marker())) {
            Ok(bytes) => Guest::Module(bytes),
            Err(error) => return complain(plugin.line, format!("the module {name} is not valid text: {error}")),
        },
    };
    Ok(scenario::Plugin { settings: plugin.settings.clone(), guest })
}

struct Lowering<'a> {
    version: Version,
    plugins: &'a [Plugin],
    /// By plugin; that of one which shares another's VM is not used.
    scripts: Vec<Script>,
    /// By plugin; a standby is not yet.
    at_work: Vec<bool>,
    calls: Vec<CallCheck>,
    /// The names under which numbers are kept, and the VMs in which that is, by their first plugins; all VMs have the first few.
    registers: BTreeMap<String, (u32, Option<BTreeSet<usize>>)>,
    /// The VM of the plugin whose block is read.
    home: usize,
    /// The plugins and callbacks that have an optional block, with its line.
    optional: BTreeMap<(usize, usize), usize>,
    /// The number of the step.
    now: usize,
}

impl<'a> Lowering<'a> {
    fn new(case: &'a Case, version: Version) -> Read<Lowering<'a>> {
        let mut registers: BTreeMap<String, (u32, Option<BTreeSet<usize>>)> =
            (0..5).map(|number| (format!("arg{number}"), (number, None))).collect();
        registers.insert("plugin_context".to_owned(), (PLUGIN_CONTEXT, None));
        registers.insert("stream_context".to_owned(), (STREAM_CONTEXT, None));
        let mut scripts = case.plugins.iter().map(|plugin| empty_script(plugin, version)).collect::<Read<Vec<_>>>()?;
        for (home, script) in scripts.iter_mut().enumerate() {
            let members: Vec<_> = members(&case.plugins, home).map(|member| &case.plugins[member].settings).collect();
            script.members(&scenario::roots(&members, case.steps.iter().filter_map(|step| step.step.as_ref())));
        }
        for (index, plugin) in case.plugins.iter().enumerate() {
            if case.plugins[..index].iter().any(|other| other.settings.name == plugin.settings.name) {
                return complain(plugin.line, format!("two plugins are called `{}`", plugin.settings.name));
            }
        }
        let at_work = case.plugins.iter().map(|plugin| !plugin.settings.standby).collect();
        Ok(Lowering {
            version,
            plugins: &case.plugins,
            scripts,
            at_work,
            calls: Vec::new(),
            registers,
            home: 0,
            optional: BTreeMap::new(),
            now: 0,
        })
    }

    /// A step's own callback has an entry in every script at work for which the step does not expect that it never comes, so that the
    /// n-th entry is for the n-th such step; ticks come as they like, so that only scripted ones count.
    fn step(&mut self, step: &CaseStep) -> Read<()> {
        let caused = step.step.as_ref().and_then(|step| language::of(step).callback).filter(|name| *name != TICK);
        let caused = caused.and_then(script::callback_number);
        self.now += usize::from(step.step.is_some());
        let mut places: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut optional = Vec::new();
        if let Some(callback) = caused {
            let called = |plugin: &usize| self.at_work[*plugin] && !is_never(step, &self.plugins[*plugin], callback);
            for plugin in (0..self.plugins.len()).filter(called).collect::<Vec<_>>() {
                places.insert((plugin, callback), self.entry(plugin, callback)?);
            }
        }
        for does in &step.guest {
            let plugin = self.plugin(does)?;
            let name = does.callback.text()?;
            let row = pw_abi::callback(self.version, name);
            let Some((row, callback)) = row.zip(script::callback_number(name)) else {
                let known = pw_abi::callbacks(self.version).map(|row| row.name).collect::<Vec<_>>();
                let meant = meant(name, known.into_iter());
                return does.callback.complain(format!("no callback `{name}` in ABI v{}{meant}", self.version));
            };
            if row.section == "integration" && row.name != probe::INITIALIZE {
                return does.callback.complain(format!("the probe has no `{name}`: give the plugin another module"));
            }
            let place = match places.get(&(plugin, callback)) {
                Some(place) => *place,
                None => self.entry(plugin, callback)?,
            };
            places.insert((plugin, callback), place);
            self.does(does, plugin, row, (callback, place))?;
            optional.extend(does.optional.then_some(((plugin, callback), does.line)));
        }
        self.optional.extend(optional);
        if let Some(scenario::Step::Replace { by, .. } | scenario::Step::Canary { by, .. }) = &step.step {
            for (plugin, at_work) in self.plugins.iter().zip(&mut self.at_work) {
                *at_work |= plugin.settings.name == *by;
            }
        }
        Ok(())
    }

    fn plugin(&self, does: &GuestDoes) -> Read<usize> {
        let index = match &does.plugin {
            None => 0,
            Some(node) => {
                let name = node.text()?;
                let found = self.plugins.iter().position(|plugin| plugin.settings.name == name);
                let names = self.plugins.iter().map(|plugin| plugin.settings.name.as_str());
                found.map_or_else(|| node.complain(format!("no plugin `{name}`{}", meant(name, names))), Ok)?
            }
        };
        if self.plugins[index].module.is_some() {
            return complain(does.line, "only the probe can be scripted, and this plugin has its own module");
        }
        Ok(index)
    }

    fn does(
        &mut self,
        does: &GuestDoes,
        plugin: usize,
        row: &'static pw_abi::Callback,
        at: (usize, usize),
    ) -> Read<()> {
        let id = self.calls.len() as u32;
        self.home = self.plugins[plugin].home.unwrap_or(plugin);
        if self.entries(plugin, at.0)[at.1].result.is_some() {
            return complain(
                does.line,
                format!("{} has returned already in this step: put this before `returns`", row.name),
            );
        }
        let act = match &does.what {
            Does::Returns(node) => {
                let result = result_bits(node, row)?;
                self.entries(plugin, at.0)[at.1].result = Some(result);
                return Ok(());
            }
            Does::Trap => {
                let trap = Acceptable { status: None, returned: Vec::new(), answer: "TRAP".to_owned() };
                self.check(does, plugin, row.name, None, vec![trap], Vec::new());
                Act::Trap
            }
            Does::Call { function, args, accept, save } => {
                let row_called = self.function(function)?;
                let (lanes, mut outs) = self.lanes(does.line, row_called, args)?;
                let save =
                    save.iter().map(|(value, name)| self.save(&mut outs, value, name)).collect::<Read<Vec<_>>>()?;
                let says = accept.iter().any(|accept| !accept.returned.is_empty());
                let accept: Vec<_> =
                    accept.iter().map(|accept| acceptable(accept, row_called, &outs)).collect::<Read<_>>()?;
                if says && accept.iter().all(|accept| accept.returned.is_empty()) {
                    return complain(
                        does.line,
                        "what a call that fails returns is not judged: leave it out, or say it in `accept` with an `answer`",
                    );
                }
                self.check(does, plugin, row.name, Some(row_called), accept, save);
                Act::Call { function: row_called, lanes, outs }
            }
        };
        self.entries(plugin, at.0)[at.1].actions.push(Action { id, act });
        Ok(())
    }

    /// A new entry, for the next call of a callback.
    fn entry(&mut self, plugin: usize, callback: usize) -> Read<usize> {
        if let Some(line) = self.optional.get(&(plugin, callback)) {
            return complain(
                *line,
                "an optional callback must be the plugin's last one of that name: which of two comes is not known",
            );
        }
        let entries = self.entries(plugin, callback);
        entries.push(Entry::default());
        Ok(entries.len() - 1)
    }

    /// What a plugin does in a callback.
    fn entries(&mut self, plugin: usize, callback: usize) -> &mut Vec<Entry> {
        let home = self.plugins[plugin].home.unwrap_or(plugin);
        let member = members(self.plugins, home).position(|member| member == plugin).unwrap_or(0);
        self.scripts[home].of(member, callback)
    }

    fn check(
        &mut self,
        does: &GuestDoes,
        plugin: usize,
        callback: &'static str,
        function: Option<&'static Function>,
        accept: Vec<Acceptable>,
        save: Vec<(String, String)>,
    ) {
        let plugin = self.plugins[plugin].settings.name.clone();
        self.calls.push(CallCheck {
            action: self.calls.len() as u32,
            line: does.line,
            plugin,
            callback,
            function,
            accept,
            save,
            optional: does.optional,
            // Time passes on a real host in every step.
            step: (does.caused && callback != TICK).then_some(self.now),
        });
    }

    fn function(&self, node: &Node) -> Read<&'static Function> {
        let name = node.text()?;
        if let Some(row) = pw_abi::host_function(self.version, name) {
            return Ok(row);
        }
        let elsewhere = Version::ALL.into_iter().filter(|version| pw_abi::host_function(*version, name).is_some());
        let elsewhere: Vec<&str> = elsewhere.map(Version::name).collect();
        if !elsewhere.is_empty() {
            let versions = elsewhere.join(", ");
            return node.complain(format!(
                "no function `{name}` in ABI v{}, only in {versions}: say so by `abi`",
                self.version
            ));
        }
        let names = pw_abi::host_functions(self.version).map(|row| row.name).collect::<Vec<_>>();
        node.complain(format!("no function `{name}` in ABI v{}{}", self.version, meant(name, names.into_iter())))
    }

    fn lanes(&self, line: usize, row: &'static Function, args: &[(String, Node)]) -> Read<(Vec<Lane>, Vec<Out>)> {
        let is_given = |param: &Param| !param.out && param.kind != Kind::Address;
        let known = |name: &str| {
            row.params.iter().any(|param| param.lanes.contains(&name) || is_given(param) && param.name == name)
        };
        if let Some((name, node)) = args.iter().find(|(name, _)| !known(name)) {
            let names = row.params.iter().filter(|param| is_given(param)).map(|param| param.name);
            return node.complain(format!("{} has no parameter `{name}`{}", row.name, meant(name, names)));
        }
        let arg = |name: &str| args.iter().find(|(known, _)| known == name).map(|(_, node)| node);
        let mut lanes = Vec::new();
        let mut outs = Vec::new();
        for param in row.params {
            let own: Vec<Option<&Node>> = param.lanes.iter().map(|lane| arg(lane)).collect();
            if param.out || matches!(param.kind, Kind::Address) {
                let own: Vec<Option<u32>> =
                    own.iter().map(|node| node.map(format::address).transpose()).collect::<Read<_>>()?;
                out_lanes(param, &own, &mut lanes, &mut outs);
                continue;
            }
            match (arg(param.name), own.as_slice()) {
                (_, [Some(one), Some(other)]) => lanes.extend([self.raw(one)?, self.raw(other)?]),
                (Some(node), _) => lanes.extend(self.value(node, param.kind)?),
                (None, [Some(one)]) => lanes.push(self.raw(one)?),
                (None, own) => {
                    let lane = param.lanes.iter().zip(own).find_map(|(lane, node)| node.map(|node| (lane, node)));
                    if let Some((lane, node)) = lane {
                        return node.complain(format!("`{lane}` is one half of `{0}`: write `{0}`", param.name));
                    }
                    return complain(line, format!("{} needs the argument `{}`", row.name, param.name));
                }
            }
        }
        if row.params.iter().any(|param| param.kind == Kind::Writes) {
            outs.extend(region(row, &lanes));
        }
        Ok((lanes, outs))
    }

    fn raw(&self, node: &Node) -> Read<Lane> {
        match self.register(node)? {
            Some(register) => Ok(register),
            None => format::address(node).map(|address| Lane::Bits(address.into())),
        }
    }

    fn register(&self, node: &Node) -> Read<Option<Lane>> {
        let Value::Table(entries) = &node.value else { return Ok(None) };
        let Some((_, name)) = entries.iter().find(|(key, _)| key == "saved") else { return Ok(None) };
        let name_text = name.text()?;
        match self.registers.get(name_text) {
            Some((_, Some(homes))) if !homes.contains(&self.home) => {
                let others: Vec<&str> = homes.iter().map(|home| self.plugins[*home].settings.name.as_str()).collect();
                name.complain(format!(
                    "`{name_text}` was saved by plugin `{}`: what a plugin saves only the plugins of its VM can use",
                    others.join("`, `")
                ))
            }
            Some((register, _)) => Ok(Some(Lane::Register(*register))),
            None => {
                let names = self.registers.keys().map(String::as_str);
                name.complain(format!("nothing was saved as `{name_text}` before{}", meant(name_text, names)))
            }
        }
    }

    fn value(&self, node: &Node, kind: Kind) -> Read<Vec<Lane>> {
        if let Some(register) = self.register(node)? {
            return Ok(vec![register]);
        }
        if let Value::Table(entries) = &node.value
            && entries.iter().any(|(key, _)| key == "address")
        {
            let table = node.table(&["address", "size"])?;
            let (address, size) = (format::address(table.need("address")?)?, table.need("size")?);
            return Ok(vec![Lane::Bits(address.into()), Lane::Bits(size.number::<i64>()? as u32 as u64)]);
        }
        let bytes = |data: Data| vec![Lane::Address(data.clone()), Lane::Bits(data.0.len() as u64)];
        Ok(match kind {
            Kind::Bytes => bytes(format::data(node)?),
            Kind::Path => bytes(format::path(node)?),
            Kind::Pairs => bytes(format::pairs(node)?),
            Kind::Iovecs => {
                let pieces = node.list()?.iter().map(format::data).collect::<Read<Vec<_>>>()?;
                let count = pieces.len() as u64;
                vec![Lane::Iovecs(pieces), Lane::Bits(count)]
            }
            _ => vec![Lane::Bits(number(node, kind)?)],
        })
    }

    fn save(&mut self, outs: &mut [Out], value: &str, name: &Node) -> Read<(String, String)> {
        let text = name.text()?;
        let Some(out) =
            outs.iter_mut().find(|out| out.name == value && matches!(out.form, Form::Word(_) | Form::Double(_)))
        else {
            let numbers = outs.iter().filter(|out| matches!(out.form, Form::Word(_) | Form::Double(_)));
            let names: Vec<&str> = numbers.map(|out| out.name).collect();
            return name.complain(format!("the call returns no number `{value}`{}", meant(value, names.into_iter())));
        };
        let next = self.registers.len() as u32;
        let (register, homes) = self.registers.entry(text.to_owned()).or_insert((next, Some(BTreeSet::new())));
        let Some(homes) = homes else {
            return name.complain(format!("`{text}` is always there: choose another name"));
        };
        homes.insert(self.home);
        let register = *register;
        if register >= REGISTERS {
            return name.complain("too many names to save numbers under");
        }
        out.save = Some(register);
        Ok((value.to_owned(), text.to_owned()))
    }
}

/// Whether a step expects that a plugin does not get the callback which it causes.
fn is_never(step: &CaseStep, plugin: &Plugin, callback: usize) -> bool {
    let never = step.expect.never.iter().flat_map(|(_, names)| names);
    never.into_iter().any(|name| match name.split_once('/') {
        Some((owner, name)) => owner == plugin.settings.name && script::callback_number(name) == Some(callback),
        None => script::callback_number(name) == Some(callback),
    })
}

/// The plugins that live in a plugin's VM, in their order.
fn members(plugins: &[Plugin], home: usize) -> impl Iterator<Item = usize> {
    let lives = move |(index, plugin): &(usize, &Plugin)| *index == home || plugin.home == Some(home);
    plugins.iter().enumerate().filter(lives).map(|(index, _)| index)
}

fn empty_script(plugin: &Plugin, version: Version) -> Read<Script> {
    let name = |node: &Node| {
        let name = node.text()?;
        match script::callbacks().find(|row| row.name == name) {
            Some(row) => Ok(row.name),
            None => node
                .complain(format!("unknown callback `{name}`{}", meant(name, script::callbacks().map(|row| row.name)))),
        }
    };
    let mut script = Script::new(version);
    script.without = plugin.without.iter().map(name).collect::<Read<_>>()?;
    if let Some(allocators) = &plugin.allocators {
        script.allocators = allocators.iter().map(name).collect::<Read<_>>()?;
    }
    script.allocation = plugin.allocation;
    script.report_allocations = plugin.report_allocations;
    Ok(script)
}

fn complain<T>(line: usize, message: impl Into<String>) -> Read<T> {
    Err(Complaint { line, message: message.into() })
}
