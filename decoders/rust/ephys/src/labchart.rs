//! Sample blocks of ADInstruments LabChart documents: PackBits over bit planes of differences.
//!
//! A block holds the samples of one channel. Its packed form, once PackBits is undone, is a row of
//! bit planes of whole 32-bit words: plane `p` has one bit of every sample's symbol. Three kinds of
//! symbols occur: in Windows documents 17-bit differences of 16-bit samples and the bits of
//! single-precision differences; in Macintosh documents 32-bit differences of integers.

use fuse_core::bytes::View;
use fuse_core::{Error, Result};

/// What a packed block's symbols are, and how its planes are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbols {
    /// Twice the size of the difference plus its sign; plane 0 has bit 0; little-endian words, the
    /// first sample in bit 0. Samples wrap at 16 bits.
    Int16,
    /// Bits of the difference as a float; plane 0 has bit 31; little-endian words, the first sample
    /// in bit 31.
    Float32,
    /// As `Int16` with 32 bits; plane 0 has bit 31; big-endian words, the first sample in bit 31.
    MacInt32,
}

impl Symbols {
    fn planes(self) -> usize {
        match self {
            Symbols::Int16 => 17,
            _ => 32,
        }
    }

    /// Bytes of a decoded sample.
    pub fn sample_bytes(self) -> usize {
        match self {
            Symbols::Int16 => 2,
            _ => 4,
        }
    }

    /// Bytes of the planes of `count` samples.
    pub fn plane_bytes(self, count: usize) -> Option<usize> {
        count.div_ceil(32).checked_mul(4 * self.planes())
    }
}

/// Undoes PackBits until `out` is full. Code 128 is a run of 129, not the no-operation it is
/// elsewhere. Returns the bytes used.
pub fn unpack_bits(packed: &[u8], out: &mut [u8]) -> Result<usize> {
    let (mut from, mut to) = (0, 0);
    let early = |at: usize, to: usize, want: usize| {
        Error::truncated(format!("packed samples end after {to} of {want} bytes")).at(at)
    };
    while to < out.len() {
        let &code = packed.get(from).ok_or_else(|| early(from, to, out.len()))?;
        from += 1;
        if code < 128 {
            // A last literal may reach past what is needed.
            let length = (usize::from(code) + 1).min(out.len() - to);
            let literal = packed
                .get(from..from + length)
                .ok_or_else(|| early(from, to, out.len()))?;
            out[to..to + length].copy_from_slice(literal);
            from += usize::from(code) + 1;
            to += length;
        } else {
            let &byte = packed.get(from).ok_or_else(|| early(from, to, out.len()))?;
            let length = (257 - usize::from(code)).min(out.len() - to);
            out[to..to + length].fill(byte);
            from += 1;
            to += length;
        }
    }
    Ok(from)
}

/// Turns 32 rows of 32 bits into their columns: bit `p` of row `j` becomes bit `j` of row `p`.
fn transpose(rows: &mut [u32; 32]) {
    let mut width = 16;
    let mut mask = 0x0000_ffffu32;
    while width > 0 {
        let mut k = 0;
        while k < 32 {
            let swap = ((rows[k] >> width) ^ rows[k + width]) & mask;
            rows[k] ^= swap << width;
            rows[k + width] ^= swap;
            k = (k + width + 1) & !width;
        }
        width >>= 1;
        mask ^= mask << width;
    }
}

/// The difference a symbol stands for: its sign is in bit 0.
fn signed(symbol: u32) -> i32 {
    let size = (symbol >> 1) as i32;
    if symbol & 1 != 0 {
        size.wrapping_neg()
    } else {
        size
    }
}

