//! Frames, digital words, images, and the codecs of zarr chunks.

use crate::input::Input;
use crate::Target;
use fuse_chunk_codecs::blosc::{self, Filter, Settings};
use fuse_chunk_codecs::calibrate::{calibrate, Calibration};
use fuse_chunk_codecs::crc32c::crc32c;
use fuse_chunk_codecs::downsample::{downsample, Band, Method};
use fuse_chunk_codecs::edges::{find, Edges, Progress};
use fuse_chunk_codecs::frames::{gather, Conversion, Geometry, Window};
use fuse_chunk_codecs::kinds::{Output, STORED};
use fuse_chunk_codecs::rows::{byteswap, WordRule};
use fuse_chunk_codecs::{shuffle, unblosc, unlz4};

pub const TARGETS: &[Target] = &[
    Target::new("gather_frames", gather_frames),
    Target::new("find_edges", find_edges),
    Target::new("downsample", halve),
    Target::new("calibrate", calibrated),
    Target::new("words", words),
    Target::new("lz4_block", lz4_block),
    Target::new("blosc_frame", blosc_frame),
    Target::new("blosc_there_and_back", there_and_back),
];

const OUTPUTS: [Output; 3] = [Output::Raw, Output::F32, Output::F64];

/// Any geometry; raw samples of plain words are compared with the definition.
fn gather_frames(data: &[u8]) {
    let mut input = Input::new(data);
    let rule = WordRule {
        stored: input.pick(&STORED),
        big_endian: input.flag(),
        flip_sign: input.flag(),
        sign_magnitude: input
            .flag()
            .then(|| (u32::from(input.u8()), u32::from(input.u8()))),
    };
    let output = input.pick(&OUTPUTS);
    let channels = usize::from(input.u8() % 40);
    let channel_offsets: Vec<u32> = (0..channels).map(|_| place(&mut input)).collect();
    let samples_per_frame = input.count();
    let sample_offsets: Vec<u32> = match input.flag() && samples_per_frame < 200 {
        true => (0..samples_per_frame).map(|_| place(&mut input)).collect(),
        false => Vec::new(),
    };
    let geometry = Geometry {
        frame_bytes: input.count(),
        samples_per_frame,
        channel_offsets: &channel_offsets,
        sample_stride: input.count(),
        sample_offsets: &sample_offsets,
    };
    let gains = vec![input.f64(); channels];
    let offsets = vec![input.f64(); channels];
    let conversion = Conversion {
        rule,
        output,
        gains: &gains,
        offsets: &offsets,
    };
    let window = Window {
        first_sample: input.count(),
        n_samples: input.count(),
        dst_stride: input.count(),
        dst_first: input.count(),
    };
    let mut out = vec![0xaa; usize::from(input.u8()) * 256];
    let src = input.rest();
    if gather(src, &geometry, &conversion, &window, &mut out).is_err() {
        return;
    }
    if !rule.is_copy() || output != Output::Raw {
        return;
    }
    let width = rule.stored.width();
    for (c, &offset) in channel_offsets.iter().enumerate() {
        for t in 0..window.n_samples {
            let sample = window.first_sample + t;
            let (frame, k) = (sample / samples_per_frame, sample % samples_per_frame);
            let place = match sample_offsets.get(k) {
                Some(&place) => place as usize,
                None => k * geometry.sample_stride,
            };
            let from = frame * geometry.frame_bytes + offset as usize + place;
            // With one channel the stride is not used.
            let to = (c.wrapping_mul(window.dst_stride) + window.dst_first + t) * width;
            if channels == 1 || window.dst_stride >= window.n_samples {
                assert_eq!(out[to..to + width], src[from..from + width]);
            }
        }
    }
}

/// A place in a frame: mostly near its start.
fn place(input: &mut Input) -> u32 {
    match input.u8() {
        255 => u32::MAX,
        254 => input.u32(),
        near => u32::from(near),
    }
}

