//! Every decoder that is given bytes of a file, as a function of any bytes at all.
//!
//! The same functions run under libFuzzer (`fuzz_targets/`, one program for each) and in a
//! loop of plain mutations (`src/bin/loop.rs`) where libFuzzer cannot run: on stable compilers and on
//! machines with 32-bit addresses, as those of wasm are.

pub mod guard;
pub mod input;
pub mod mutate;
mod program;
pub mod seeds;
pub mod targets;

use guard::{guarded, Limits};
use std::time::Duration;

/// A decoder to be fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]),
    /// MiB it may hold at once for inputs of a few kilobytes.
    pub peak_mib: usize,
}

impl Target {
    const fn new(name: &'static str, run: fn(&[u8])) -> Target {
        Target {
            name,
            run,
            peak_mib: 16,
        }
    }
    const fn holding(self, peak_mib: usize) -> Target {
        Target { peak_mib, ..self }
    }

    /// Runs once; panics when the decoder does, or when it takes too much time or memory.
    pub fn execute(&self, data: &[u8]) {
        let limits = Limits {
            peak_bytes: self.peak_mib << 20,
            time: Duration::from_secs(5),
        };
        guarded(limits, || (self.run)(data));
    }
}

/// The target of this name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> Target {
    let found = targets::all().into_iter().find(|t| t.name == name);
    found.unwrap_or_else(|| panic!("no target is called {name}"))
}
