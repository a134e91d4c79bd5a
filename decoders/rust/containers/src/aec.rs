//! Adaptive entropy coding, the extended Rice code of szip (CCSDS 121.0-B-3).

use crate::bits::BitReader;
use fuse_core::{Error, Result};

/// Code of a run of blocks of zeros that reaches to the end of its segment.
const REST_OF_SEGMENT: u32 = 5;
/// Blocks of a segment.
const SEGMENT: usize = 64;
/// Largest code of a pair of small numbers.
const LARGEST_PAIR: u32 = 90;

/// How a stream was coded.
#[derive(Clone, Copy, Debug)]
pub struct Coding {
    /// Bits of a sample, 1 to 32.
    pub bits: u32,
    /// Samples of a block.
    pub block: usize,
    /// Blocks from one reference sample to the next.
    pub interval: usize,
    /// Samples are differences from the one before, folded to positive numbers.
    pub differences: bool,
}

/// Decodes whole blocks until `out` is full or, where `out` is longer than the stream, as far as it goes.
pub fn decode(coding: &Coding, data: &[u8], out: &mut Vec<u32>, count: usize) -> Result<()> {
    let Coding { bits, block, .. } = *coding;
    if !(1..=32).contains(&bits) || block == 0 || coding.interval == 0 {
        return Err(Error::corrupt(format!(
            "entropy code of {bits} bits in blocks of {block}"
        )));
    }
    let id_bits = match bits {
        0..=8 => 3,
        9..=16 => 4,
        _ => 5,
    };
    let mut decoder = Decoder {
        coding: *coding,
        bits: BitReader::new(data),
        id_bits,
    };
    out.clear();
    out.try_reserve_exact(count + block)
        .map_err(|_| Error::limit(format!("no memory for {count} samples")))?;
    let start = out.len();
    while out.len() < count {
        let from = out.len();
        decoder.interval(out, count)?;
        if coding.differences {
            undo_differences(&mut out[from..], bits);
        }
    }
    out.truncate(start + count);
    Ok(())
}

struct Decoder<'a> {
    coding: Coding,
    bits: BitReader<'a>,
    id_bits: u32,
}

impl Decoder<'_> {
    /// Decodes the blocks up to the next reference sample, or until there are `count` samples.
    fn interval(&mut self, out: &mut Vec<u32>, count: usize) -> Result<()> {
        let mut done = 0;
        while done < self.coding.interval && out.len() < count {
            done += self.block(done, out)?;
        }
        Ok(())
    }

    /// Decodes a block, or a run of blocks of zeros; gives their number.
    fn block(&mut self, done: usize, out: &mut Vec<u32>) -> Result<usize> {
        let Coding {
            bits,
            block,
            interval,
            differences,
        } = self.coding;
        let reference = differences && done == 0;
        let id = self.bits.take(self.id_bits)? as u32;
        if id == (1 << self.id_bits) - 1 {
            for _ in 0..block {
                out.push(self.bits.take(bits)? as u32);
            }
            return Ok(1);
        }
        if id == 0 {
            let pairs = self.bits.take(1)? == 1;
            if reference {
                out.push(self.bits.take(bits)? as u32);
            }
            let first = usize::from(reference);
            if pairs {
                self.pairs(block, first, out)?;
                return Ok(1);
            }
            let left = interval - done;
            let run = match self.bits.unary()? + 1 {
                REST_OF_SEGMENT => left.min(SEGMENT - done % SEGMENT),
                n if n > REST_OF_SEGMENT => n as usize - 1,
                n => n as usize,
            };
            if run > left {
                return Err(Error::corrupt(format!(
                    "{run} blocks of zeros, {left} are left"
                )));
            }
            let zeros = run * block - first;
            out.try_reserve(zeros)
                .map_err(|_| Error::limit(format!("no memory for {zeros} samples")))?;
            out.resize(out.len() + zeros, 0);
            return Ok(run);
        }
        let low = id - 1;
        let from = out.len() + usize::from(reference);
        if reference {
            out.push(self.bits.take(bits)? as u32);
        }
        for _ in usize::from(reference)..block {
            out.push(self.bits.unary()?.wrapping_shl(low));
        }
        if low > 0 {
            for value in &mut out[from..] {
                *value |= self.bits.take(low)? as u32;
            }
        }
        Ok(1)
    }

    /// Numbers coded in pairs: the code counts pairs by their sum, then by their second number.
    fn pairs(&mut self, block: usize, first: usize, out: &mut Vec<u32>) -> Result<()> {
        let mut i = first;
        while i < block {
            let code = self.bits.unary()?;
            if code > LARGEST_PAIR {
                return Err(Error::corrupt(format!("pair code {code}")));
            }
            let mut sum = 0;
            while (sum + 1) * (sum + 2) / 2 <= code {
                sum += 1;
            }
            let second = code - sum * (sum + 1) / 2;
            if i.is_multiple_of(2) {
                out.push(sum - second);
                i += 1;
            }
            out.push(second);
            i += 1;
        }
        Ok(())
    }
}

