//! Bit-stuffed integers and the Huffman code of LERC2.

use super::cursor::Cursor;
use fuse_core::{Error, Result};

fn corrupt() -> Error {
    Error::corrupt("invalid LERC data")
}

/// `count` unsigned numbers of `bits` bits, least significant first (most significant first, in
/// 32-bit words, before version 3).
pub fn unstuff(cursor: &mut Cursor, version: i32, count: usize, bits: u32) -> Result<Vec<u32>> {
    let total = count.checked_mul(bits as usize).ok_or_else(corrupt)?;
    let data = cursor.take(total.div_ceil(8))?;
    let mut out = Vec::with_capacity(count);
    if version >= 3 {
        let (mut held, mut have, mut at) = (0u64, 0u32, 0usize);
        let mask = (1u64 << bits) - 1;
        for _ in 0..count {
            while have < bits {
                held |= u64::from(data.get(at).copied().unwrap_or(0)) << have;
                at += 1;
                have += 8;
            }
            out.push((held & mask) as u32);
            held >>= bits;
            have -= bits;
        }
        return Ok(out);
    }
    // The last word is stored without its unused low bytes, shifted down to its end.
    let mut words: Vec<u32> = data
        .chunks(4)
        .map(|b| {
            b.iter()
                .rev()
                .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
        })
        .collect();
    if let (Some(last), tail @ 1..) = (words.last_mut(), data.len() % 4) {
        *last <<= 8 * (4 - tail);
    }
    let mut reader = WordBits {
        words: &words,
        at: 0,
    };
    for _ in 0..count {
        out.push(reader.take(bits));
    }
    Ok(out)
}

/// Numbers as a tile or a code table holds them: counted, perhaps by way of a table of values.
pub fn counted(cursor: &mut Cursor, version: i32, most: usize) -> Result<Vec<u32>> {
    let head = cursor.u8()?;
    let bits = u32::from(head & 31);
    let count = match head >> 6 {
        0 => cursor.u32()? as usize,
        1 => usize::from(cursor.u16()?),
        2 => usize::from(cursor.u8()?),
        _ => return Err(corrupt()),
    };
    if count > most {
        return Err(corrupt());
    }
    if head & 32 == 0 {
        return if bits == 0 {
            Ok(vec![0; count])
        } else {
            unstuff(cursor, version, count, bits)
        };
    }
    let entries = usize::from(cursor.u8()?)
        .checked_sub(1)
        .ok_or_else(corrupt)?;
    if bits == 0 || entries == 0 {
        return Err(corrupt());
    }
    let mut table = vec![0];
    table.extend(unstuff(cursor, version, entries, bits)?);
    let index_bits = usize::BITS - entries.leading_zeros();
    let indices = unstuff(cursor, version, count, index_bits)?;
    indices
        .into_iter()
        .map(|i| table.get(i as usize).copied().ok_or_else(corrupt))
        .collect()
}

/// Bits of little-endian 32-bit words, most significant first.
pub struct WordBits<'a> {
    words: &'a [u32],
    at: usize,
}

impl<'a> WordBits<'a> {
    pub fn new(words: &'a [u32]) -> Self {
        WordBits { words, at: 0 }
    }

    /// The next 32 bits without taking them; zeros stand behind the end.
    fn peek(&self) -> u32 {
        let word = |i: usize| u64::from(self.words.get(i).copied().unwrap_or(0));
        let (i, shift) = (self.at / 32, self.at % 32);
        ((word(i) << 32 | word(i + 1)) << shift >> 32) as u32
    }

    pub fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        let value = self.peek() >> (32 - bits);
        self.at += bits as usize;
        value
    }

    pub fn overrun(&self) -> bool {
        self.at > self.words.len() * 32
    }

    /// Words that have been begun.
    pub fn words_used(&self) -> usize {
        self.at.div_ceil(32)
    }
}

/// A Huffman code of LERC2: lengths and codes of the values `first..last`, modulo the table size.
pub struct Code {
    /// Value for every 12-bit prefix of a short code, with its length.
    fast: Vec<(u16, u8)>,
    /// Codes of more than 12 bits: length, code, value.
    long: Vec<(u32, u32, u16)>,
}

const FAST_BITS: u32 = 12;

impl Code {
    pub fn read(cursor: &mut Cursor, version: i32) -> Result<Code> {
        let table = cursor.i32()?;
        let size = cursor.i32()?;
        let (first, last) = (cursor.i32()?, cursor.i32()?);
        if table < 2
            || !(1..=1 << 15).contains(&size)
            || first < 0
            || first >= last
            || last - first > size
        {
            return Err(corrupt());
        }
        let count = (last - first) as usize;
        let lengths = counted(cursor, version, count)?;
        if lengths.len() != count {
            return Err(corrupt());
        }
        let bits: usize = lengths.iter().map(|l| *l as usize).sum();
        let words = cursor.words(bits.div_ceil(32))?;
        let mut reader = WordBits::new(&words);
        let mut code = Code {
            fast: vec![(0, 0); 1 << FAST_BITS],
            long: Vec::new(),
        };
        for (i, &length) in lengths.iter().enumerate() {
            if length == 0 {
                continue;
            }
            if length > 32 {
                return Err(corrupt());
            }
            let value = ((first as usize + i) % size as usize) as u16;
            let bits = reader.take(length);
            if length <= FAST_BITS {
                let from = (bits << (FAST_BITS - length)) as usize;
                code.fast[from..from + (1 << (FAST_BITS - length))].fill((value, length as u8));
            } else {
                code.long.push((length, bits, value));
            }
        }
        code.long.sort_unstable();
        Ok(code)
    }

    pub fn decode(&self, reader: &mut WordBits) -> Result<u16> {
        let next = reader.peek();
        let (value, length) = self.fast[(next >> (32 - FAST_BITS)) as usize];
        if length > 0 {
            reader.at += usize::from(length);
            return Ok(value);
        }
        for &(length, code, value) in &self.long {
            if next >> (32 - length) == code {
                reader.at += length as usize;
                return Ok(value);
            }
        }
        Err(corrupt())
    }
}
