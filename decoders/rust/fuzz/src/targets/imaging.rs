//! Tiles and strips of TIFF files, one target for each compression.

use crate::input::Input;
use crate::Target;
use fuse_core::Result;
use fuse_raster::{params::WORDS, Params};

macro_rules! codecs {
    ($($name:literal = $decode:path, $codes:expr, $mib:literal;)*) => {
        &[$(Target::new($name, |data| tile(data, &$codes, $decode)).holding($mib)),*]
    };
}

pub const TARGETS: &[Target] = codecs! {
    "tiff_plain" = common, [1], 16;
    "tiff_fax" = common, [2, 3, 4, 32771], 16;
    "tiff_lzw" = common, [5], 16;
    "tiff_jpeg_old" = common, [6], 64;
    "tiff_jpeg" = common, [7, 33007, 34892], 64;
    "tiff_deflate" = common, [8, 32946, 50013], 16;
    "tiff_runs" = common, [32766, 32809], 16;
    "tiff_packbits" = common, [32773], 16;
    "tiff_lerc" = common, [34887], 16;
    // Dictionaries and windows may be as large as the stream says.
    "tiff_lzma" = common, [34925], 320;
    "tiff_zstd" = common, [34926, 50000], 192;
    "tiff_jp2" = rare, [33003, 33004, 33005, 34712], 256;
    "tiff_webp" = rare, [34927, 50001], 64;
    "tiff_png" = rare, [34933], 64;
    "tiff_jxl" = jxl, [50002, 52546], 256;
};

fn common(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    fuse_imaging::tiff::decode(p, input, out)
}
fn rare(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    fuse_imaging_rare::decode(p, input, out)
}
fn jxl(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    fuse_imaging_jxl::decode(p, input, out)
}

/// Pixels of a tile are few, so that a million of them can be decoded.
const MOST_BYTES: usize = 1 << 20;

/// Input, 20 bytes: compression, predictor, bits, format, samples, bytes of an output sample (u8
/// each), flags (fill order, byte order, alpha, bits of each sample), photometric, width, rows, stored
/// rows (u16 each), subsampling (a nibble each), fax options, LERC's second compression, skipped rows
/// (u8 each), length of the tables (u16); then tables and chunk.
fn tile(data: &[u8], codes: &[u32], decode: fn(&Params, &[u8], &mut [u8]) -> Result<usize>) {
    let mut input = Input::new(data);
    let mut words = [0u32; WORDS];
    words[0] = input.pick(codes);
    words[1] = u32::from(input.u8());
    words[2] = u32::from(input.u8());
    words[3] = u32::from(input.u8());
    words[4] = u32::from(input.u8());
    words[13] = u32::from(input.u8());
    let flags = input.u8();
    words[5] = 1 + u32::from(flags & 1);
    words[6] = u32::from(flags >> 1 & 1);
    words[27] = u32::from(flags >> 2 & 1);
    words[7] = u32::from(input.u8());
    words[8] = u32::from(input.u16());
    words[9] = u32::from(input.u16());
    words[10] = u32::from(input.u16());
    let subsampling = u32::from(input.u8());
    (words[11], words[12]) = (subsampling & 15, subsampling >> 4);
    words[16] = u32::from(input.u8());
    words[17] = u32::from(input.u8());
    words[28] = u32::from(input.u8());
    let length = input.size();
    let tables = input.bytes(length);
    for (i, value) in [0.299f32, 0.587, 0.114].iter().enumerate() {
        words[18 + i] = value.to_bits();
    }
    for (i, value) in [0f32, 255.0, 128.0, 255.0, 128.0, 255.0].iter().enumerate() {
        words[21 + i] = value.to_bits();
    }
    let mut words = words.to_vec();
    if flags & 8 != 0 {
        words.extend((0..words[4]).map(|_| u32::from(input.u8())));
    }
    let Ok(params) = Params::parse(&words, |_, _| tables) else {
        return;
    };
    let Some(bytes) = params.out_bytes().ok().filter(|&n| n <= MOST_BYTES) else {
        return;
    };
    let mut out = vec![0xaa; bytes];
    if let Ok(n) = decode(&params, input.rest(), &mut out) {
        assert!(n <= out.len());
    }
}
