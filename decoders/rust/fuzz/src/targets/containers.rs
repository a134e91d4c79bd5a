//! Chunks of HDF5 files: every filter alone, and whole pipelines with the conversion of elements.

use crate::input::Input;
use crate::Target;
use fuse_containers::params::Filter;
use fuse_containers::{decode, pipeline};

macro_rules! filters {
    ($($name:literal = $id:literal),* $(,)?) => {
        &[
            Target::new("hdf5_chunk", chunk),
            $(Target::new($name, |data| filter($id, data))),*
        ]
    };
}

pub const TARGETS: &[Target] = filters! {
    "hdf5_deflate" = 1,
    "hdf5_shuffle" = 2,
    "hdf5_fletcher32" = 3,
    "hdf5_szip" = 4,
    "hdf5_nbit" = 5,
    "hdf5_scaleoffset" = 6,
    "hdf5_bzip2" = 307,
    "hdf5_lzf" = 32000,
    "hdf5_blosc" = 32001,
    "hdf5_lz4" = 32004,
    "hdf5_bitshuffle" = 32008,
    "hdf5_zstd" = 32015,
};

/// Filters of HDF5 files that are undone.
const FILTERS: [u32; 14] = [
    1, 2, 3, 4, 5, 6, 307, 32000, 32001, 32004, 32008, 32015, 32022, 32023,
];

/// Input: size of the unfiltered chunk (u16), number of parameters (u8), parameters (u32), chunk.
fn filter(id: u32, data: &[u8]) {
    let mut input = Input::new(data);
    let expected = input.size();
    let values: Vec<u32> = (0..input.u8() % 48).map(|_| input.u32()).collect();
    let filters = [Filter {
        id,
        values: &values,
    }];
    if let Ok(raw) = pipeline::undo(&filters, input.rest(), expected) {
        // What `undo` allows between two filters.
        assert!(raw.len() <= (expected + expected / 2 + (64 << 10)).max(data.len()));
    }
}

/// Input: the words of `fuse_containers::params` in short form, then the chunk.
fn chunk(data: &[u8]) {
    let mut input = Input::new(data);
    let mut words = vec![u32::from(input.u16()), u32::from(input.flag())];
    words.extend((0..2).map(|_| u32::from(input.u8())));
    words.push(u32::from(input.u8() % 4));
    words.extend((0..2).map(|_| u32::from(input.u8())));
    words.push(u32::from(input.u8() % 4));
    words.extend((0..10).map(|_| u32::from(input.u8())));
    words.push(input.u32());
    let arrays = u32::from(input.u8() % 10);
    words.push(arrays);
    for _ in 0..arrays {
        words.extend([u32::from(input.u8()), u32::from(input.u16())]);
    }
    let filters = u32::from(input.u8() % 5);
    words.push(filters);
    for _ in 0..filters {
        let (id, count) = (input.pick(&FILTERS), u32::from(input.u8() % 24));
        words.extend([id, count]);
        words.extend((0..count).map(|_| input.u32()));
    }
    let mut out = vec![0; input.size()];
    if let Ok(n) = decode(&words, input.rest(), &mut out) {
        assert!(n <= out.len());
    }
}
