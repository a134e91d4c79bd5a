//! The gather as the host calls it.

use super::{gather, Conversion, Geometry, Window};
use crate::kinds::{Output, Stored};
use crate::rows::WordRule;
use fuse_core::abi::{input, output, status};

/// What the host writes for one kind of gather; every field is one pointer-sized word.
#[repr(C)]
pub struct GatherParams {
    src: *const u8,
    src_len: usize,
    frame_bytes: usize,
    samples_per_frame: usize,
    channel_offsets: *const u32,
    n_channels: usize,
    sample_stride: usize,
    /// `samples_per_frame` places, or null.
    sample_offsets: *const u32,
    stored: usize,
    /// 1: big endian, 2: flip the sign bit.
    flags: usize,
    /// 0: two's complement.
    magnitude_bits: usize,
    sign_bit: usize,
    /// 0: raw, 1: float32, 2: float64.
    output: usize,
    gains: *const f64,
    offsets: *const f64,
    dst: *mut u8,
    dst_len: usize,
    dst_stride: usize,
    dst_first: usize,
    first_sample: usize,
    n_samples: usize,
}

/// De-interleaves frames; returns the number of samples written to each row.
///
/// # Safety
/// `params` must be valid, and its pointers readable and writable for the lengths they come with.
#[no_mangle]
pub unsafe extern "C" fn gather_frames(params: *const GatherParams) -> i32 {
    let p = params.read_unaligned();
    status((|| {
        let stored = Stored::from_code(u32::try_from(p.stored).unwrap_or(u32::MAX))?;
        let n_places = if p.sample_offsets.is_null() {
            0
        } else {
            p.samples_per_frame
        };
        let calibrated = if p.gains.is_null() || p.offsets.is_null() {
            0
        } else {
            p.n_channels
        };
        let geometry = Geometry {
            frame_bytes: p.frame_bytes,
            samples_per_frame: p.samples_per_frame,
            channel_offsets: input(p.channel_offsets, p.n_channels),
            sample_stride: p.sample_stride,
            sample_offsets: input(p.sample_offsets, n_places),
        };
        let conversion = Conversion {
            rule: WordRule {
                stored,
                big_endian: p.flags & 1 != 0,
                flip_sign: p.flags & 2 != 0,
                sign_magnitude: (p.magnitude_bits > 0)
                    .then_some((p.magnitude_bits as u32, p.sign_bit as u32)),
            },
            output: Output::from_code(p.output as u32)?,
            gains: input(p.gains, calibrated),
            offsets: input(p.offsets, calibrated),
        };
        let window = Window {
            first_sample: p.first_sample,
            n_samples: p.n_samples,
            dst_stride: p.dst_stride,
            dst_first: p.dst_first,
        };
        let src = input(p.src, p.src_len);
        gather(
            src,
            &geometry,
            &conversion,
            &window,
            output(p.dst, p.dst_len),
        )
    })())
}
