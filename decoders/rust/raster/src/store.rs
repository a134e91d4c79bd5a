//! From stored rows to output samples: byte order, predictor, depth, and planes instead of pixels.

use crate::params::Params;
use crate::{predictor, short, unpack};
use fuse_core::{Error, Result};

/// Writes the stored rows, which may not be changed.
pub fn store(p: &Params, rows: &[u8], out: &mut [u8]) -> Result<usize> {
    let stored = p.stored_bytes()?;
    let rows = rows
        .get(..stored)
        .ok_or_else(|| short(rows.len(), stored))?;
    let row_bytes = p.row_bytes()?;
    let as_they_are = whole_words(p) && p.predictor <= 1 && !(p.big_endian && word_width(p) > 1);
    if as_they_are && p.samples == 1 {
        out[..stored].copy_from_slice(rows);
    } else if as_they_are {
        for (y, row) in rows.chunks_exact(row_bytes).enumerate() {
            planar(p, row, y, out);
        }
    } else {
        let mut copy = vec![0u8; row_bytes];
        for (y, row) in rows.chunks_exact(row_bytes).enumerate() {
            copy.copy_from_slice(row);
            write_rows(p, &mut copy, y, out)?;
        }
    }
    clear_rest(p, out);
    p.out_bytes()
}

/// Writes the stored rows, which the predictor may be undone in.
pub fn store_mut(p: &Params, rows: &mut [u8], out: &mut [u8]) -> Result<usize> {
    let stored = p.stored_bytes()?;
    let length = rows.len();
    let rows = rows
        .get_mut(..stored)
        .ok_or_else(|| short(length, stored))?;
    write_rows(p, rows, 0, out)?;
    clear_rest(p, out);
    p.out_bytes()
}

/// Writes whole stored rows as rows `first` and on of the chunk; they are changed on the way.
pub fn write_rows(p: &Params, rows: &mut [u8], first: usize, out: &mut [u8]) -> Result<()> {
    if !whole_words(p) {
        return write_packed(p, rows, first, out);
    }
    let row_bytes = p.row_bytes()?;
    let width = p.bits as usize / 8;
    if p.predictor > 3 || p.predictor == 3 && !matches!(width, 2 | 4 | 8) {
        return Err(Error::unsupported(format!(
            "predictor {} with {} bits per sample",
            p.predictor, p.bits
        )));
    }
    let mut scratch = vec![0u8; if p.predictor == 3 { row_bytes } else { 0 }];
    for (y, row) in rows.chunks_exact_mut(row_bytes).enumerate() {
        if p.predictor == 3 {
            predictor::float(row, p.samples, width, &mut scratch);
            planar(p, &scratch, first + y, out);
            continue;
        }
        if p.big_endian {
            swap_words(
                row,
                if p.predictor == 2 {
                    width
                } else {
                    word_width(p)
                },
            );
        }
        if p.predictor == 2 {
            undo_differences(row, p.samples, width)?;
        }
        planar(p, row, first + y, out);
    }
    Ok(())
}

/// True when samples are whole bytes of the width they have in the output.
fn whole_words(p: &Params) -> bool {
    p.sample_bits.is_empty()
        && p.bits as usize == p.out_width * 8
        && matches!(p.bits, 8 | 16 | 32 | 64 | 128)
}

/// True for single unsigned samples of 1, 2 or 4 bits: masks and scans.
fn small_plain(p: &Params) -> bool {
    p.samples == 1
        && p.out_width == 1
        && p.predictor <= 1
        && p.sample_bits.is_empty()
        && matches!(p.format, 1 | 4)
        && matches!(p.bits, 1 | 2 | 4)
}

/// Bytes that are swapped together: the halves of a complex number are words of their own.
fn word_width(p: &Params) -> usize {
    let width = p.bits as usize / 8;
    if p.format >= 5 {
        width / 2
    } else {
        width
    }
}

fn swap_words(bytes: &mut [u8], width: usize) {
    match width {
        2 => bytes.chunks_exact_mut(2).for_each(|w| w.swap(0, 1)),
        4 => bytes.chunks_exact_mut(4).for_each(|w| w.reverse()),
        8 => bytes.chunks_exact_mut(8).for_each(|w| w.reverse()),
        _ => {}
    }
}

