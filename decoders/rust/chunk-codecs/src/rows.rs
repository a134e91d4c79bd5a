//! Stored words of one channel, already side by side, to decoded values: byte order, offset binary,
//! sign and magnitude, 24-bit words and the G.711 laws.

use crate::kinds::Stored;
use crate::simd::*;
use crate::transpose::Change;
use fuse_core::{Error, Result};

/// What must be done to a stored word to make a number of it.
#[derive(Clone, Copy, Debug)]
pub struct WordRule {
    pub stored: Stored,
    pub big_endian: bool,
    /// The top bit is inverted: offset binary becomes two's complement.
    pub flip_sign: bool,
    /// Sign and magnitude in a 16-bit word: (magnitude bits counted from bit 0, index of the sign bit).
    pub sign_magnitude: Option<(u32, u32)>,
}

impl WordRule {
    pub fn plain(stored: Stored) -> WordRule {
        WordRule {
            stored,
            big_endian: false,
            flip_sign: false,
            sign_magnitude: None,
        }
    }

    /// Refuses combinations that mean nothing.
    pub fn check(&self) -> Result<()> {
        if self.flip_sign && !self.stored.is_integer() {
            return Err(Error::unsupported(
                "a flipped sign bit in a kind that is not an integer",
            ));
        }
        if let Some((bits, sign)) = self.sign_magnitude {
            let words = matches!(self.stored, Stored::I16 | Stored::U16);
            if !words || self.flip_sign || bits == 0 || bits > 15 || sign > 15 || sign < bits {
                return Err(Error::unsupported(format!(
                    "sign and magnitude with {bits} magnitude bits and sign bit {sign}"
                )));
            }
        }
        Ok(())
    }

    /// The kind the words decode to.
    pub fn decoded(&self) -> Stored {
        match self.sign_magnitude {
            Some(_) => Stored::I16,
            None => self.stored.decoded(self.flip_sign),
        }
    }

    /// The whole rule as a change of words in vectors, where it can be said so.
    pub fn change(&self) -> Option<Change> {
        let width = self.stored.width();
        let reverse = self.big_endian && width > 1;
        let plain = width == self.stored.swap_unit()
            && width == self.decoded().width()
            && self.sign_magnitude.is_none();
        (plain && (reverse || self.flip_sign)).then(|| Change::new(width, reverse, self.flip_sign))
    }

    /// True when the stored bytes are the decoded bytes.
    pub fn is_copy(&self) -> bool {
        let swaps = self.big_endian && self.stored.swap_unit() > 1;
        self.stored.width() == self.decoded().width()
            && !matches!(self.stored, Stored::ALaw | Stored::MuLaw)
            && !swaps
            && !self.flip_sign
            && self.sign_magnitude.is_none()
    }
}

/// Decodes `n` words at `src` to `dst`. `src` and `dst` may be the same address when the decoded
/// kind is as wide as the stored one; otherwise they must not overlap.
///
/// # Safety
/// `n` stored words must be readable at `src` and `n` decoded values writable at `dst`.
pub unsafe fn decode_row(rule: &WordRule, src: *const u8, n: usize, dst: *mut u8) {
    let big = rule.big_endian;
    match rule.stored {
        Stored::ALaw => expand_law(src, n, dst, &A_LAW),
        Stored::MuLaw => expand_law(src, n, dst, &MU_LAW),
        Stored::I24 | Stored::U24 => {
            let signed = rule.stored == Stored::I24 || rule.flip_sign;
            expand24(src, n, dst, big, signed, rule.flip_sign);
        }
        stored => {
            if let Some((bits, sign)) = rule.sign_magnitude {
                map16(src, n, dst, |w| {
                    let w = if big { w.swap_bytes() } else { w };
                    let magnitude = w & ((1u16 << bits) - 1);
                    let negative = (w >> sign) & 1;
                    (magnitude ^ negative.wrapping_neg()).wrapping_add(negative)
                });
                return;
            }
            let swap = if big { stored.swap_unit() } else { 1 };
            match (stored.width(), swap, rule.flip_sign) {
                (1, _, true) => map8(src, n, dst, |w| w ^ 0x80),
                (2, 2, true) => map16(src, n, dst, |w| w.swap_bytes() ^ 0x8000),
                (2, 2, false) => map16(src, n, dst, u16::swap_bytes),
                (2, _, true) => map16(src, n, dst, |w| w ^ 0x8000),
                (4, 4, true) => map32(src, n, dst, |w| w.swap_bytes() ^ 0x8000_0000),
                (4, 4, false) => map32(src, n, dst, u32::swap_bytes),
                (4, _, true) => map32(src, n, dst, |w| w ^ 0x8000_0000),
                (8, 4, _) => map32(src, n * 2, dst, u32::swap_bytes),
                (8, 8, true) => map64(src, n, dst, |w| w.swap_bytes() ^ (1 << 63)),
                (8, 8, false) => map64(src, n, dst, u64::swap_bytes),
                (8, _, true) => map64(src, n, dst, |w| w ^ (1 << 63)),
                (16, 8, _) => map64(src, n * 2, dst, u64::swap_bytes),
                (width, ..) => {
                    if src != dst.cast_const() {
                        std::ptr::copy_nonoverlapping(src, dst, n * width);
                    }
                }
            }
        }
    }
}

