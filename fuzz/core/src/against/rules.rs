//! The rules by which hosts are compared, read from `cases/comparison.toml`. That file says what its keys mean.

use std::sync::LazyLock;

use pw_cases::departure::Departure;
use pw_cases::format::{self, Complaint, Error, Node, Read, meant};
use pw_cases::script;

const FILE: &str = "cases/comparison.toml";

/// What counts as called when a header whose name begins with a colon was changed, or perhaps was.
pub(super) const PSEUDO_HEADER: &str = "pseudo header";
/// What counts as called when a call was sent with such a header twice.
pub(super) const TWICE: &str = "pseudo header twice";
/// What counts as called by a call about trailers, for this call only.
pub(super) const TRAILERS: &str = "trailers";
/// What counts as called by a call over the network that failed for a bad address, perhaps that of its id.
pub(super) const LOST_CALL: &str = "lost call";
/// What counts as called by taking an item from a queue to a bad address, which perhaps has lost it.
pub(super) const LOST_ITEM: &str = "lost item";

/// What makes a stream end.
pub(super) const ENDING: [&str; 2] = ["proxy_send_local_response", "proxy_close_stream"];

/// All rules.
pub(super) struct Rules {
    pub(super) open: Vec<Open>,
    pub(super) avoid: Vec<Avoid>,
    pub(super) swap: Vec<Swap>,
}

/// Something in which hosts may differ.
pub(super) struct Open {
    /// See the file; `*` stands for any.
    pub(super) of: String,
    pub(super) status: Option<String>,
    pub(super) instead: Instead,
    pub(super) given: Option<String>,
    /// The case that asks the question.
    pub(super) why: String,
}

/// The departures that a rule is about.
pub(super) enum Instead {
    Anything,
    /// Any status but success.
    AnotherError,
    This(Departure),
    /// Something first whose name begins so.
    FirstWithPrefix(String),
}

/// A call that is left out of scripts for a host.
pub(super) struct Avoid {
    pub(super) host: String,
    pub(super) function: String,
    /// The callbacks in which it is left out; none for all.
    pub(super) within: Vec<String>,
    /// Only where the callback has made the stream end before.
    pub(super) again: bool,
    pub(super) with: With,
    /// What the host does, and the case that shows it.
    pub(super) does: String,
    pub(super) case: String,
}

/// The arguments with which a call is left out.
pub(super) enum With {
    Any,
    /// A parameter that is this number.
    Number(String, u64),
    /// A parameter that is this number or a larger one.
    AtLeast(String, u64),
    /// A parameter of no bytes.
    Empty(String),
    /// Names or values that HTTP/2 cannot carry.
    Unsendable,
}

/// A host that calls one callback before another, where the reference host does it the other way round, so that everything
/// after them can be compared. Nothing is scripted for the one that it calls late.
pub(super) struct Swap {
    pub(super) host: String,
    /// The callback that it calls first, and the one after that.
    pub(super) first: String,
    pub(super) then: String,
}

/// The rules in this program. A test reads them, so that they are right in every build that is released.
pub(super) static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let read = parse(include_str!("../../../../cases/comparison.toml"));
    read.unwrap_or_else(|error| panic!("{error}"))
});

/// The functions that are left out for a host, what it does with them, and the case that shows it.
pub fn avoided(host: &str) -> impl Iterator<Item = (&'static str, String)> {
    let rows = RULES.avoid.iter().filter(move |row| row.host == host);
    rows.map(|row| (row.function.as_str(), format!("{}: {}", row.does, row.case)))
}

fn parse(source: &str) -> Result<Rules, Error> {
    let read = || -> Read<Rules> {
        let root = format::read(source)?;
        let table = root.table(&["open", "avoid", "swap"])?;
        Ok(Rules {
            open: table.items("open")?.iter().map(open).collect::<Read<_>>()?,
            avoid: table.items("avoid")?.iter().map(avoid).collect::<Read<_>>()?,
            swap: table.items("swap")?.iter().map(swap).collect::<Read<_>>()?,
        })
    };
    read().map_err(|Complaint { line, message }| Error { file: FILE.to_owned(), line, message })
}

fn open(node: &Node) -> Read<Open> {
    let table = node.table(&["of", "status", "instead", "given", "why"])?;
    const SUBJECTS: [&str; 7] = ["*", "upstream", "client", "callout", "callout trailers", "gRPC", "log"];
    const MARKS: [&str; 5] = [PSEUDO_HEADER, TWICE, TRAILERS, LOST_CALL, LOST_ITEM];
    let text = |node: &Node| node.text().map(str::to_owned);
    Ok(Open {
        of: name(table.need("of")?, &SUBJECTS)?,
        status: table.map("status", text)?,
        instead: table.map("instead", instead)?.unwrap_or(Instead::Anything),
        given: table.map("given", |node| name(node, &MARKS))?,
        why: text(table.need("why")?)?,
    })
}