fn undo_differences(row: &mut [u8], stride: usize, width: usize) -> Result<()> {
    if width == 1 {
        predictor::sum8(row, stride);
        return Ok(());
    }
    // SAFETY: every bit pattern is a valid unsigned integer; `align_to_mut` keeps to whole words.
    unsafe {
        match width {
            2 => {
                if let ([], words, []) = row.align_to_mut::<u16>() {
                    predictor::sum16(words, stride);
                    return Ok(());
                }
            }
            4 => {
                if let ([], words, []) = row.align_to_mut::<u32>() {
                    predictor::sum(words, stride);
                    return Ok(());
                }
            }
            8 => {
                if let ([], words, []) = row.align_to_mut::<u64>() {
                    predictor::sum(words, stride);
                    return Ok(());
                }
            }
            _ => return Err(Error::unsupported("predictor 2 with 128 bits per sample")),
        }
    }
    let step = stride * width;
    for at in (step..row.len()).step_by(width) {
        let mut before = [0u8; 8];
        let mut now = [0u8; 8];
        before[..width].copy_from_slice(&row[at - step..at - step + width]);
        now[..width].copy_from_slice(&row[at..at + width]);
        let total = u64::from_le_bytes(before).wrapping_add(u64::from_le_bytes(now));
        row[at..at + width].copy_from_slice(&total.to_le_bytes()[..width]);
    }
    Ok(())
}

/// Writes one row of little-endian pixels to row `y` of each sample's plane.
pub fn planar(p: &Params, row: &[u8], y: usize, out: &mut [u8]) {
    let plane = p.width * p.rows * p.out_width;
    let line = p.width * p.out_width;
    let start = y * line;
    if p.samples == 1 {
        out[start..start + line].copy_from_slice(&row[..line]);
        return;
    }
    for s in 0..p.samples {
        let target = &mut out[s * plane + start..s * plane + start + line];
        match p.out_width {
            1 => pick::<1>(row, s, p.samples, target),
            2 => pick::<2>(row, s, p.samples, target),
            4 => pick::<4>(row, s, p.samples, target),
            8 => pick::<8>(row, s, p.samples, target),
            _ => pick::<16>(row, s, p.samples, target),
        }
    }
}

#[inline(always)]
fn pick<const W: usize>(row: &[u8], sample: usize, samples: usize, target: &mut [u8]) {
    let pixels = row.chunks_exact(W * samples);
    for (value, pixel) in target.chunks_exact_mut(W).zip(pixels) {
        value.copy_from_slice(&pixel[sample * W..(sample + 1) * W]);
    }
}

/// Zeroes the rows the chunk does not hold.
pub fn clear_rest(p: &Params, out: &mut [u8]) {
    if p.stored_rows == p.rows {
        return;
    }
    let line = p.width * p.out_width;
    for plane in out.chunks_exact_mut(line * p.rows).take(p.samples) {
        plane[p.stored_rows * line..].fill(0);
    }
}

