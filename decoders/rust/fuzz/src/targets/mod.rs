//! The targets: each reads the parameters of a call from the front of its input, calls the decoder with
//! the rest, and holds what comes back to what can be said of any input.

mod chunks;
mod containers;
mod ephys;
mod imaging;
mod tables;

use crate::Target;

/// All targets.
pub fn all() -> Vec<Target> {
    [
        chunks::TARGETS,
        containers::TARGETS,
        ephys::TARGETS,
        imaging::TARGETS,
        tables::TARGETS,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    /// cargo-fuzz reads the names of targets from the manifest.
    #[test]
    fn every_target_has_its_program() {
        let manifest = include_str!("../../Cargo.toml");
        let programs: Vec<&str> = manifest
            .split("[[bin]]\nname = \"")
            .skip(1)
            .filter_map(|part| part.split('"').next())
            .collect();
        let names: Vec<&str> = super::all().iter().map(|t| t.name).collect();
        assert_eq!(programs, names);
    }
}
