//! The types of rows, the macro that reads rows, and the one that defines constants for them.

use crate::{Kind, Lane, Version, Versions};

/// A section of the specification.
#[derive(Debug)]
pub struct Section {
    /// The name everywhere in this project: `http_fields`.
    pub slug: &'static str,
    /// The specification's heading: `HTTP fields`.
    pub title: &'static str,
    /// The functions that a host provides.
    pub host: &'static [Function],
    /// The exports that a plugin may have.
    pub guest: &'static [Callback],
}

/// A function that a host provides.
#[derive(Debug)]
pub struct Function {
    /// The section's slug.
    pub section: &'static str,
    /// The module from which it is imported.
    pub module: &'static str,
    /// The name by which it is imported.
    pub name: &'static str,
    /// In-parameters and then out-parameters, in order.
    pub params: &'static [Param],
    /// What it returns.
    pub returns: Returns,
    /// The statuses that the specification promises.
    pub promises: &'static [Promise],
    /// The versions that have it.
    pub versions: Versions,
    /// One sentence on what it does.
    pub doc: &'static str,
}

/// An export that a plugin may have.
#[derive(Debug)]
pub struct Callback {
    /// The section's slug.
    pub section: &'static str,
    /// The export's name.
    pub name: &'static str,
    /// The parameters; each is one core parameter.
    pub params: &'static [CallbackParam],
    /// The result, if there is one.
    pub result: Option<Kind>,
    /// The versions that have it.
    pub versions: Versions,
    /// One sentence on when it is called.
    pub doc: &'static str,
}

/// A parameter of a host function.
#[derive(Debug)]
pub struct Param {
    /// The name, without suffixes such as `_data` and `_size`.
    pub name: &'static str,
    /// Whether the host returns it, through pointers.
    pub out: bool,
    /// Its kind, from which its core parameters follow.
    pub kind: Kind,
    /// The core parameters that it consists of: one, or a pointer and a size, by the specification's names.
    pub lanes: &'static [&'static str],
}

/// A parameter of a callback.
#[derive(Debug)]
pub struct CallbackParam {
    /// The specification's name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The versions that pass it.
    pub versions: Versions,
}

/// The result of a host function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// A `proxy_status_t`.
    Status,
    /// A `wasi_errno_t`.
    Errno,
    /// No result.
    Nothing,
}

/// A status that the specification promises of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The specification's name.
    pub name: &'static str,
    /// The value on the wire.
    pub value: u32,
    /// The versions that promise it.
    pub versions: Versions,
}

impl Param {
    /// The wasm type of each of its core parameters; those of out-parameters are pointers.
    pub fn lane(&self) -> Lane {
        if self.out { Lane::I32 } else { self.kind.lane() }
    }
}

impl Function {
    /// The name, with the module in front if that is not `env`, as in the specification's headings.
    pub fn qualified(&self) -> String {
        match self.module {
            "env" => self.name.to_owned(),
            module => format!("{module}.{}", self.name),
        }
    }

    /// Whether `name` is its name, with or without the module in front.
    pub fn is_called(&self, name: &str) -> bool {
        let rest = || name.strip_prefix(self.module)?.strip_prefix('.');
        name == self.name || self.module != "env" && rest() == Some(self.name)
    }

    /// The core parameters, in order, with the specification's names.
    pub fn lanes(&self) -> impl Iterator<Item = (&'static str, Lane)> {
        self.params.iter().flat_map(|param| param.lanes.iter().map(|lane| (*lane, param.lane())))
    }

    /// The core result.
    pub fn result(&self) -> Option<Lane> {
        (self.returns != Returns::Nothing).then_some(Lane::I32)
    }

    /// The statuses that `version` promises.
    pub fn promises(&self, version: Version) -> impl Iterator<Item = &'static Promise> {
        self.promises.iter().filter(move |promise| promise.versions.contains(version))
    }

    /// The name of a returned status or error number, whether promised or not.
    pub fn status_name(&self, value: u32) -> Option<&'static str> {
        match self.returns {
            Returns::Status => crate::Status::TABLE.name_of(value),
            Returns::Errno => crate::Errno::TABLE.name_of(value),
            Returns::Nothing => None,
        }
    }

    /// Whether a returned `value` means success.
    pub fn succeeded(&self, value: u32) -> bool {
        self.returns == Returns::Nothing || value == 0
    }
}

impl Callback {
    /// The parameters that `version` passes.
    pub fn params(&self, version: Version) -> impl Iterator<Item = &'static CallbackParam> {
        self.params.iter().filter(move |param| param.versions.contains(version))
    }
}

