//! A stream of bits, the highest of each byte first.

use fuse_core::{Error, Result};

/// Reads bits from a slice.
pub struct BitReader<'a> {
    data: &'a [u8],
    at: usize,
    /// Bits not yet taken, in the low `count` bits.
    held: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        BitReader {
            data,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    /// Takes up to 56 bits.
    #[inline]
    fn few(&mut self, bits: u32) -> Result<u64> {
        while self.count < bits {
            let Some(&byte) = self.data.get(self.at) else {
                return Err(Error::truncated("packed bits end too early").at(self.at));
            };
            self.held = (self.held << 8) | u64::from(byte);
            self.at += 1;
            self.count += 8;
        }
        self.count -= bits;
        Ok((self.held >> self.count) & ((1u64 << bits) - 1))
    }

    /// Takes up to 64 bits as a number.
    #[inline]
    pub fn take(&mut self, bits: u32) -> Result<u64> {
        if bits <= 32 {
            return self.few(bits);
        }
        let high = self.few(bits - 32)?;
        Ok((high << 32) | self.few(32)?)
    }

    /// Counts zero bits up to the next one, and takes that too.
    #[inline]
    pub fn unary(&mut self) -> Result<u32> {
        let mut zeros = 0u32;
        loop {
            let rest = if self.count == 0 {
                0
            } else {
                self.held << (64 - self.count)
            };
            if rest != 0 {
                let run = rest.leading_zeros();
                self.count -= run + 1;
                return Ok(zeros + run);
            }
            zeros = zeros.saturating_add(self.count);
            let Some(&byte) = self.data.get(self.at) else {
                return Err(Error::truncated("packed bits end too early").at(self.at));
            };
            self.held = u64::from(byte);
            self.at += 1;
            self.count = 8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_bits_in_order() {
        let mut r = BitReader::new(&[0b1010_0001, 0xff, 0, 0b0000_0100]);
        assert_eq!(r.take(3).unwrap(), 0b101);
        assert_eq!(r.unary().unwrap(), 4);
        assert_eq!(r.take(8).unwrap(), 0xff);
        assert_eq!(r.unary().unwrap(), 13);
        assert_eq!(r.take(2).unwrap(), 0);
        assert!(r.take(1).is_err());
        assert!(BitReader::new(&[0, 0]).unary().is_err());
    }

    #[test]
    fn takes_wide_numbers() {
        let bytes: Vec<u8> = (1..=17).collect();
        let mut r = BitReader::new(&bytes);
        assert_eq!(r.take(64).unwrap(), 0x0102_0304_0506_0708);
        assert_eq!(r.take(4).unwrap(), 0);
        assert_eq!(r.take(60).unwrap(), 0x090a_0b0c_0d0e_0f10 & ((1 << 60) - 1));
        assert_eq!(r.take(8).unwrap(), 17);
    }
}
