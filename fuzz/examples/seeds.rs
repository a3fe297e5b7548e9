//! Writes the dictionaries and the seeds of the targets. Seeds that are there already stay.

use std::fs;
use std::io::Result;
use std::path::Path;

use pw_fuzz_targets::{TARGETS, dictionary, seeds};

fn main() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, _) in TARGETS {
        if let Some(text) = dictionary::of(target) {
            fs::create_dir_all(folder.join("dictionaries"))?;
            fs::write(folder.join(format!("dictionaries/{target}.dict")), text)?;
        }
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for (name, bytes) in seeds::of(target) {
            fs::write(corpus.join(name), bytes)?;
        }
    }
    Ok(())
}
