//! Interleaved frames to one row of values per channel.
//!
//! A sample lies at `frame + channel_offsets[c] + place[k]`, so the work is a gather whose address is
//! the sum of a part that depends on time only and a part that depends on the channel only. It is done
//! in tiles that fit the first-level cache: words are moved to rows, then each row is decoded and
//! calibrated where it lies.

use crate::calibrate::{calibrate_row, Calibration};
use crate::kinds::Output;
use crate::rows::{decode_row, WordRule};
use crate::transpose::{gather_words, Moments};
use fuse_core::{Error, Result};
use std::mem::MaybeUninit;

/// Where the samples of a frame are.
#[derive(Clone, Copy)]
pub struct Geometry<'a> {
    pub frame_bytes: usize,
    pub samples_per_frame: usize,
    pub channel_offsets: &'a [u32],
    pub sample_stride: usize,
    /// Irregular places of the samples inside a frame; empty when the stride says it.
    pub sample_offsets: &'a [u32],
}

/// What to make of the samples.
#[derive(Clone, Copy)]
pub struct Conversion<'a> {
    pub rule: WordRule,
    pub output: Output,
    /// Per channel; empty for raw output.
    pub gains: &'a [f64],
    pub offsets: &'a [f64],
}

/// Which samples, and where their values go: row `c` starts at element `c * stride + first`.
#[derive(Clone, Copy)]
pub struct Window {
    pub first_sample: usize,
    pub n_samples: usize,
    pub dst_stride: usize,
    pub dst_first: usize,
}

/// Samples of a row moved at a time when words are transposed.
const TILE: usize = 64;
/// Samples moved at a time when a channel's words already lie side by side.
const COPY_TILE: usize = 1024;
/// Channels of a tile.
const GROUP: usize = 32;
/// Bytes of the tile of words that still need decoding, and of decoded values.
const SCRATCH: usize = TILE * GROUP * 16;

/// Work space, deliberately not cleared: rows are written before they are read.
#[repr(align(64))]
struct Scratch(MaybeUninit<[u8; SCRATCH]>);

