//! The callbacks that the host calls, named as in the table. Knows nothing of when they are called.

/// The callbacks of all sections, in the order of the specification, but for the sections whose exports are not called
/// when something happens: markers, start functions, and the allocator.
macro_rules! callbacks {
    ([[$($known:ident)*] $rest:tt] section Integration $($rows:tt)*) => {
        callbacks! { [$($known)*] $rest }
    };
    ([[$($known:ident)*] $rest:tt] section MemoryManagement $($rows:tt)*) => {
        callbacks! { [$($known)*] $rest }
    };
    (
        [[$($known:ident)*] $rest:tt] section $Section:ident $slug:ident $title:literal
        host $host:tt
        guest { $({ $doc:literal $name:ident $params:tt $Result:ident $since:tt $until:tt })* }
    ) => {
        callbacks! { [$($known)* $($name)*] $rest }
    };
    ([$($known:ident)*] [$slug:ident $($rest:ident)*]) => {
        pw_abi::$slug! { callbacks [$($known)*] [$($rest)*] }
    };
    ([$($name:ident)+] []) => {
        /// A callback that the host calls, by the specification's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum On {
            $($name,)+
        }

        impl On {
            pub(crate) const ALL: &'static [On] = &[$(On::$name,)+];

            /// The export's name.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(On::$name => stringify!($name),)+
                }
            }
        }
    };
    ($($slug:ident)+) => {
        callbacks! { [] [$($slug)+] }
    };
}

pw_abi::sections!(callbacks);
