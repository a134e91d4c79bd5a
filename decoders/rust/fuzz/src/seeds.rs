//! Inputs to begin with: small files in the tree, and what a folder beside it holds.

use std::path::{Path, PathBuf};

/// Where the seeds of a target are: `seeds` is part of the project, `corpus` is made and grows.
pub fn folders(name: &str) -> [PathBuf; 2] {
    ["seeds", "corpus"].map(|kind| Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(name))
}

/// The seeds of a target in a fixed order; never none.
pub fn of(name: &str, corpus: bool) -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0; 64], (0..=255).collect()];
    for folder in folders(name).into_iter().take(1 + usize::from(corpus)) {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        paths.sort();
        seeds.extend(paths.iter().filter_map(|p| std::fs::read(p).ok()));
    }
    seeds
}
