//! Every pointer of every function, pointing past the end, wrapping around, or at nothing.

use pw_abi::{Function, Kind, Param, Returns};

use crate::generate::{Call, Draft, any_answer, functions, promises, valid};

const EMPTY: &str =
    "Is an address that lies outside of the memory, or is 0, invalid where no byte is read from it or written to it?";
const DOUBTFUL: &str =
    "Which status has a call with a bad pointer whose arguments also name something that the host need not have?";

/// The cases: of bad pointers that the specification decides, of bad pointers that it does not, of pointers to nothing.
pub(super) fn drafts() -> Vec<Draft> {
    functions().flat_map(|row| [decided(row), doubtful(row), empty(row)]).flatten().collect()
}

/// What is put in place of a parameter's valid value.
struct Hostile {
    param: &'static Param,
    /// Lanes or the parameter, with what they are given.
    args: Vec<(&'static str, String)>,
    /// The place, in words.
    place: &'static str,
}

impl Hostile {
    fn call(&self, row: &Function) -> String {
        let args: Vec<(&str, &str)> = self.args.iter().map(|(name, value)| (*name, value.as_str())).collect();
        valid::call(row, &args)
    }
}

fn decided(row: &'static Function) -> Option<Draft> {
    let status = fault(row);
    let of = |hostile: &Hostile| {
        is_decided(row, hostile.param).then(|| hostile.call(row) + &format!("expect = \"{status}\"\n"))
    };
    let title = format!("{} refuses pointers that lead out of the memory", row.name);
    draft(row, "pointers", title, format!("{}/{status}", row.name), None, calls(row, bad, of))
}

fn doubtful(row: &'static Function) -> Option<Draft> {
    let of = |hostile: &Hostile| (!is_decided(row, hostile.param)).then(|| hostile.call(row) + &open(row, hostile));
    let title = format!("{} refuses a bad pointer, or says what else is wrong", row.name);
    draft(row, "doubtful_pointers", title, row.name.to_owned(), Some(DOUBTFUL), calls(row, bad, of))
}

fn empty(row: &'static Function) -> Option<Draft> {
    let of = |hostile: &Hostile| Some(hostile.call(row) + &open(row, hostile));
    let title = format!("{} accepts or refuses addresses after the memory and at 0 where their size is 0", row.name);
    draft(row, "empty_pointers", title, row.name.to_owned(), Some(EMPTY), calls(row, nothing, of))
}

fn draft(
    row: &'static Function,
    kind: &str,
    title: String,
    clause: String,
    question: Option<&'static str>,
    calls: Vec<Call>,
) -> Option<Draft> {
    let id = format!("generated/{kind}/{}", row.name);
    let context = valid::of(row).context()?;
    Some(Draft {
        id,
        title,
        clauses: vec![clause],
        question,
        versions: row.versions,
        context,
        calls,
        expect: "",
        hazard: false,
        every_function: false,
    })
}

/// The calls, each after what it needs.
fn calls(
    row: &'static Function,
    hostile: fn(&'static Function, &'static Param) -> Vec<Hostile>,
    text: impl Fn(&Hostile) -> Option<String>,
) -> Vec<Call> {
    let hostile = row.params.iter().flat_map(|param| hostile(row, param));
    let call = |hostile: Hostile| {
        let texts = [valid::of(row).before(), vec![text(&hostile)?]].concat();
        Some(Call { about: hostile.param.name, texts })
    };
    hostile.filter_map(call).collect()
}

/// The status of a bad pointer.
fn fault(row: &Function) -> &'static str {
    if row.returns == Returns::Errno { "FAULT" } else { "INVALID_MEMORY_ACCESS" }
}

fn is_decided(row: &Function, param: &Param) -> bool {
    promises(row, fault(row)) && !valid::of(row).doubtful.contains(&param.name)
}

