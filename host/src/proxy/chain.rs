//! The places of a stream's chain, and what ties them to the contexts of plugins. Calls nothing that calls plugins.

use std::collections::{BTreeMap, VecDeque};

use super::Proxy;
use crate::config::StreamInfo;
use crate::effect::{Effect, Piece};
use crate::ids::{PluginId, StreamId};
use crate::state::{Direction, Filter, MIN_CAPACITY, Message, Protocol, Shadow, Stage, State, Stream, Work};

/// Registers a stream, with ids for its plugins' contexts; a log-only plugin has one only in its copy.
pub(super) fn insert(
    proxy: &mut Proxy,
    plugins: &[PluginId],
    info: StreamInfo,
    protocol: Protocol,
    shadow: Option<Shadow>,
) -> StreamId {
    let state = proxy.state();
    let id = StreamId { index: state.streams.vacant_key(), serial: state.next_serial, shadow: shadow.is_some() };
    state.next_serial += 1;
    let mut filters = Vec::with_capacity(plugins.len());
    for plugin in plugins {
        let (mut gone, mut context, mut incarnation) = (true, 0, 0);
        if let Some(owner) = state.plugins.get_mut(*plugin) {
            owner.places += 1;
            incarnation = owner.incarnation;
            gone = owner.vm.is_none() || owner.removed || owner.log_only && shadow.is_none();
        }
        if !gone {
            context = state.new_context(*plugin);
        }
        filters.push(Filter {
            plugin: *plugin,
            context,
            incarnation,
            gone,
            shadow: None,
            properties_size: 0,
            request: Stage::default(),
            response: Stage::default(),
        });
    }
    state.streams.insert(Stream {
        id,
        protocol,
        info,
        started: state.now,
        filters,
        request: Message::default(),
        response: Message::default(),
        local: None,
        answered: false,
        buffered: None,
        closed: false,
        properties: Default::default(),
        ended: 0,
        backlog: 0,
        reset: false,
        client_gone: false,
        over: false,
        shadow,
    });
    id
}

/// The same, as entries before all that are due.
pub(super) fn release_in_turn(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) {
    let Some(stage) = stage(proxy, stream, direction, nth) else { return };
    let waiting = stage.has_waiting();
    let mut charges = stage.charges();
    let pieces = stage.release();
    let agenda = &mut proxy.state().agenda;
    if waiting {
        agenda.first([Work::Waiting { stream, direction, nth }]);
    }
    // The last piece, whose entry is put in front first, carries the charges.
    for piece in pieces.into_iter().flatten().rev() {
        let charges = std::mem::take(&mut charges);
        agenda.first([Work::Piece { stream, direction, nth: nth + 1, piece, charges }]);
    }
}

/// Whether the `nth` plugin of a direction is its last.
pub(super) fn is_last(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) -> bool {
    proxy.state().find(stream).is_some_and(|found| found.place(nth + 1, direction).is_none())
}

/// What is held at the `nth` plugin of a direction.
pub(super) fn stage(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) -> Option<&mut Stage> {
    Some(filter_at(proxy, stream, direction, nth)?.stage(direction))
}

/// The `nth` place of a direction.
pub(super) fn filter_at(proxy: &mut Proxy, stream: StreamId, direction: Direction, nth: usize) -> Option<&mut Filter> {
    let found = proxy.state().find(stream)?;
    let place = found.place(nth, direction)?;
    found.filters.get_mut(place)
}

/// The effect that sends a piece at the end of the chain.
pub(super) fn effect(stream: StreamId, direction: Direction, piece: Piece) -> Effect {
    match direction {
        Direction::Request => Effect::Upstream { stream, piece },
        Direction::Response => Effect::Downstream { stream, piece },
    }
}

/// The plugin at a place of a stream's chain, and its context there, unless it was detached or never got the context.
pub(super) fn context_at(proxy: &mut Proxy, stream: StreamId, place: usize) -> Option<(PluginId, u32)> {
    let state = proxy.state();
    let filter = state.find(stream)?.filters.get(place).filter(|filter| !filter.gone)?;
    let (plugin, context) = (filter.plugin, filter.context);
    state.plugins.get(plugin)?.contexts.contains_key(&context).then_some((plugin, context))
}

/// The context of a stream is about to be logged: what its plugin still holds was perhaps changed in `proxy_on_done`.
pub(super) fn keep_held(proxy: &mut Proxy, plugin: PluginId, context: u32) {
    let state = proxy.state();
    let known = state.plugins.get(plugin).and_then(|found| found.contexts.get(&context)?.stream);
    let found = known.and_then(|(stream, place)| Some((state.streams.get_mut(stream)?, place)));
    let Some((stream, place)) = found else { return };
    for direction in [Direction::Request, Direction::Response] {
        if stream.filters[place].stage(direction).phase.is_some() {
            stream.keep_held(direction);
        }
    }
}

/// A plugin's context in a stream that is over has ended: what is buffered there is dropped, as is the place, because the context's
/// id may be reused when the plugin is restarted.
pub(super) fn clear(proxy: &mut Proxy, index: usize, place: usize) {
    let found = proxy.state().streams.get_mut(index).filter(|found| found.over);
    if let Some(filter) = found.and_then(|found| found.filters.get_mut(place)) {
        filter.gone = true;
        filter.request.clear();
        filter.response.clear();
    }
}

/// Removes a stream that is over if none of its contexts is left.
pub(super) fn remove_if_ended(proxy: &mut Proxy, index: usize) {
    let state = proxy.state();
    let Some(found) = state.streams.get(index).filter(|found| found.over) else { return };
    let has = |filter: &Filter| {
        state.plugins.get(filter.plugin).is_some_and(|plugin| plugin.contexts.contains_key(&filter.context))
    };
    let lives = |filter: &Filter| !filter.gone && has(filter);
    // Contexts end in the order of the chain, and an ended one stays ended.
    let ended = found.filters[found.ended..].iter().position(lives);
    if let Some(more) = ended {
        let ended = found.ended + more;
        if let Some(found) = state.streams.get_mut(index) {
            found.ended = ended;
        }
    } else {
        let removed = state.streams.remove(index);
        if state.streams.is_empty() && state.streams.capacity() > MIN_CAPACITY {
            state.streams.shrink_to_fit();
        }
        for filter in &removed.filters {
            if let Some(plugin) = state.plugins.get_mut(filter.plugin) {
                plugin.places -= 1;
                state.plugins.free(filter.plugin);
            }
        }
        if !removed.id.shadow {
            state.effect(Effect::StreamEnded { stream: removed.id });
        }
    }
}

/// A plugin has crashed or ended: marks its places in all streams, and returns them by stream.
pub(super) fn detach_plugin(proxy: &mut Proxy, plugin: PluginId) -> VecDeque<(StreamId, Vec<usize>)> {
    let State { plugins, streams, .. } = proxy.state();
    let mut left: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let contexts = plugins.get(plugin).into_iter().flat_map(|plugin| plugin.contexts.values());
    contexts
        .filter_map(|context| context.stream)
        .for_each(|(stream, place)| left.entry(stream).or_default().push(place));
    let places = left.into_iter().filter_map(|(index, places)| {
        let stream = streams.get_mut(index)?;
        places.iter().for_each(|place| stream.filters[*place].gone = true);
        Some((stream.id, places))
    });
    places.collect()
}