fn find_edges(data: &[u8]) {
    let mut input = Input::new(data);
    let width = input.pick(&[1, 2, 4]);
    let (previous, mask) = (u64::from(input.u32()), u64::from(input.u32()));
    let room = 32 + usize::from(input.u8());
    let words = input.rest().chunks_exact(width);
    let values: Vec<u64> = words.map(little).collect();
    let (mut index, mut bit, mut level) = (vec![0; room], vec![0; room], vec![0; room]);
    let mut to = Edges {
        index: &mut index,
        bit: &mut bit,
        level: &mut level,
    };
    let Progress { count, consumed } = match width {
        1 => find(&narrowed::<u8>(&values), previous, mask, &mut to),
        2 => find(&narrowed::<u16>(&values), previous, mask, &mut to),
        _ => find(&narrowed::<u32>(&values), previous, mask, &mut to),
    };
    assert!(consumed <= values.len() && count <= room);
    let mask = mask & (u64::MAX >> (64 - 8 * width));
    let mut expected = Vec::new();
    let mut last = previous;
    for (i, &word) in values[..consumed].iter().enumerate() {
        let changed = (0..64).filter(|b| (word ^ last) & mask & (1 << b) != 0);
        expected.extend(changed.map(|b| (i as u32, b as u8, (word >> b & 1) as u8)));
        last = word;
    }
    let found = (0..count).map(|i| (index[i], bit[i], level[i]));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn narrowed<T: TryFrom<u64>>(values: &[u64]) -> Vec<T> {
    let each = values.iter().map(|&v| T::try_from(v));
    each.map(|v| v.unwrap_or_else(|_| unreachable!("words of their own width")))
        .collect()
}

fn halve(data: &[u8]) {
    let mut input = Input::new(data);
    let kind = input.pick(&STORED);
    let method = if input.flag() {
        Method::First
    } else {
        Method::Mean
    };
    let band = Band {
        width: input.count(),
        height: input.count(),
        src_stride: input.count(),
        dst_stride: input.count(),
    };
    let mut out = vec![0; usize::from(input.u8()) * 64];
    if let Ok(rows) = downsample(kind, method, input.rest(), &band, &mut out) {
        assert!(rows == 0 || rows == band.height.div_ceil(2));
    }
}

fn calibrated(data: &[u8]) {
    let mut input = Input::new(data);
    let (kind, to) = (input.pick(&STORED), input.pick(&OUTPUTS));
    let by = Calibration {
        gain: input.f64(),
        offset: input.f64(),
    };
    let n = input.count();
    let mut out = vec![0; usize::from(input.u8()) * 64];
    if let Ok(done) = calibrate(kind, input.rest(), n, by, to, &mut out) {
        assert_eq!(done, n);
    }
}

/// Byte order and checksums: turning twice changes nothing, and a checksum can be taken in pieces.
fn words(data: &[u8]) {
    let mut input = Input::new(data);
    let (unit, split) = (usize::from(input.u8() % 20), input.size());
    let bytes = input.rest();
    let mut turned = bytes.to_vec();
    byteswap(&mut turned, unit);
    byteswap(&mut turned, unit);
    assert_eq!(turned, bytes);
    let (head, tail) = bytes.split_at(split.min(bytes.len()));
    assert_eq!(crc32c(tail, crc32c(head, 0)), crc32c(bytes, 0));
}

fn lz4_block(data: &[u8]) {
    let mut input = Input::new(data);
    let mut out = vec![0; input.size()];
    if let Ok(n) = unlz4::decode(input.rest(), &mut out) {
        assert!(n <= out.len());
    }
}

fn blosc_frame(data: &[u8]) {
    let mut input = Input::new(data);
    let room = input.size();
    let frame = input.rest();
    let header = unblosc::header(frame);
    let mut out = vec![0; room];
    match (unblosc::decode(frame, &mut out), header) {
        (Ok(n), Ok(header)) => assert_eq!(n, header.length),
        (Ok(_), Err(e)) => panic!("decoded without a header: {e:?}"),
        _ => {}
    }
}

fn there_and_back(data: &[u8]) {
    let mut input = Input::new(data);
    let settings = Settings {
        type_size: usize::from(input.u8()),
        filter: input.pick(&[Filter::None, Filter::Shuffle, Filter::BitShuffle]),
        block_size: input.size(),
        acceleration: usize::from(input.u8()),
    };
    // Short inputs repeated, so that there are several blocks and something to compress.
    let times = 1 + usize::from(input.u8() % 32);
    let bytes = input.rest().repeat(times);
    let mut frame = vec![0; blosc::bound(bytes.len())];
    let length = blosc::encode(&bytes, &mut frame, &settings).expect("any bytes can be encoded");
    let mut back = vec![0; bytes.len()];
    assert_eq!(
        unblosc::decode(&frame[..length], &mut back),
        Ok(bytes.len())
    );
    assert_eq!(back, bytes);
    let size = settings.type_size.max(1);
    let mut there = vec![0; bytes.len()];
    shuffle::shuffle(size, &bytes, &mut there);
    shuffle::unshuffle(size, &there, &mut back);
    assert_eq!(back, bytes);
    shuffle::bitshuffle(size, &bytes, &mut there);
    shuffle::bitunshuffle(size, &there, &mut back);
    assert_eq!(back, bytes);
}
