//! One attack: each of its actions is done, and then everything must come to its end.

use std::time::Duration;

use pw_host::{Canary, GrpcEvent, Piece};

use super::generate;
use super::maps::{fields, piece_of, size, size_of};
use super::plan::{Action, Attack, Event, Map, Operation};
use super::world::{World, Wrong};

/// Runs the attack that the bytes stand for, and panics at a find.
pub fn attack(bytes: &[u8]) {
    let attack = generate::attack(bytes);
    if let Err(wrong) = run(&attack) {
        panic!("{wrong}\n{attack}");
    }
}

fn run(attack: &Attack) -> Result<(), Wrong> {
    let mut world = World::new(&attack.plugins)?;
    for (number, action) in attack.actions.iter().enumerate() {
        world.begin();
        act(&mut world, action).map_err(|wrong| format!("action {number}: {wrong}"))?;
        if number % 8 == 0 {
            world.visit().map_err(|wrong| format!("after action {number}: {wrong}"))?;
        }
    }
    world.finish().map_err(|wrong| format!("at the end: {wrong}"))
}

fn act(world: &mut World, action: &Action) -> Result<(), Wrong> {
    match action {
        Action::Add { plugin, times } => world.repeat(*times, |world| world.add(*plugin)),
        Action::Replace { target, plugin } => world.replace(*target, *plugin),
        Action::Canary { target, plugin, share, faults } => {
            world.canary(*target, *plugin, Canary { share: *share, faults: *faults })
        }
        Action::Operate { target, how } => {
            let Some(plugin) = world.plugin(*target) else { return Ok(()) };
            world.event("operate", |proxy| match how {
                Operation::Promote => proxy.promote(plugin),
                Operation::RollBack => proxy.roll_back(plugin),
                Operation::Retire => proxy.retire_plugin(plugin),
                Operation::Remove => proxy.remove_plugin(plugin),
                Operation::Terminate => proxy.terminate_plugin(plugin),
            })
        }
        Action::Guard(action) => world.guard(*action),
        Action::Open { chain, guard, tcp, times } => {
            world.repeat(*times, |world| world.open(chain, *guard, *tcp).map(drop))
        }
        Action::Piece { stream, request, piece, end, times } => {
            let Some(stream) = nth(&world.streams, *stream) else { return Ok(()) };
            let (piece, size) = made(world, size_of(piece), || piece_of(piece, *end))?;
            world.repeat(*times, |world| {
                world.give(size, 1);
                let piece = piece.clone();
                world.event("piece", |proxy| match request {
                    true => proxy.request(stream, piece),
                    false => proxy.response(stream, piece),
                })
            })
        }
        Action::Flood { chain, pieces, size, continues, how } => {
            let stream = world.open(chain, None, false)?;
            world.event("request", |proxy| proxy.request(stream, Piece::headers(fields(Map::Request), false)))?;
            world.repeat(*pieces, |world| {
                world.give(*size, 1);
                world.event("piece", |proxy| proxy.request(stream, Piece::body(vec![b'a'; *size], false)))
            })?;
            let target = chain.first().copied().unwrap_or(0);
            if *continues {
                act(world, &Action::Foreign { target, size: 0, times: 1 })?;
            }
            act(world, &Action::Operate { target, how: *how })
        }
        Action::Exchange { chain, guard, body } => exchange(world, chain, *guard, *body),
        Action::Reset { stream, by_client } => {
            let Some(stream) = nth(&world.streams, *stream) else { return Ok(()) };
            world.event("reset", |proxy| match by_client {
                true => proxy.downstream_reset(stream),
                false => proxy.upstream_reset(stream),
            })
        }
        Action::Advance { nanoseconds } => {
            world.event("advance", |proxy| proxy.advance(Duration::from_nanos(*nanoseconds)))
        }
        Action::Settle => world.settle(20),
        Action::Answer { call, headers, body, trailers } => {
            let Some(call) = nth(&world.calls, *call) else { return Ok(()) };
            let bytes = size(*headers) + size(*trailers) + body;
            let (headers, trailers) = made(world, bytes, || (fields(*headers), fields(*trailers)))?;
            let body = vec![0; *body];
            world.event("answer", |proxy| proxy.http_call_response(call, headers, body, trailers))
        }
        Action::Fail { call } => {
            let Some(call) = nth(&world.calls, *call) else { return Ok(()) };
            world.event("fail", |proxy| proxy.http_call_failed(call))
        }
        Action::Grpc { call, event, times } => {
            let Some(call) = nth(&world.grpc_calls, *call) else { return Ok(()) };
            let bytes = match event {
                Event::InitialMetadata(map) | Event::TrailingMetadata(map) => size(*map),
                Event::Message(size) => *size,
                Event::Closed(_) => 4,
            };
            let (event, size) = made(world, bytes, || match event {
                Event::InitialMetadata(map) => (GrpcEvent::InitialMetadata(fields(*map).into()), size(*map)),
                Event::TrailingMetadata(map) => (GrpcEvent::TrailingMetadata(fields(*map).into()), size(*map)),
                Event::Message(size) => (GrpcEvent::Message(vec![0; *size].into()), *size),
                Event::Closed(status) => (GrpcEvent::Closed { status: *status, message: "over".to_owned() }, 4),
            })?;
            world.repeat(*times, |world| {
                world.give(size, 1);
                let event = event.clone();
                world.event("gRPC", |proxy| proxy.grpc_event(call, event))
            })
        }
        Action::Foreign { target, size, times } => {
            let Some(plugin) = world.plugin(*target) else { return Ok(()) };
            let arguments = bytes::Bytes::from(vec![0; *size]);
            world.repeat(*times, |world| {
                world.give(*size, 1);
                let arguments = arguments.clone();
                world.event("foreign function", |proxy| proxy.foreign_function(plugin, 1, arguments))
            })
        }
        Action::Drain(drains) => {
            world.drains = *drains;
            if *drains { world.drain() } else { Ok(()) }
        }
    }
}