impl Scratch {
    fn new() -> Scratch {
        Scratch(MaybeUninit::uninit())
    }
    fn at(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

/// Gathers the samples of `window` from `src`, which begins at a frame's start, into rows of `dst`.
pub fn gather(
    src: &[u8],
    at: &Geometry,
    to: &Conversion,
    window: &Window,
    dst: &mut [u8],
) -> Result<usize> {
    check(src.len(), at, to, window, dst.len())?;
    if window.n_samples == 0 || at.channel_offsets.is_empty() {
        return Ok(0);
    }
    // SAFETY: `check` has shown that every sample lies in `src` and every value in `dst`.
    unsafe { run(src.as_ptr(), at, to, window, dst.as_mut_ptr()) };
    Ok(window.n_samples)
}

fn check(
    src_len: usize,
    at: &Geometry,
    to: &Conversion,
    window: &Window,
    dst_len: usize,
) -> Result<()> {
    to.rule.check()?;
    let decoded = to.rule.decoded();
    let channels = at.channel_offsets.len();
    if to.output != Output::Raw {
        if decoded.is_complex() {
            return Err(Error::unsupported("calibrated complex samples"));
        }
        if to.gains.len() != channels || to.offsets.len() != channels {
            return Err(Error::limit(
                "a gain and an offset are needed for every channel",
            ));
        }
    }
    let spf = at.samples_per_frame;
    if spf == 0 || !(at.sample_offsets.is_empty() || at.sample_offsets.len() == spf) {
        return Err(Error::limit(
            "the frame's sample places do not match its sample count",
        ));
    }
    if channels == 0 || window.n_samples == 0 {
        return Ok(());
    }
    let (first, count) = (window.first_sample as u64, window.n_samples as u64);
    // Frames of no bytes put no bound on the numbers of samples.
    let end = first
        .checked_add(count)
        .filter(|&end| usize::try_from(end).is_ok())
        .ok_or_else(|| Error::limit("more samples than can be numbered"))?;
    let needed = reach(at, first, end, to.rule.stored.width() as u64);
    if needed > src_len as u64 {
        return Err(Error::truncated(format!(
            "samples {} to {} need {needed} bytes of frames, {src_len} are there",
            window.first_sample,
            end - 1
        ))
        .at(src_len));
    }
    let width = to.output.width(decoded) as u128;
    let last = (channels as u128 - 1) * window.dst_stride as u128
        + window.dst_first as u128
        + window.n_samples as u128;
    if last * width > dst_len as u128 {
        return Err(Error::limit(format!(
            "the rows need {} bytes, {dst_len} are there",
            last * width
        )));
    }
    Ok(())
}

/// Bytes from the start of the first frame to the end of the last byte read.
fn reach(at: &Geometry, first: u64, end: u64, width: u64) -> u64 {
    let spf = at.samples_per_frame as u64;
    let channel = at.channel_offsets.iter().copied().max().unwrap_or(0) as u64;
    let furthest = |from: u64, to: u64| -> u64 {
        if at.sample_offsets.is_empty() {
            (to - 1).saturating_mul(at.sample_stride as u64)
        } else {
            at.sample_offsets[from as usize..to as usize]
                .iter()
                .copied()
                .max()
                .unwrap_or(0) as u64
        }
    };
    let frame_end = |frame: u64, from: u64, to: u64| -> u64 {
        frame
            .saturating_mul(at.frame_bytes as u64)
            .saturating_add(furthest(from, to))
            .saturating_add(channel + width)
    };
    let (first_frame, last_frame) = (first / spf, (end - 1) / spf);
    let last_to = (end - 1) % spf + 1;
    if first_frame == last_frame {
        return frame_end(first_frame, first % spf, last_to);
    }
    let mut most = frame_end(first_frame, first % spf, spf).max(frame_end(last_frame, 0, last_to));
    if last_frame - first_frame > 1 {
        most = most.max(frame_end(last_frame - 1, 0, spf));
    }
    most
}

unsafe fn run(src: *const u8, at: &Geometry, to: &Conversion, window: &Window, dst: *mut u8) {
    let width = to.rule.stored.width();
    let regular = at.sample_offsets.is_empty();
    let mut at = *at;
    if regular && at.samples_per_frame == 1 {
        at.sample_stride = at.frame_bytes;
    }
    if regular && at.frame_bytes == at.samples_per_frame.saturating_mul(at.sample_stride) {
        // No gap between frames: one frame without end.
        at.samples_per_frame = usize::MAX;
    }
    let end = window.first_sample + window.n_samples;
    let element = to.output.width(to.rule.decoded());
    // With one channel the stride is not used and may be any number.
    let row_bytes = window.dst_stride.wrapping_mul(element);
    let start = dst.add(window.dst_first * element);
    // Few channels take longer tiles, so that the work per tile counts for less.
    let direct = to.output == Output::Raw && width == element;
    let rows = at.channel_offsets.len();
    let long_tile = match direct {
        true => (SCRATCH / 2 / (rows * width)).clamp(TILE, COPY_TILE),
        false => (SCRATCH / 2 / (rows.min(GROUP) * width)).clamp(TILE, COPY_TILE),
    } / 16
        * 16;
    let (mut words, mut scratch) = (Scratch::new(), Scratch::new());
    let mut sample = window.first_sample;
    while sample < end {
        let done = sample - window.first_sample;
        let out = start.add(done * element);
        if regular && at.sample_stride == width {
            let in_frame = sample % at.samples_per_frame;
            let n = (end - sample)
                .min(COPY_TILE)
                .min(at.samples_per_frame - in_frame);
            let base = src.add(sample / at.samples_per_frame * at.frame_bytes + in_frame * width);
            for (c, &offset) in at.channel_offsets.iter().enumerate() {
                let row = out.add(c * row_bytes);
                finish_row(to, c, base.add(offset as usize), n, row, scratch.at());
            }
            sample += n;
        } else {
            let mut bases = [0usize; TILE];
            let moments = if at.samples_per_frame == usize::MAX {
                let stride = at.sample_stride;
                let count = (end - sample).min(long_tile);
                Moments::Even {
                    first: sample * stride,
                    stride,
                    count,
                }
            } else {
                let n = (end - sample).min(TILE);
                fill_bases(&at, sample, &mut bases[..n]);
                Moments::Each(&bases[..n])
            };
            transpose_tile(
                src,
                &at,
                to,
                moments,
                out,
                row_bytes,
                words.at(),
                scratch.at(),
            );
            sample += moments.count();
        }
    }
}

/// The part of the address that depends on time, for consecutive samples.
fn fill_bases(at: &Geometry, first: usize, bases: &mut [usize]) {
    let mut frame = first / at.samples_per_frame * at.frame_bytes;
    let mut k = first % at.samples_per_frame;
    for base in bases {
        *base = frame
            + match at.sample_offsets.get(k) {
                Some(&place) => place as usize,
                None => k * at.sample_stride,
            };
        k += 1;
        if k == at.samples_per_frame {
            k = 0;
            frame += at.frame_bytes;
        }
    }
}

unsafe fn transpose_tile(
    src: *const u8,
    at: &Geometry,
    to: &Conversion,
    moments: Moments,
    out: *mut u8,
    row_bytes: usize,
    words: *mut u8,
    scratch: *mut u8,
) {
    let width = to.rule.stored.width();
    let n = moments.count();
    if to.output == Output::Raw && width == to.rule.decoded().width() {
        let change = to.rule.change();
        let rule = &to.rule;
        let fix = |c: usize| decode_row(rule, out.add(c * row_bytes), n, out.add(c * row_bytes));
        let offsets = at.channel_offsets;
        gather_words(
            width,
            src,
            moments,
            offsets,
            out,
            row_bytes,
            change.as_ref(),
            fix,
        );
        if change.is_none() && !rule.is_copy() {
            (0..offsets.len()).for_each(fix);
        }
        return;
    }
    for (group, offsets) in at.channel_offsets.chunks(GROUP).enumerate() {
        let stride = n * width;
        gather_words(width, src, moments, offsets, words, stride, None, |_| ());
        for i in 0..offsets.len() {
            let c = group * GROUP + i;
            finish_row(
                to,
                c,
                words.add(i * stride),
                n,
                out.add(c * row_bytes),
                scratch,
            );
        }
    }
}

/// Decodes, and calibrates if asked, `n` adjacent words of channel `c` into their place.
#[inline]
unsafe fn finish_row(
    to: &Conversion,
    c: usize,
    words: *const u8,
    n: usize,
    out: *mut u8,
    scratch: *mut u8,
) {
    if to.output == Output::Raw {
        return decode_row(&to.rule, words, n, out);
    }
    let values = if to.rule.is_copy() {
        words
    } else {
        decode_row(&to.rule, words, n, scratch);
        scratch
    };
    let by = Calibration {
        gain: to.gains[c],
        offset: to.offsets[c],
    };
    calibrate_row(to.rule.decoded(), values, n, by, to.output, out);
}

mod abi;
#[cfg(test)]
mod tests;
