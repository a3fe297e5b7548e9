//! The target `attack`: hostile plugins, clients, servers and operators, who do anything legal and illegal at any time.
//!
//! A find is a panic or an abort; memory beyond what the host says that it holds, or may hold; work beyond what an event may do;
//! something that another plugin's client notices; a request that comes past a plugin that refuses it; a message that HTTP cannot
//! carry; a stream that ends twice or never; anything that is left when all have ended.
//!
//! The target's program without libFuzzer is a campaign: workers that may crash, each of which writes its input to disk first.

mod act;
mod bystanders;
mod campaign;
mod generate;
mod guest;
mod maps;
mod operator;
mod plan;
mod template;
mod watch;
mod wire;
mod world;

pub use self::act::attack;
pub use self::campaign::campaign;