/// Sums up the symbols of `count` samples into `out`, little-endian.
pub fn sum_planes(planes: &[u8], symbols: Symbols, count: usize, out: &mut [u8]) -> Result<()> {
    let words = count.div_ceil(32);
    let stride = 4 * words;
    let width = symbols.sample_bytes();
    if symbols.plane_bytes(count) != Some(planes.len()) || out.len() / width < count {
        return Err(Error::limit("the buffers do not fit the samples"));
    }
    let (mut integer, mut real) = (0i32, 0f32);
    for word in 0..words {
        let mut rows = [0u32; 32];
        for (plane, bytes) in planes.chunks_exact(stride).enumerate() {
            let bits = &bytes[4 * word..4 * word + 4];
            let bits = [bits[0], bits[1], bits[2], bits[3]];
            match symbols {
                Symbols::Int16 => rows[plane] = u32::from_le_bytes(bits),
                Symbols::Float32 => rows[31 - plane] = u32::from_le_bytes(bits),
                Symbols::MacInt32 => rows[31 - plane] = u32::from_be_bytes(bits),
            }
        }
        transpose(&mut rows);
        let first = 32 * word;
        let samples = out[first * width..].chunks_exact_mut(width);
        for (j, sample) in samples.take((count - first).min(32)).enumerate() {
            match symbols {
                Symbols::Int16 => {
                    integer = integer.wrapping_add(signed(rows[j]));
                    sample.copy_from_slice(&(integer as i16).to_le_bytes());
                }
                Symbols::Float32 => {
                    let difference = f32::from_bits(rows[31 - j]);
                    real = if first + j == 0 {
                        difference
                    } else {
                        real + difference
                    };
                    sample.copy_from_slice(&real.to_le_bytes());
                }
                Symbols::MacInt32 => {
                    integer = integer.wrapping_add(signed(rows[31 - j]));
                    sample.copy_from_slice(&integer.to_le_bytes());
                }
            }
        }
    }
    Ok(())
}

/// Bytes of the head of a block in a Windows document.
pub const HEAD_BYTES: usize = 16;
const FLOAT: u32 = 1;
const PACKED: u32 = 4;
const PLAIN: u32 = 0x8000_0000;

/// Decodes a block of a Windows document, head included: length, 0 or a check value, minus length,
/// flags; then the length of the samples and their packed form, or the samples themselves.
pub fn block(bytes: &[u8], symbols: Symbols, count: usize, out: &mut [u8]) -> Result<usize> {
    let view = View::le(bytes);
    let short = || Error::truncated("the block ends inside its head");
    let length = view.i32(0).ok_or_else(short)?;
    let negative = view.i32(8).ok_or_else(short)?;
    let flags = view.u32(12).ok_or_else(short)?;
    let end = usize::try_from(length).ok().and_then(|n| n.checked_add(4));
    if negative != length.wrapping_neg() || end != Some(bytes.len()) {
        return Err(Error::corrupt(format!(
            "not a block of samples: lengths {length} and {negative}"
        )));
    }
    let wanted = count
        .checked_mul(symbols.sample_bytes())
        .ok_or_else(|| Error::limit("too many samples"))?;
    let other = |found: usize| {
        Error::corrupt(format!(
            "a block of {found} bytes of samples, {wanted} expected"
        ))
    };
    if flags & PACKED == 0 {
        // Blocks that packing would not make smaller do not tell their type.
        let body = bytes.get(HEAD_BYTES..).unwrap_or_default();
        if flags & PLAIN == 0 && body.len() != wanted {
            return Err(Error::unsupported(format!("block flags {flags:#x}")));
        }
        if body.len() != wanted {
            return Err(other(body.len()));
        }
        let Some(out) = out.get_mut(..wanted) else {
            return Err(Error::limit("the buffer is smaller than the samples"));
        };
        out.copy_from_slice(body);
        return Ok(count);
    }
    if (flags & FLOAT != 0) != (symbols == Symbols::Float32) {
        return Err(Error::corrupt(format!(
            "block flags {flags:#x} are of another type than the channel's"
        )));
    }
    let stated = view.u32(HEAD_BYTES).ok_or_else(short)? as usize;
    if stated != wanted {
        return Err(other(stated));
    }
    planes(
        bytes.get(HEAD_BYTES + 4..).unwrap_or_default(),
        symbols,
        count,
        out,
    )
}

