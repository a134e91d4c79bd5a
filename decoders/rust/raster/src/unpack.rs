//! Samples whose width is not a whole machine word: bits taken from a row, most significant first,
//! and numbers without a type of their own.

/// Reads numbers of any width up to 64 bits from a row.
pub struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits already taken.
    at: usize,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0 }
    }

    /// The next `count` bits as an unsigned number; zero bits stand for what is missing.
    pub fn take(&mut self, count: u32) -> u64 {
        let mut value = 0u64;
        let mut left = count as usize;
        while left > 0 {
            let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
            let free = 8 - self.at % 8;
            let n = free.min(left);
            let part = (u64::from(byte) >> (free - n)) & ((1 << n) - 1);
            value = (value << n) | part;
            self.at += n;
            left -= n;
        }
        value
    }
}

/// Takes equal-width samples of a row, with loops of their own for the common depths.
pub fn row(bytes: &[u8], bits: u32, out: &mut [u64]) {
    match bits {
        1 | 2 | 4 => {
            let per = (8 / bits) as usize;
            let mask = (1u8 << bits) - 1;
            for (values, byte) in out.chunks_mut(per).zip(bytes) {
                for (k, value) in values.iter_mut().enumerate() {
                    *value = u64::from((byte >> (8 - bits as usize * (k + 1))) & mask);
                }
            }
        }
        12 => {
            for (pair, b) in out.chunks_mut(2).zip(bytes.chunks(3)) {
                let middle = u64::from(b.get(1).copied().unwrap_or(0));
                pair[0] = u64::from(b[0]) << 4 | middle >> 4;
                if let Some(second) = pair.get_mut(1) {
                    *second = (middle & 15) << 8 | u64::from(b.get(2).copied().unwrap_or(0));
                }
            }
        }
        _ => {
            let mut reader = Bits::new(bytes);
            for value in out {
                *value = reader.take(bits);
            }
        }
    }
}

/// Takes samples of 1, 2 or 4 bits of a row.
pub fn small(bytes: &[u8], bits: u32, out: &mut [u8]) {
    match bits {
        1 => small_bits::<1, 8>(bytes, out),
        2 => small_bits::<2, 4>(bytes, out),
        _ => small_bits::<4, 2>(bytes, out),
    }
}

fn small_bits<const BITS: usize, const PER: usize>(bytes: &[u8], out: &mut [u8]) {
    let mask = ((1u16 << BITS) - 1) as u8;
    for (values, byte) in out.chunks_mut(PER).zip(bytes) {
        for (k, value) in values.iter_mut().enumerate() {
            *value = (byte >> (8 - BITS * (k + 1))) & mask;
        }
    }
}

/// A 24-bit float (1 sign, 7 exponent, 16 mantissa bits) as a 32-bit one
/// (Adobe Photoshop TIFF Technical Note 3).
pub fn float24(bits: u32) -> f32 {
    let sign = (bits >> 23) & 1;
    let exponent = (bits >> 16) & 0x7f;
    let mantissa = bits & 0xffff;
    let out = match (exponent, mantissa) {
        (0, 0) => sign << 31,
        (0, m) => {
            // Subnormal: m * 2^-78, normal as a 32-bit float.
            let value = m as f32 * 2f32.powi(-78);
            return if sign == 1 { -value } else { value };
        }
        (127, m) => sign << 31 | 0xff << 23 | m << 7,
        (e, m) => sign << 31 | (e + 127 - 63) << 23 | m << 7,
    };
    f32::from_bits(out)
}

/// `value` of `bits` bits with its sign carried to 64.
pub fn sign_extend(value: u64, bits: u32) -> u64 {
    let shift = 64 - bits;
    (((value << shift) as i64) >> shift) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(values: &[u64], bits: u32) -> Vec<u8> {
        let mut text = String::new();
        for v in values {
            text.push_str(&format!("{v:0width$b}", width = bits as usize));
        }
        while !text.len().is_multiple_of(8) {
            text.push('0');
        }
        text.as_bytes()
            .chunks(8)
            .map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 2).unwrap())
            .collect()
    }

    #[test]
    fn takes_every_width() {
        for bits in 1..=40u32 {
            let values: Vec<u64> = (0..19u64).map(|i| (i * 977) & ((1 << bits) - 1)).collect();
            let mut out = vec![0; values.len()];
            row(&packed(&values, bits), bits, &mut out);
            assert_eq!(out, values, "{bits} bits");
        }
    }

    #[test]
    fn takes_small_samples_like_all_others() {
        let bytes = [0xa5, 0x3c, 0x7f];
        for bits in [1, 2, 4] {
            let count = 24 / bits as usize - 1;
            let (mut fast, mut slow) = (vec![0; count], vec![0; count]);
            small(&bytes, bits, &mut fast);
            row(&bytes, bits, &mut slow);
            assert_eq!(fast.iter().map(|v| u64::from(*v)).collect::<Vec<_>>(), slow);
        }
    }

    #[test]
    fn widens_24_bit_floats() {
        assert_eq!(float24(0x3f_0000), 1.0);
        assert_eq!(float24(0xc0_4000), -2.5);
        assert_eq!(float24(0), 0.0);
        assert_eq!(float24(1), 2f32.powi(-78));
        assert!(float24(0x7f_0000).is_infinite());
        assert!(float24(0x7f_0001).is_nan());
    }

    #[test]
    fn carries_the_sign() {
        assert_eq!(sign_extend(0b111, 3) as i64, -1);
        assert_eq!(sign_extend(0b011, 3), 3);
        assert_eq!(sign_extend(u64::MAX, 64), u64::MAX);
    }
}