/// Samples of odd widths, unequal widths, or numbers without a machine type.
fn write_packed(p: &Params, rows: &[u8], first: usize, out: &mut [u8]) -> Result<()> {
    if small_plain(p) {
        let (row_bytes, line) = (p.row_bytes()?, p.width);
        let targets = out[first * line..].chunks_exact_mut(line);
        for (row, target) in rows.chunks_exact(row_bytes).zip(targets) {
            unpack::small(row, p.bits, target);
        }
        return Ok(());
    }
    let planes = p.predictor == 3 && p.format == 3 && p.bits == 24;
    if p.predictor > 2 && !planes {
        return Err(Error::unsupported(format!(
            "predictor {} with {} bits per sample",
            p.predictor, p.bits
        )));
    }
    let complex = p.format == 5;
    let parts = if complex { 2 } else { 1 };
    let bits = p.bits / parts as u32;
    if bits > 64 || complex && !p.bits.is_multiple_of(2) || p.format == 3 && bits != 24 {
        return Err(Error::unsupported(format!(
            "{} bits per sample with SampleFormat {}",
            p.bits, p.format
        )));
    }
    let fits = match p.format {
        3 => p.out_width == 4,
        5 => matches!(p.out_width, 8 | 16),
        _ => p.out_width <= 8,
    };
    if !fits {
        return Err(Error::unsupported(format!(
            "{} bits per sample with SampleFormat {} in {} bytes",
            p.bits, p.format, p.out_width
        )));
    }
    let row_bytes = p.row_bytes()?;
    let count = p.width * p.samples;
    let mut values = vec![0u64; count * parts];
    let (plane, line) = (p.width * p.rows * p.out_width, p.width * p.out_width);
    let mut scratch = vec![0u8; if planes { 2 * row_bytes } else { 0 }];
    for (y, row) in rows.chunks_exact(row_bytes).enumerate() {
        if planes {
            let (sums, floats) = scratch.split_at_mut(row_bytes);
            sums.copy_from_slice(row);
            predictor::float(sums, p.samples, 3, floats);
            read_words(floats, 3, &mut values);
        } else {
            read_row(p, row, bits, &mut values);
        }
        if p.predictor == 2 {
            predictor::sum(&mut values, p.samples * parts);
        }
        for (i, parts) in values.chunks_exact(parts).enumerate() {
            let at = (i % p.samples) * plane + (first + y) * line + (i / p.samples) * p.out_width;
            let depth = p.sample_bits.get(i % p.samples).copied().unwrap_or(bits);
            write(p, parts, depth, &mut out[at..at + p.out_width]);
        }
    }
    Ok(())
}

/// Integers of odd widths are one stream of bits, most significant first, in either byte order; floats
/// and complex numbers of whole bytes follow the file's byte order.
fn read_row(p: &Params, row: &[u8], bits: u32, values: &mut [u64]) {
    if !p.sample_bits.is_empty() {
        let mut reader = unpack::Bits::new(row);
        for (i, value) in values.iter_mut().enumerate() {
            *value = reader.take(p.sample_bits[i % p.samples]);
        }
    } else if !p.big_endian && matches!(p.format, 3 | 5) && bits.is_multiple_of(8) {
        read_words(row, bits as usize / 8, values);
    } else {
        unpack::row(row, bits, values);
    }
}

/// Little-endian words of `width` bytes.
fn read_words(row: &[u8], width: usize, values: &mut [u64]) {
    for (value, bytes) in values.iter_mut().zip(row.chunks_exact(width)) {
        let mut word = [0u8; 8];
        word[..width].copy_from_slice(bytes);
        *value = u64::from_le_bytes(word);
    }
}

/// One sample, reduced to its depth, as the output's element.
fn write(p: &Params, parts: &[u64], bits: u32, out: &mut [u8]) {
    let mask = if bits == 64 {
        u64::MAX
    } else {
        (1 << bits) - 1
    };
    let first = parts[0] & mask;
    match p.format {
        2 => out.copy_from_slice(&unpack::sign_extend(first, bits).to_le_bytes()[..p.out_width]),
        3 => out.copy_from_slice(&unpack::float24(first as u32).to_le_bytes()),
        5 => {
            for (part, half) in parts.iter().zip(out.chunks_exact_mut(p.out_width / 2)) {
                let value = unpack::sign_extend(part & mask, bits) as i64;
                if half.len() == 4 {
                    half.copy_from_slice(&(value as f32).to_le_bytes());
                } else {
                    half.copy_from_slice(&(value as f64).to_le_bytes());
                }
            }
        }
        _ => out.copy_from_slice(&first.to_le_bytes()[..p.out_width]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::WORDS;

    #[test]
    fn outputs_too_narrow_for_their_samples_are_refused() {
        // Found by fuzzing: (bits, format, bytes of an output sample).
        for (bits, format, out_width) in [(12, 5, 1), (24, 5, 2), (24, 3, 8), (7, 1, 16)] {
            let mut words = [0; WORDS];
            words[..5].copy_from_slice(&[1, 1, bits, format, 1]);
            words[8..11].copy_from_slice(&[8, 1, 1]);
            words[13] = out_width;
            let p = Params::parse(&words, |_, _| &[]).unwrap();
            let error = store(&p, &[0x5a; 64], &mut [0; 256]).unwrap_err();
            assert_eq!(error.kind, fuse_core::Kind::Unsupported);
        }
    }
}
