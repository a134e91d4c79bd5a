//! Bits of an entropy-coded segment and the Huffman codes in them (T.81 annex C and F.2.2).

use fuse_core::{Error, Result};

/// A Huffman table: codes of up to eight bits by look-up, longer ones by length.
#[derive(Clone)]
pub struct Huffman {
    /// Value and length for every first byte; length 0 where the code is longer.
    fast: [(u8, u8); 256],
    /// First code, and index of its value, of each length; one past the last code.
    first: [i32; 17],
    offset: [i32; 17],
    end: [i32; 17],
    values: Vec<u8>,
}

impl Huffman {
    /// From the counts of codes of 1 to 16 bits, and their values in order.
    pub fn new(counts: &[u8], values: &[u8]) -> Result<Huffman> {
        let mut table = Huffman {
            fast: [(0, 0); 256],
            first: [0; 17],
            offset: [0; 17],
            end: [0; 17],
            values: values.to_vec(),
        };
        let (mut code, mut index) = (0i32, 0i32);
        for length in 1..=16usize {
            let count = i32::from(counts[length - 1]);
            table.first[length] = code;
            table.offset[length] = index;
            if length <= 8 {
                for k in 0..count {
                    let shift = 8 - length;
                    let from = ((code + k) as usize) << shift;
                    let value = values.get((index + k) as usize).copied();
                    let (Some(slots), Some(value)) =
                        (table.fast.get_mut(from..from + (1 << shift)), value)
                    else {
                        return Err(Error::corrupt("an over-full JPEG Huffman table"));
                    };
                    slots.fill((value, length as u8));
                }
            }
            code += count;
            index += count;
            table.end[length] = code;
            if code > 1 << length || index as usize > values.len() {
                return Err(Error::corrupt("an over-full JPEG Huffman table"));
            }
            code <<= 1;
        }
        Ok(table)
    }
}

/// Bits of a scan, with stuffed zeros removed; a marker ends it.
pub struct BitSource<'a> {
    data: &'a [u8],
    at: usize,
    bits: u32,
    count: u32,
    /// Zero bits handed out past the end of the data.
    missing: u32,
}

impl<'a> BitSource<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        BitSource {
            data,
            at: 0,
            bits: 0,
            count: 0,
            missing: 0,
        }
    }

    fn fill(&mut self) {
        while self.count <= 24 {
            let byte = match self.data.get(self.at) {
                Some(0xff) => match self.data.get(self.at + 1) {
                    Some(0) => {
                        self.at += 2;
                        0xff
                    }
                    _ => {
                        self.missing += 8;
                        0
                    }
                },
                Some(b) => {
                    self.at += 1;
                    *b
                }
                None => {
                    self.missing += 8;
                    0
                }
            };
            self.bits |= u32::from(byte) << (24 - self.count);
            self.count += 8;
        }
    }

    /// True when bits beyond the data have been used.
    pub fn overrun(&self) -> bool {
        self.missing > self.count + 64
    }

    fn drop_bits(&mut self, n: u32) {
        self.bits = if n == 32 { 0 } else { self.bits << n };
        self.count -= n;
    }

    /// The next `n` bits (at most 16) as an unsigned number.
    pub fn take(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        self.fill();
        let value = self.bits >> (32 - n);
        self.drop_bits(n);
        value
    }

    /// The next Huffman-coded value.
    pub fn code(&mut self, table: &Huffman) -> Result<u8> {
        self.fill();
        let (value, length) = table.fast[(self.bits >> 24) as usize];
        if length > 0 {
            self.drop_bits(u32::from(length));
            return Ok(value);
        }
        for length in 9..=16u32 {
            let code = (self.bits >> (32 - length)) as i32;
            let l = length as usize;
            if code < table.end[l] && code >= table.first[l] {
                self.drop_bits(length);
                let index = table.offset[l] + code - table.first[l];
                return Ok(table.values[index as usize]);
            }
        }
        Err(Error::corrupt("an invalid JPEG Huffman code").at(self.at))
    }

    /// A signed number of `n` bits as differences and coefficients are coded.
    pub fn signed(&mut self, n: u32) -> i32 {
        if n == 0 {
            return 0;
        }
        let value = self.take(n) as i32;
        if value < 1 << (n - 1) {
            value - (1 << n) + 1
        } else {
            value
        }
    }

    /// Goes behind the restart marker that comes next.
    pub fn restart(&mut self) -> Result<()> {
        (self.bits, self.count, self.missing) = (0, 0, 0);
        while let Some([a, b]) = self.data.get(self.at..self.at + 2) {
            if *a == 0xff && (0xd0..=0xd7).contains(b) {
                self.at += 2;
                return Ok(());
            }
            if *a == 0xff && *b != 0 && *b != 0xff {
                break;
            }
            self.at += 1;
        }
        Err(Error::corrupt("a JPEG restart marker is missing").at(self.at))
    }

    /// Offset of the marker that ended the scan, searched from where reading stopped.
    pub fn end(&self) -> usize {
        let mut at = self.at;
        while let Some([a, b]) = self.data.get(at..at + 2) {
            if *a == 0xff && *b != 0 && *b != 0xff && !(0xd0..=0xd7).contains(b) {
                return at;
            }
            at += 1;
        }
        self.data.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_codes_of_all_lengths() {
        // 0 -> 5; 10 -> 6; and one code of 9 bits, 110000000 -> 7.
        let mut counts = [0u8; 16];
        counts[0] = 1;
        counts[1] = 1;
        counts[8] = 1;
        let table = Huffman::new(&counts, &[5, 6, 7]).unwrap();
        let mut bits = BitSource::new(&[0b0101_1000, 0b0000_0111, 0xff, 0x00]);
        assert_eq!(bits.code(&table).unwrap(), 5);
        assert_eq!(bits.code(&table).unwrap(), 6);
        assert_eq!(bits.code(&table).unwrap(), 7);
        assert_eq!(bits.take(3), 0b011);
        assert_eq!(bits.take(9), 0b111111111);
    }

    #[test]
    fn carries_signs_and_refuses_bad_tables() {
        let mut bits = BitSource::new(&[0b1010_0000]);
        assert_eq!(bits.signed(3), 5);
        assert_eq!(bits.signed(3), -7);
        let mut counts = [0u8; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[1, 2, 3]).is_err());
    }
}
