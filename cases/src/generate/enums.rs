//! Every enum parameter of every function, with values that the enum lacks.

use pw_abi::{ClockId, EnumTable, FdId, Function, Kind, Param};

use crate::generate::{Call, Draft, any_answer, functions, promises, valid};

const QUESTION: &str = "What does a function answer to a value that its enum lacks?";

/// The cases.
pub(super) fn drafts() -> Vec<Draft> {
    functions().filter_map(draft).collect()
}

fn draft(row: &'static Function) -> Option<Draft> {
    let enums = row.params.iter().filter(|param| !param.out).filter_map(|param| match param.kind {
        Kind::Enum(table) => Some((param, table)),
        _ => None,
    });
    let enums: Vec<(&Param, &EnumTable)> = enums.collect();
    let status = refusal(enums.first()?.1);
    let promised = promises(row, status);
    let calls = enums.iter().flat_map(|(param, table)| unknown(table).map(|value| (param.name, value)));
    let calls = calls.map(|(name, value)| {
        let answer = match promised {
            true => format!("expect = \"{status}\"\n"),
            false => any_answer(row, &format!("{name} {value}"), &[status], &[]),
        };
        let text = valid::call(row, &[(name, &value)]) + &answer;
        Call { about: name, texts: [valid::of(row).before(), vec![text]].concat() }
    });
    Some(Draft {
        id: format!("generated/enums/{}", row.name),
        title: format!("{} refuses values that its enums lack", row.name),
        clauses: vec![if promised { format!("{}/{status}", row.name) } else { row.name.to_owned() }],
        question: (!promised).then_some(QUESTION),
        versions: row.versions,
        context: valid::of(row).context()?,
        calls: calls.collect(),
        expect: "",
        hazard: false,
        every_function: false,
    })
}

/// Just after the last value, far after it, and all ones.
fn unknown(table: &EnumTable) -> [String; 3] {
    let next = table.values.iter().map(|value| value.value).max().unwrap_or(0) + 1;
    [next.to_string(), "99".to_owned(), "0xffffffff".to_owned()]
}

/// The status by which a function refuses such a value.
fn refusal(table: &EnumTable) -> &'static str {
    match table {
        table if table == FdId::TABLE => "BADF",
        table if table == ClockId::TABLE => "NOTSUP",
        _ => "BAD_ARGUMENT",
    }
}
