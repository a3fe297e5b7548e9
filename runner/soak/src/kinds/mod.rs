//! The ways in which plugins misbehave, as rows: each is a name and the parts of a module's text.

mod guest;
mod host;
mod names;
mod text;

use std::sync::LazyLock;

use pw_abi::Version;

use pw_host::PluginConfig;

/// All of them.
pub(super) static KINDS: LazyLock<Vec<Kind>> =
    LazyLock::new(|| [guest::kinds(), host::kinds(), names::kinds()].into_iter().flatten().collect());

/// A way to misbehave.
pub(super) struct Kind {
    /// What the plugin does.
    pub(super) name: &'static str,
    /// Its requests use up the time that they may take.
    pub(super) burns: bool,
    /// Bytes of the body of a request to it.
    pub(super) body: usize,
    /// How its configuration differs from that of the others.
    pub(super) tune: fn(&mut PluginConfig),
    version: Version,
    /// What its allocator returns.
    allocate: &'static str,
    /// Its callbacks, and what these need.
    parts: String,
}

/// A plugin that does nothing yet.
fn kind(name: &'static str) -> Kind {
    Kind {
        name,
        burns: false,
        body: 0,
        tune: |_| {},
        version: Version::V0_2_1,
        allocate: "(i32.const 4096)",
        parts: String::new(),
    }
}

impl Kind {
    /// It does this in a callback, which lets things continue.
    fn on(self, callback: &str, body: &str) -> Kind {
        let accepts = ["proxy_on_vm_start", "proxy_on_configure", "proxy_on_done"].contains(&callback);
        self.returning(callback, body, u32::from(accepts))
    }

    /// The same, with this result.
    fn returning(mut self, callback: &str, body: &str, result: u32) -> Kind {
        self.parts += &text::callback(self.version, callback, body, result);
        self
    }

    /// It does this with a request.
    fn request(self, body: &str) -> Kind {
        self.on("proxy_on_request_headers", body)
    }

    /// It does this every few milliseconds.
    fn tick(self, milliseconds: u32, body: &str) -> Kind {
        let period = text::call("set_tick_period_milliseconds", &[milliseconds]);
        self.on("proxy_on_configure", &period).on("proxy_on_tick", body)
    }

    /// Its module has this, too.
    fn with(mut self, part: &str) -> Kind {
        self.parts += part;
        self
    }

    fn burning(self) -> Kind {
        Kind { burns: true, ..self }
    }

    fn body(self, bytes: usize) -> Kind {
        Kind { body: bytes, ..self }
    }

    fn tuned(self, tune: fn(&mut PluginConfig)) -> Kind {
        Kind { tune, ..self }
    }

    /// The module.
    pub(super) fn wasm(&self) -> Result<Vec<u8>, String> {
        wat::parse_str(text::module(self.version, self.allocate, &self.parts))
            .map_err(|error| format!("the plugin that {} is not a module: {error}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_a_module_with_a_name_of_its_own() {
        for (place, kind) in KINDS.iter().enumerate() {
            kind.wasm().unwrap_or_else(|error| panic!("{error}"));
            assert!(KINDS[..place].iter().all(|other| other.name != kind.name), "{}", kind.name);
        }
    }
}
