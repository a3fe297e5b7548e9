//! What a check finds. Knows no rules.

use std::fmt;

use pw_abi::Version;

/// Something about a module that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What sort of thing.
    pub kind: Kind,
    /// The import, with its module in front, or the export that it is about.
    pub name: Option<String>,
    /// One line.
    pub message: String,
    /// The versions for which it holds, of those that the module was checked for.
    pub abi: Vec<Version>,
    /// The hosts that refuse the module for it.
    pub refused_by: Vec<&'static str>,
}

impl Finding {
    /// An error is what a host refuses the module for; everything else is a warning.
    pub fn is_error(&self) -> bool {
        !self.refused_by.is_empty()
    }
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $Name:ident $name:literal,)+) => {
        /// What sort of thing a finding is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $doc])+ $Name,)+
        }

        impl Kind {
            /// All kinds, with their names.
            pub const ALL: &'static [(Kind, &'static str)] = &[$((Kind::$Name, $name),)+];
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Kind::$Name => $name,)+
                })
            }
        }
    };
}

kinds! {
    /// The reference host's engine finds the code not valid.
    Invalid "invalid",
    /// The module is beyond a limit of the reference host's.
    Limit "limit",
    /// No export says the version.
    NoMarker "no_marker",
    /// The only version claimed is the one in progress.
    NextMarker "next_marker",
    /// Several versions are claimed.
    SeveralMarkers "several_markers",
    /// A version is claimed that does not exist.
    UnknownMarker "unknown_marker",
    /// A marker is not a function, or takes or returns something.
    MarkerType "marker_type",
    /// No memory is exported.
    NoMemory "no_memory",
    /// The memory is exported, but not as `memory`.
    MemoryName "memory_name",
    /// Neither allocator is exported.
    NoAllocator "no_allocator",
    /// A function runs while the module is instantiated.
    StartSection "start_section",
    /// The import is in no version.
    ImportUnknown "import_unknown",
    /// The import is in other versions only.
    ImportOfOtherVersion "import_of_other_version",
    /// The import is in no version, but known in the wild.
    ImportBeyond "import_beyond",
    /// The import has another type.
    ImportType "import_type",
    /// The import has a status as a result, where the specification has none.
    ImportWithStatus "import_with_status",
    /// The import has no result, as in the specification, where SDKs have a status.
    ImportWithoutStatus "import_without_status",
    /// A memory or a table is imported.
    ImportOfMemory "import_of_memory",
    /// A global is imported.
    ImportOfGlobal "import_of_global",
    /// A tag is imported.
    ImportOfTag "import_of_tag",
    /// The exported function has another type.
    ExportType "export_type",
    /// What is exported is not a function.
    ExportNoFunction "export_no_function",
    /// The callback is in no version.
    ExportUnknown "export_unknown",
    /// The callback is in other versions only.
    ExportOfOtherVersion "export_of_other_version",
    /// The callback is in no version, but a host knows it.
    ExportBeyond "export_beyond",
    /// The function is not called beside, or without, another export.
    NeverCalled "never_called",
}
