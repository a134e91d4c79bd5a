//! Gathers of random geometries against the definition.

use super::*;
use crate::kinds::{Stored, STORED};
use crate::random::Random;

/// The bytes of one stored word as its decoded bytes, by plain arithmetic.
fn decoded(rule: &WordRule, word: &[u8]) -> Vec<u8> {
    let mut w = word.to_vec();
    if rule.big_endian {
        w.chunks_mut(rule.stored.swap_unit())
            .for_each(<[u8]>::reverse);
    }
    if rule.flip_sign {
        *w.last_mut().expect("a byte") ^= 0x80;
    }
    if let Stored::I24 | Stored::U24 = rule.stored {
        let signed = rule.stored == Stored::I24 || rule.flip_sign;
        w.push(if signed && w[2] & 0x80 != 0 { 0xff } else { 0 });
    }
    if let Some((bits, sign)) = rule.sign_magnitude {
        let x = u16::from_le_bytes([w[0], w[1]]);
        let magnitude = (x & ((1 << bits) - 1)) as i16;
        let value = if x >> sign & 1 == 1 {
            -magnitude
        } else {
            magnitude
        };
        w = value.to_le_bytes().to_vec();
    }
    w
}

#[test]
fn random_geometries_agree_with_the_definition() {
    let mut random = Random::new(9);
    for round in 0..250 {
        let stored = STORED[random.below(STORED.len())];
        if matches!(stored, Stored::ALaw | Stored::MuLaw) {
            continue;
        }
        let words16 = matches!(stored, Stored::I16 | Stored::U16);
        let sign_magnitude = (words16 && round % 3 == 0).then_some((12, 15));
        let rule = WordRule {
            stored,
            big_endian: random.below(2) == 1,
            flip_sign: stored.is_integer() && sign_magnitude.is_none() && round % 5 == 0,
            sign_magnitude,
        };
        let (width, channels) = (stored.width(), 1 + random.below(40));
        let spf = [1, 1, 4, 33, 200][random.below(5)];
        let interleaved = random.below(2) == 0;
        let lead = [0, 6][random.below(2)];
        let stride = if interleaved { channels * width } else { width };
        let mut channel_offsets: Vec<u32> = (0..channels)
            .map(|c| (lead + c * width * if interleaved { 1 } else { spf }) as u32)
            .collect();
        if random.below(3) == 0 {
            let (a, b) = (random.below(channels), random.below(channels));
            channel_offsets.swap(a, b);
        }
        let sample_offsets: Vec<u32> = match random.below(4) {
            0 => (0..spf).rev().map(|k| (k * stride) as u32).collect(),
            _ => Vec::new(),
        };
        let geometry = Geometry {
            frame_bytes: lead + channels * spf * width,
            samples_per_frame: spf,
            channel_offsets: &channel_offsets,
            sample_stride: stride,
            sample_offsets: &sample_offsets,
        };
        let frames = 1 + random.below(1 + 400 / spf);
        let src = random.bytes(frames * geometry.frame_bytes);
        let first = random.below(frames * spf);
        let n = 1 + random.below(frames * spf - first);
        let out = rule.decoded().width();
        let conversion = Conversion {
            rule,
            output: Output::Raw,
            gains: &[],
            offsets: &[],
        };
        let window = Window {
            first_sample: first,
            n_samples: n,
            dst_stride: n + 3,
            dst_first: 2,
        };
        let mut dst = vec![0xaa; (channels * (n + 3)) * out];
        assert_eq!(
            gather(&src, &geometry, &conversion, &window, &mut dst),
            Ok(n)
        );
        for (c, &offset) in channel_offsets.iter().enumerate() {
            for t in 0..n {
                let (frame, k) = ((first + t) / spf, (first + t) % spf);
                let place = sample_offsets.get(k).map_or(k * stride, |&o| o as usize);
                let at = frame * geometry.frame_bytes + offset as usize + place;
                let to = (c * (n + 3) + 2 + t) * out;
                assert_eq!(dst[to..to + out], decoded(&rule, &src[at..at + width])[..]);
            }
            let row = c * (n + 3) * out;
            assert!(dst[row..row + 2 * out].iter().all(|&b| b == 0xaa));
            assert!(dst[row + (n + 2) * out..][..out].iter().all(|&b| b == 0xaa));
        }
    }
}

#[test]
fn numbers_that_do_not_fit_are_errors() {
    let geometry = Geometry {
        frame_bytes: usize::MAX / 2,
        samples_per_frame: 1,
        channel_offsets: &[u32::MAX],
        sample_stride: usize::MAX,
        sample_offsets: &[],
    };
    let rule = WordRule::plain(Stored::I16);
    let raw = Conversion {
        rule,
        output: Output::Raw,
        gains: &[],
        offsets: &[],
    };
    let window = Window {
        first_sample: 7,
        n_samples: 9,
        dst_stride: 9,
        dst_first: 0,
    };
    let error = gather(&[0; 64], &geometry, &raw, &window, &mut [0; 64]).unwrap_err();
    assert_eq!(error.kind, fuse_core::Kind::Truncated);
    let near = Geometry {
        frame_bytes: 2,
        channel_offsets: &[0],
        ..geometry
    };
    let wide = Window {
        dst_first: usize::MAX - 9,
        first_sample: 0,
        ..window
    };
    let error = gather(&[0; 64], &near, &raw, &wide, &mut [0; 64]).unwrap_err();
    assert_eq!(error.kind, fuse_core::Kind::Limit);
    // Found by fuzzing, where addresses have 64 bits.
    let endless = Window {
        first_sample: usize::MAX,
        ..window
    };
    assert!(gather(&[0; 64], &near, &raw, &endless, &mut [0; 64]).is_err());
    // Found by fuzzing, where they have 32: frames of no bytes lie in any source.
    let nothing = Geometry {
        frame_bytes: 0,
        sample_stride: 0,
        ..near
    };
    assert!(gather(&[0; 64], &nothing, &raw, &endless, &mut [0; 64]).is_err());
    let none = Geometry {
        samples_per_frame: 0,
        ..near
    };
    assert!(gather(&[0; 64], &none, &raw, &window, &mut [0; 64]).is_err());
    let float = WordRule {
        flip_sign: true,
        ..WordRule::plain(Stored::F32)
    };
    let odd = Conversion { rule: float, ..raw };
    assert!(gather(&[0; 64], &near, &odd, &window, &mut [0; 64]).is_err());
}
