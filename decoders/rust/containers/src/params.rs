//! What the host tells of a chunk: one packed block of 32-bit words.
//!
//! | word | meaning |
//! |---|---|
//! | 0 | bytes of the unfiltered chunk |
//! | 1 | 1: fewer bytes are the chunk's first elements, the rest zero; 0: they are an error |
//! | 2 | bytes of a stored element; 0: the unfiltered bytes are wanted as they are |
//! | 3 | byte of the wanted member inside an element |
//! | 4 | what an item is: 0 bytes in file order, 1 integer of some bits, 2 float of some bits |
//! | 5 | bytes of a stored item |
//! | 6 | bytes of an item in the output |
//! | 7 | byte order of the file: 0 little-endian, 1 big-endian, 2 VAX |
//! | 8 | bytes that are turned together (half an item for complex numbers) |
//! | 9, 10, 11 | integers: lowest bit, number of bits, 1 when signed |
//! | 12 .. 17 | floats: sign bit, exponent bit and size, mantissa bit and size, normalisation |
//! | 18 | floats: exponent bias |
//! | 19 | nested arrays around an item, at most 8; a count and a stride in bytes each follow |
//! | then | number of filters, in the order they were applied; id, number of values, values each |

use fuse_core::{Error, Result};

/// Words before the nested arrays.
const FIXED: usize = 20;
/// Most arrays inside arrays.
const DEEPEST: usize = 8;

/// How an item is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A machine type: only its byte order may differ.
    Plain,
    /// An integer in some of the bits.
    Bits {
        offset: u32,
        precision: u32,
        signed: bool,
    },
    /// A floating-point number of any make.
    Float(FloatFormat),
}

/// Where the parts of a floating-point number are (HDF5 file format, datatype class 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatFormat {
    pub sign: u32,
    pub exponent: u32,
    pub exponent_bits: u32,
    pub mantissa: u32,
    pub mantissa_bits: u32,
    /// 0 no normalisation, 1 leading bit stored and set, 2 leading bit implied.
    pub normalisation: u32,
    pub bias: u32,
}

/// Byte order of stored items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
    Vax,
}

/// The parameters of a chunk.
#[derive(Clone, Debug)]
pub struct Params {
    pub raw_bytes: usize,
    pub partial: bool,
    /// 0: bytes are wanted as they are.
    pub element_bytes: usize,
    pub member_offset: usize,
    pub item: Item,
    pub item_bytes: usize,
    pub out_bytes: usize,
    pub order: Order,
    pub turn_bytes: usize,
    /// Count and stride in bytes of each array around an item, outermost first.
    pub arrays: Vec<(usize, usize)>,
}

/// A filter with the values it was set up with.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    pub id: u32,
    pub values: &'a [u32],
}

impl Params {
    /// Reads the packed words.
    pub fn parse(words: &[u32]) -> Result<(Params, Vec<Filter<'_>>)> {
        let short = || Error::limit("too few parameters");
        let at = |i: usize| words.get(i).copied().ok_or_else(short);
        let arrays = at(FIXED - 1)? as usize;
        if arrays > DEEPEST {
            return Err(Error::limit(format!("{arrays} arrays inside each other")));
        }
        let item = match at(4)? {
            0 => Item::Plain,
            1 => Item::Bits {
                offset: at(9)?,
                precision: at(10)?,
                signed: at(11)? == 1,
            },
            _ => Item::Float(FloatFormat {
                sign: at(12)?,
                exponent: at(13)?,
                exponent_bits: at(14)?,
                mantissa: at(15)?,
                mantissa_bits: at(16)?,
                normalisation: at(17)?,
                bias: at(18)?,
            }),
        };
        let mut params = Params {
            raw_bytes: at(0)? as usize,
            partial: at(1)? == 1,
            element_bytes: at(2)? as usize,
            member_offset: at(3)? as usize,
            item,
            item_bytes: at(5)? as usize,
            out_bytes: at(6)? as usize,
            order: match at(7)? {
                0 => Order::Little,
                1 => Order::Big,
                _ => Order::Vax,
            },
            turn_bytes: at(8)? as usize,
            arrays: Vec::new(),
        };
        let mut next = FIXED;
        for _ in 0..arrays {
            params
                .arrays
                .push((at(next)? as usize, at(next + 1)? as usize));
            next += 2;
        }
        let mut filters = Vec::new();
        let count = at(next)?;
        next += 1;
        for _ in 0..count {
            let (id, length) = (at(next)?, at(next + 1)? as usize);
            next += 2;
            let end = next.checked_add(length).ok_or_else(short)?;
            let values = words.get(next..end).ok_or_else(short)?;
            filters.push(Filter { id, values });
            next = end;
        }
        Ok((params, filters))
    }
}