fn exchange(world: &mut World, chain: &[usize], guard: Option<usize>, body: usize) -> Result<(), Wrong> {
    let stream = world.open(chain, guard, false)?;
    world.give(2 * body + 1000, 8);
    world.event("request", |proxy| proxy.request(stream, Piece::headers(fields(Map::Request), body == 0)))?;
    if body > 0 {
        world.event("request body", |proxy| proxy.request(stream, Piece::body(vec![b'a'; body], false)))?;
        world.event("request trailers", |proxy| proxy.request(stream, Piece::trailers([("x-a", "1")])))?;
    }
    world.event("response", |proxy| proxy.response(stream, Piece::headers([(":status", "200")], body == 0)))?;
    if body > 0 {
        world.event("response body", |proxy| proxy.response(stream, Piece::body(vec![b'a'; body], true)))?;
    }
    Ok(())
}

/// Something that a peer sends, whose maps the host makes too.
fn made<T>(world: &mut World, bytes: usize, make: impl FnOnce() -> T) -> Result<T, Wrong> {
    world.give(bytes, 1);
    world.event("a peer's fields", |_| make())
}

/// One of those that there were, or none if there were none.
fn nth<'a, T: Copy + 'a>(from: impl IntoIterator<Item = &'a T> + Clone, number: usize) -> Option<T> {
    let count = from.clone().into_iter().count();
    // The last ones are the likeliest to be there still.
    from.into_iter().nth((count.max(1) - 1).saturating_sub(number % count.max(1))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_do_something() {
        let attacks: Vec<Attack> = crate::judged::inputs(200).map(|bytes| generate::attack(&bytes)).collect();
        let actions: usize = attacks.iter().map(|attack| attack.actions.len()).sum();
        assert!(actions > 1000, "{actions}");
        attacks.iter().take(40).for_each(|attack| run(attack).unwrap_or_else(|wrong| panic!("{wrong}\n{attack}")));
    }
}