macro_rules! map_words {
    ($name:ident, $t:ty) => {
        #[inline(always)]
        unsafe fn $name(src: *const u8, n: usize, dst: *mut u8, f: impl Fn($t) -> $t) {
            let (src, dst) = (src.cast::<$t>(), dst.cast::<$t>());
            for i in 0..n {
                dst.add(i).write_unaligned(f(src.add(i).read_unaligned()));
            }
        }
    };
}
map_words!(map8, u8);
map_words!(map16, u16);
map_words!(map32, u32);
map_words!(map64, u64);

/// Reverses the bytes of each `unit`-byte word in place; a rest shorter than a word stays.
pub fn byteswap(data: &mut [u8], unit: usize) {
    let at = data.as_mut_ptr();
    let n = data.len().checked_div(unit).unwrap_or(0);
    // SAFETY: n words of `unit` bytes lie inside the slice, and each map stays inside them.
    unsafe {
        match unit {
            2 => map16(at, n, at, u16::swap_bytes),
            4 => map32(at, n, at, u32::swap_bytes),
            8 => map64(at, n, at, u64::swap_bytes),
            0 | 1 => {}
            _ => data.chunks_exact_mut(unit).for_each(<[u8]>::reverse),
        }
    }
}

/// Packed 24-bit words to 32 bits.
unsafe fn expand24(src: *const u8, n: usize, dst: *mut u8, big: bool, signed: bool, flip: bool) {
    // A vector holds four words and, except at the end, four bytes more.
    let quads = n.saturating_sub(2) / 4;
    let (places, low) = quad_places(big);
    let mask = splat32(if flip { 0x8000_0000 } else { 0 });
    for i in 0..quads {
        let top = xor(and(swizzle(load(src.add(12 * i)), places), low), mask);
        let value = if signed { sar32(top, 8) } else { shr32(top, 8) };
        store(dst.add(16 * i), value);
    }
    let dst = dst.cast::<u32>();
    let mask = if flip { 0x8000_0000 } else { 0 };
    for i in 4 * quads..n {
        let b = src.add(3 * i).cast::<[u8; 3]>().read();
        // The word in the top three bytes, so that one shift extends the sign.
        let top = if big {
            u32::from_be_bytes([b[0], b[1], b[2], 0])
        } else {
            u32::from_le_bytes([0, b[0], b[1], b[2]])
        } ^ mask;
        let value = if signed {
            ((top as i32) >> 8) as u32
        } else {
            top >> 8
        };
        dst.add(i).write_unaligned(value);
    }
}

/// Where the bytes of four packed words go: into the top three bytes of four lanes.
fn quad_places(big: bool) -> (V, V) {
    let (mut places, mut used) = ([0u8; 16], [0u8; 16]);
    for lane in 0..4 {
        for k in 0..3 {
            places[4 * lane + 1 + k] = (3 * lane + if big { 2 - k } else { k }) as u8;
            used[4 * lane + 1 + k] = 0xff;
        }
    }
    // SAFETY: both arrays are 16 bytes long.
    unsafe { (load(places.as_ptr()), load(used.as_ptr())) }
}

unsafe fn expand_law(src: *const u8, n: usize, dst: *mut u8, table: &[i16; 256]) {
    let dst = dst.cast::<i16>();
    for i in 0..n {
        dst.add(i).write_unaligned(table[*src.add(i) as usize]);
    }
}

/// ITU-T G.711 A-law, as 16-bit linear values.
static A_LAW: [i16; 256] = law_table(true);
/// ITU-T G.711 mu-law, as 16-bit linear values.
static MU_LAW: [i16; 256] = law_table(false);

const fn law_table(a_law: bool) -> [i16; 256] {
    let mut table = [0i16; 256];
    let mut code = 0;
    while code < 256 {
        let v = if a_law { code ^ 0x55 } else { code ^ 0xff };
        let (exponent, mantissa) = ((v >> 4) & 7, v & 15);
        let magnitude = if !a_law {
            (((mantissa << 3) + 0x84) << exponent) - 0x84
        } else if exponent == 0 {
            (mantissa << 4) + 8
        } else {
            ((mantissa << 4) + 0x108) << (exponent - 1)
        };
        // A set top bit (after the inversions above) is positive in A-law, negative in mu-law.
        let positive = (v & 0x80 != 0) == a_law;
        table[code as usize] = if positive {
            magnitude as i16
        } else {
            -(magnitude as i16)
        };
        code += 1;
    }
    table
}

/// Reverses the bytes of each `unit`-byte word in place.
///
/// # Safety
/// The pointer must be writable for the length given.
#[export_name = "byteswap"]
pub unsafe extern "C" fn byteswap_export(data: *mut u8, length: usize, unit: usize) -> i32 {
    byteswap(fuse_core::abi::output(data, length), unit);
    0
}