/// Turns folded differences into samples; the first is a sample already.
fn undo_differences(samples: &mut [u32], bits: u32) {
    let largest = u32::MAX >> (32 - bits);
    let Some((&mut first, rest)) = samples.split_first_mut() else {
        return;
    };
    let mut last = first;
    for value in rest {
        let folded = *value;
        let from_top = last > largest / 2;
        let room = if from_top { largest - last } else { last };
        let half = (folded >> 1) + (folded & 1);
        last = if half <= room {
            if folded & 1 == 0 {
                last.wrapping_add(half)
            } else {
                last.wrapping_sub(half)
            }
        } else if from_top {
            largest.wrapping_sub(folded)
        } else {
            folded
        } & largest;
        *value = last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Coding = Coding {
        bits: 8,
        block: 8,
        interval: 2,
        differences: false,
    };

    fn bits(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|b| matches!(b, b'0' | b'1')).collect();
        digits
            .chunks(8)
            .map(|c| {
                c.iter()
                    .enumerate()
                    .fold(0, |n, (i, d)| n | ((d - b'0') << (7 - i)))
            })
            .collect()
    }

    fn run(coding: &Coding, text: &str, count: usize) -> Result<Vec<u32>> {
        let mut out = Vec::new();
        decode(coding, &bits(text), &mut out, count)?;
        Ok(out)
    }

    #[test]
    fn decodes_each_kind_of_block() {
        // One low bit each: quotients 0 1 2 0 0 0 0 3, then low bits.
        let split = "010 1 01 001 1 1 1 1 0001 1 0 1 0 0 0 0 1";
        assert_eq!(run(&PLAIN, split, 8).unwrap(), [1, 2, 5, 0, 0, 0, 0, 7]);
        let raw = "111 00000001 00000010 00000011 00000100 00000101 00000110 00000111 11111111";
        assert_eq!(run(&PLAIN, raw, 8).unwrap(), [1, 2, 3, 4, 5, 6, 7, 255]);
        // Two blocks of zeros; pairs (0,0) (1,0) (0,1) (1,1).
        assert_eq!(run(&PLAIN, "000 0 01", 16).unwrap(), [0; 16]);
        let pairs = "000 1 1 01 001 00001";
        assert_eq!(run(&PLAIN, pairs, 8).unwrap(), [0, 0, 1, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn undoes_differences_within_the_range() {
        let mut samples = [250, 10, 9, 3, 200, 1];
        undo_differences(&mut samples, 8);
        assert_eq!(samples, [250, 255, 246, 244, 55, 54]);
        let mut samples = [2, 4, 9, 0];
        undo_differences(&mut samples, 8);
        assert_eq!(samples, [2, 4, 9, 9]);
    }

    #[test]
    fn refuses_damage() {
        assert!(run(&PLAIN, "010 1 01", 8).is_err());
        assert!(
            run(&PLAIN, "000 0 0001", 8).is_err(),
            "more blocks than left"
        );
        let long = format!("000 1 {}1", "0".repeat(91));
        assert!(run(&PLAIN, &long, 8).is_err());
        let none = Coding { bits: 0, ..PLAIN };
        assert!(run(&none, "1", 8).is_err());
    }
}