/// The versions from `since` to `until`; by default from the first to the last of all.
macro_rules! versions {
    ([] $until:tt) => {
        $crate::row::versions!([V0_1_0] $until)
    };
    ($since:tt []) => {
        $crate::row::versions!($since [VNext])
    };
    ([$since:ident] [$until:ident]) => {
        $crate::Versions { since: $crate::Version::$since, until: $crate::Version::$until }
    };
}
macro_rules! result_kind {
    (Nothing) => {
        None
    };
    ($Kind:ident) => {
        Some(<$crate::$Kind as $crate::Shape>::KIND)
    };
}

/// Reads a section's rows as they are written, and passes them in a normal form to the macro `$then`, with `$state` in
/// front. This is the only macro that parses rows.
///
/// In the normal form a row is one token tree, in which everything has a fixed place; `since` and `until` are empty if
/// the row does not have them:
///
/// ```text
/// [...] section HttpFields http_fields "HTTP fields"
/// host { {"doc" module name [in Kind [lane lane] ...] [out Kind [lane] ...] Status [OK [since] ...] [since] [until]} ... }
/// guest { {"doc" name [argument Kind [since] ...] Kind [since] [until]} ... }
/// ```
#[doc(hidden)]
#[macro_export]
macro_rules! rows {
    (
        [$then:ident $($state:tt)*]
        section $Section:ident $slug:ident $title:literal
        host { $(
            #[doc = $doc:literal]
            fn $module:ident.$name:ident(
                $($in:ident: $In:ident[$($in_lane:ident),+]),* $(,)?
            ) -> ($($out:ident: $Out:ident[$($out_lane:ident),*]),*)
            $Code:ident { $($status:ident $(since $status_since:ident)?),* } $(since $since:ident)? $(until $until:ident)?;
        )* }
        guest { $(
            #[doc = $guest_doc:literal]
            fn $callback:ident($($arg:ident: $Arg:ident $(since $arg_since:ident)?),*) -> $Result:ident
            $(since $guest_since:ident)? $(until $guest_until:ident)?;
        )* }
    ) => {
        $then! {
            [$($state)*] section $Section $slug $title
            host { $({
                $doc $module $name [$($in $In [$($in_lane)+])*] [$($out $Out [$($out_lane)*])*]
                $Code [$($status [$($status_since)?])*] [$($since)?] [$($until)?]
            })* }
            guest { $({
                $guest_doc $callback [$($arg $Arg [$($arg_since)?])*] $Result [$($guest_since)?] [$($guest_until)?]
            })* }
        }
    };
}

/// A section's rows as a constant.
macro_rules! table {
    (
        [] section $Section:ident $slug:ident $title:literal
        host { $({
            $doc:literal $module:ident $name:ident
            [$($in:ident $In:ident [$($in_lane:ident)+])*] [$($out:ident $Out:ident [$($out_lane:ident)*])*]
            $Code:ident [$($status:ident [$($status_since:ident)?])*] [$($since:ident)?] [$($until:ident)?]
        })* }
        guest { $({
            $guest_doc:literal $callback:ident [$($arg:ident $Arg:ident [$($arg_since:ident)?])*]
            $Result:ident [$($guest_since:ident)?] [$($guest_until:ident)?]
        })* }
    ) => {
        &$crate::Section {
            slug: stringify!($slug),
            title: $title,
            host: &[$($crate::Function {
                section: stringify!($slug),
                module: stringify!($module),
                name: stringify!($name),
                params: &[
                    $($crate::Param {
                        name: stringify!($in), out: false, kind: <$crate::$In as $crate::Shape>::KIND,
                        lanes: &[$(stringify!($in_lane)),+],
                    },)*
                    $($crate::Param {
                        name: stringify!($out), out: true, kind: <$crate::$Out as $crate::Shape>::KIND,
                        lanes: &[$(stringify!($out_lane)),*],
                    },)*
                ],
                returns: $crate::Returns::$Code,
                promises: &[$($crate::Promise {
                    name: stringify!($status),
                    value: $crate::$Code::$status.0,
                    versions: $crate::row::versions!([$($status_since)?] []),
                }),*],
                versions: $crate::row::versions!([$($since)?] [$($until)?]),
                doc: $doc.trim_ascii(),
            }),*],
            guest: &[$($crate::Callback {
                section: stringify!($slug),
                name: stringify!($callback),
                params: &[$($crate::CallbackParam {
                    name: stringify!($arg),
                    kind: <$crate::$Arg as $crate::Shape>::KIND,
                    versions: $crate::row::versions!([$($arg_since)?] []),
                }),*],
                result: $crate::row::result_kind!($Result),
                versions: $crate::row::versions!([$($guest_since)?] [$($guest_until)?]),
                doc: $guest_doc.trim_ascii(),
            }),*],
        }
    };
}

pub(crate) use {result_kind, table, versions};