fn open(row: &Function, hostile: &Hostile) -> String {
    any_answer(row, &format!("{} {}", hostile.param.name, hostile.place), &[fault(row)], &[])
}

const PAST: &str = "past the end";
const WRAPPING: &str = "wrapping around";

/// The parameter's pointers, each past the end by one byte, and wrapping around.
fn bad(row: &'static Function, param: &'static Param) -> Vec<Hostile> {
    let both = |past: Vec<(&'static str, String)>, wrapping| {
        [(past, PAST), (wrapping, WRAPPING)].map(|(args, place)| Hostile { param, args, place }).into()
    };
    let text = |text: &str| format!("\"{text}\"");
    match param.kind {
        Kind::Bytes | Kind::Pairs | Kind::Path if !param.out => {
            both(vec![(param.name, raw("\"end-15\"", 16))], vec![(param.name, raw("0xfffffff0", 32))])
        }
        Kind::Iovecs => both(vec![(param.name, raw("\"end-7\"", 1))], vec![(param.name, raw("0xfffffff0", 4))]),
        Kind::Address => match size(row) {
            Some(size) => both(
                vec![(param.lanes[0], text("end-15")), (size, "16".to_owned())],
                vec![(param.lanes[0], "0xfffffff0".to_owned()), (size, "32".to_owned())],
            ),
            None => both(vec![(param.lanes[0], text("end-3"))], vec![(param.lanes[0], "0xfffffffe".to_owned())]),
        },
        kind if param.out => {
            let past = text(if matches!(kind, Kind::U64 | Kind::I64) { "end-7" } else { "end-3" });
            let lanes = param.lanes.iter();
            lanes.flat_map(|lane| both(vec![(*lane, past.clone())], vec![(*lane, "0xfffffffe".to_owned())])).collect()
        }
        _ => Vec::new(),
    }
}

/// The parameter with size 0, at the end of the memory, and at 0.
fn nothing(row: &'static Function, param: &'static Param) -> Vec<Hostile> {
    let places = [("\"end\"", "at the end"), ("0", "at 0")];
    let hostile = |(address, place): (&str, _)| {
        let args = match param.kind {
            Kind::Bytes | Kind::Pairs | Kind::Path | Kind::Iovecs if !param.out => vec![(param.name, raw(address, 0))],
            Kind::Address => vec![(param.lanes[0], address.to_owned()), (size(row)?, "0".to_owned())],
            _ => return None,
        };
        Some(Hostile { param, args, place })
    };
    places.into_iter().filter_map(hostile).collect()
}

fn raw(address: &str, size: u32) -> String {
    format!("{{ address = {address}, size = {size} }}")
}

/// The parameter that says how much a host writes at an address.
fn size(row: &Function) -> Option<&'static str> {
    row.params.iter().find(|param| param.kind == Kind::Size).map(|param| param.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pointer_is_led_astray() {
        let drafts = drafts();
        for row in functions() {
            let texts: Vec<&String> = drafts
                .iter()
                .filter(|draft| draft.id.ends_with(&format!("pointers/{}", row.name)))
                .flat_map(|draft| draft.calls.iter().filter_map(|call| call.texts.last()))
                .collect();
            for param in row.params {
                let pointers: Vec<&str> = match (param.kind, param.out) {
                    (Kind::Writes, _) => Vec::new(),
                    (_, true) | (Kind::Address, _) => param.lanes.to_vec(),
                    (Kind::Bytes | Kind::Pairs | Kind::Path | Kind::Iovecs, _) => vec![param.name],
                    _ => Vec::new(),
                };
                for pointer in pointers {
                    for place in ["\"end-", "0xfffffff"] {
                        let bad = [format!("{pointer} = {place}"), format!("{pointer} = {{ address = {place}")];
                        let found = texts.iter().any(|text| bad.iter().any(|bad| text.contains(bad)));
                        assert!(found, "{} {pointer} {place}", row.name);
                    }
                }
            }
        }
    }
}