fn instead(node: &Node) -> Read<Instead> {
    let text = node.text()?;
    if text == "another error" {
        return Ok(Instead::AnotherError);
    }
    if let Some(prefix) = text.strip_suffix("* first") {
        return Ok(Instead::FirstWithPrefix(prefix.to_owned()));
    }
    text.parse().map(Instead::This).or_else(|message: String| node.complain(message))
}

fn avoid(node: &Node) -> Read<Avoid> {
    let keys =
        ["host", "function", "within", "again", "param", "is", "at_least", "empty", "unsendable", "does", "case"];
    let table = node.table(&keys)?;
    let text = |node: &Node| node.text().map(str::to_owned);
    let param = table.map("param", text)?;
    let is = table.map("is", |node| node.number::<u32>())?;
    let at_least = table.map("at_least", |node| node.number::<u32>())?;
    let empty = table.map("empty", Node::flag)?.unwrap_or(false);
    let unsendable = table.map("unsendable", Node::flag)?.unwrap_or(false);
    let with = match (param, is, at_least, empty, unsendable) {
        (None, None, None, false, false) => With::Any,
        (Some(param), Some(number), None, false, false) => With::Number(param, number.into()),
        (Some(param), None, Some(number), false, false) => With::AtLeast(param, number.into()),
        (Some(param), None, None, true, false) => With::Empty(param),
        (None, None, None, false, true) => With::Unsendable,
        _ => return node.complain("`param` goes with one of `is`, `at_least`, `empty`, and `unsendable` stands alone"),
    };
    let within = table.map("within", |node| node.list()?.iter().map(|node| name(node, &[])).collect())?;
    Ok(Avoid {
        host: text(table.need("host")?)?,
        function: name(table.need("function")?, &[])?,
        within: within.unwrap_or_default(),
        again: table.map("again", Node::flag)?.unwrap_or(false),
        with,
        does: text(table.need("does")?)?,
        case: text(table.need("case")?)?,
    })
}

fn swap(node: &Node) -> Read<Swap> {
    let table = node.table(&["host", "first", "then"])?;
    Ok(Swap {
        host: table.need("host")?.text()?.to_owned(),
        first: name(table.need("first")?, &[])?,
        then: name(table.need("then")?, &[])?,
    })
}

/// A function or a callback of the table, or one of some other words.
fn name(node: &Node, others: &[&'static str]) -> Read<String> {
    let text = node.text()?;
    let functions = script::functions().map(|row| row.name);
    let names = functions.chain(script::callbacks().map(|row| row.name)).chain(others.iter().copied());
    match names.clone().any(|name| name == text) {
        true => Ok(text.to_owned()),
        false => node.complain(format!("no function or callback `{text}`{}", meant(text, names))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pw_cases::case::{Case, Level};
    use pw_cases::catalog;

    use super::*;

    /// A reason is a case, so that the rule cannot be forgotten when the case is removed.
    #[test]
    fn reasons_are_cases_of_the_catalog() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/catalog");
        let (cases, _) = catalog::whole(&folder);
        // What is random is not for anyone to decide.
        for row in RULES.open.iter().filter(|row| row.given.as_deref() != Some("random_get")) {
            let asks = |case: &&Case| case.id == row.why && case.level == Level::Unspecified;
            assert!(cases.iter().any(|case| asks(&case)), "no case {} that asks a question", row.why);
        }
        for row in &RULES.avoid {
            assert!(cases.iter().any(|case| case.id == row.case), "no case {}", row.case);
        }
    }

    #[test]
    fn errors_name_the_line() {
        let rows = [
            ("[[opn]]", ":1: unknown key `opn`, did you mean `open`?"),
            ("[[open]]\nof = \"proxy_lgo\"", ":2: no function or callback `proxy_lgo`, did you mean `proxy_log`?"),
            ("[[open]]\nof = \"*\"\ninstead = \"dies\"\nwhy = \"a\"", ":3: unknown departure `dies`: "),
            ("[[open]]\nof = \"*\"\ngiven = \"once\"\nwhy = \"a\"", ":3: no function or callback `once`"),
            ("[[avoid]]\nhost = \"x\"\nparam = \"a\"", ":1: `param` goes with one of `is`"),
            ("[[swap]]\nhost = \"x\"\nfirst = \"proxy_on_log\"", ":1: `then` is missing"),
        ];
        for (source, message) in rows {
            let error = parse(source).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(message), "{source}: {error}");
        }
    }
}