/// Decodes packed planes.
pub fn planes(packed: &[u8], symbols: Symbols, count: usize, out: &mut [u8]) -> Result<usize> {
    // Each packed byte gives at most 129 / 2.
    let size = symbols
        .plane_bytes(count)
        .filter(|&n| n / 65 <= packed.len())
        .ok_or_else(|| Error::truncated(format!("{} bytes of packed samples", packed.len())))?;
    let mut unpacked = fuse_core::buffer(size, 1 << 30)?;
    unpack_bits(packed, &mut unpacked)?;
    sum_planes(&unpacked, symbols, count, out)?;
    Ok(count)
}

/// The functions the host calls.
mod exports {
    use super::{block, planes, Symbols};
    use fuse_core::abi::{input, output, status};
    use fuse_core::Error;

    /// A block of `count` samples: `kind` 0 16-bit, 1 float of a Windows document, 2 packed planes of
    /// a Macintosh document. `out` is filled with little-endian samples.
    ///
    /// # Safety
    /// `bytes` must be valid for `length` and `out` for `out_bytes`.
    #[no_mangle]
    pub unsafe extern "C" fn labchart_block(
        bytes: *const u8,
        length: usize,
        kind: u32,
        count: usize,
        out: *mut u8,
        out_bytes: usize,
    ) -> i32 {
        let bytes = input(bytes, length);
        let out = output(out, out_bytes);
        status(match kind {
            0 => block(bytes, Symbols::Int16, count, out),
            1 => block(bytes, Symbols::Float32, count, out),
            2 => planes(bytes, Symbols::MacInt32, count, out),
            _ => Err(Error::unsupported(format!("kind {kind} of blocks"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The planes of symbols, bit by bit as the layout is described.
    fn planes_of(symbols: &[u32], kind: Symbols) -> Vec<u8> {
        let bytes = 4 * symbols.len().div_ceil(32);
        let mut out = vec![0u8; bytes * kind.planes()];
        for (i, &symbol) in symbols.iter().enumerate() {
            for plane in 0..kind.planes() {
                let bit = match kind {
                    Symbols::Int16 => symbol >> plane & 1,
                    _ => symbol >> (31 - plane) & 1,
                };
                if bit == 0 {
                    continue;
                }
                let (byte, shift) = match kind {
                    Symbols::Int16 => (i / 8, i % 8),
                    Symbols::Float32 => (4 * (i / 32) + 3 - i % 32 / 8, 7 - i % 8),
                    Symbols::MacInt32 => (i / 8, 7 - i % 8),
                };
                out[plane * bytes + byte] |= 1 << shift;
            }
        }
        out
    }

    fn symbol(difference: i64) -> u32 {
        (2 * difference.unsigned_abs() + u64::from(difference < 0)) as u32
    }

    #[test]
    fn the_code_128_is_a_run_of_129() {
        let mut out = [9u8; 134];
        assert_eq!(
            unpack_bits(&[2, 1, 2, 3, 0x80, 7, 0xff, 5, 77], &mut out),
            Ok(8)
        );
        assert_eq!(out[..4], [1, 2, 3, 7]);
        assert!(out[3..132].iter().all(|&b| b == 7));
        assert_eq!(out[132..], [5, 5]);
        assert!(unpack_bits(&[2, 1, 2], &mut out).is_err());
        assert!(unpack_bits(&[0x81], &mut out).is_err());
        assert!(unpack_bits(&[], &mut out).is_err());
        assert_eq!(unpack_bits(&[5, 1, 2, 3, 4, 5, 6], &mut out[..2]), Ok(7));
    }

    #[test]
    fn integers_wrap_and_begin_anywhere() {
        let samples = [-32768i16, 32767, -1, 0, 5, 5, -300, 12345, -32768, -32767];
        let samples: Vec<i16> = samples.iter().copied().cycle().take(77).collect();
        let mut before = 0i64;
        let symbols: Vec<u32> = samples
            .iter()
            .map(|&x| {
                let d = i64::from(x) - before;
                before = i64::from(x);
                symbol(d)
            })
            .collect();
        let mut out = vec![0u8; 154];
        sum_planes(
            &planes_of(&symbols, Symbols::Int16),
            Symbols::Int16,
            77,
            &mut out,
        )
        .unwrap();
        let got: Vec<i16> = out
            .chunks_exact(2)
            .map(|b| i16::from_le_bytes([b[0], b[1]]))
            .collect();
        assert_eq!(got, samples);
        let mut out = vec![0u8; 308];
        sum_planes(
            &planes_of(&symbols, Symbols::MacInt32),
            Symbols::MacInt32,
            77,
            &mut out,
        )
        .unwrap();
        let got: Vec<i32> = out
            .chunks_exact(4)
            .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_eq!(got, samples.iter().map(|&x| x.into()).collect::<Vec<i32>>());
    }

    #[test]
    fn floats_are_summed_in_single_precision_from_the_first_as_it_is() {
        let differences = [-0.0f32, 1e-3, 16_777_216.0, 1.0, -3.5];
        let symbols: Vec<u32> = differences.iter().map(|d| d.to_bits()).collect();
        let mut out = [0u8; 20];
        sum_planes(
            &planes_of(&symbols, Symbols::Float32),
            Symbols::Float32,
            5,
            &mut out,
        )
        .unwrap();
        let got: Vec<u32> = out
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        let mut sum = differences[0];
        let mut want = vec![sum.to_bits()];
        for d in &differences[1..] {
            sum += d;
            want.push(sum.to_bits());
        }
        assert_eq!(got, want);
        assert_eq!(want[0], 0x8000_0000);
    }

    fn framed(flags: u32, body: &[u8]) -> Vec<u8> {
        let length = (body.len() + 12) as i32;
        let mut bytes = Vec::new();
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((-length).to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(body);
        bytes
    }

    #[test]
    fn blocks_packed_and_plain() {
        let symbols: Vec<u32> = (0..40).map(|i| symbol(i - 20)).collect();
        let planes = planes_of(&symbols, Symbols::Int16);
        let mut body = 80u32.to_le_bytes().to_vec();
        for part in planes.chunks(128) {
            body.push((part.len() - 1) as u8);
            body.extend(part);
        }
        let mut out = [0u8; 80];
        let packed = framed(0x104, &body);
        assert_eq!(block(&packed, Symbols::Int16, 40, &mut out), Ok(40));
        assert_eq!(out[..4], [0xec, 0xff, 0xd9, 0xff]);
        assert!(block(&packed, Symbols::Float32, 20, &mut out).is_err());
        assert!(block(&packed, Symbols::Int16, 39, &mut out).is_err());
        assert!(block(&packed[..60], Symbols::Int16, 40, &mut out).is_err());
        let plain = framed(0x8000_0100, &[1, 2, 3, 4]);
        assert_eq!(block(&plain, Symbols::Float32, 1, &mut out), Ok(1));
        assert_eq!(out[..4], [1, 2, 3, 4]);
        assert!(block(&plain, Symbols::Int16, 1, &mut out).is_err());
        assert!(block(&framed(0x200, &[1, 2]), Symbols::Int16, 4, &mut out).is_err());
        for end in 0..16 {
            assert!(block(&packed[..end], Symbols::Int16, 40, &mut out).is_err());
        }
        let huge = framed(0x104, &[0xff; 40]);
        assert!(block(&huge, Symbols::Int16, 0x7fff_ffff, &mut out).is_err());
    }
}
