//! Element kinds: how a sample lies in a file, and what it is decoded to.

use fuse_core::{Error, Result};

/// A sample as stored; the codes are those the host passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stored {
    I8 = 0,
    U8 = 1,
    I16 = 2,
    U16 = 3,
    I24 = 4,
    U24 = 5,
    I32 = 6,
    U32 = 7,
    I64 = 8,
    U64 = 9,
    F32 = 10,
    F64 = 11,
    ALaw = 12,
    MuLaw = 13,
    F16 = 14,
    C64 = 15,
    C128 = 16,
}

/// All kinds, in the order of their codes.
pub const STORED: [Stored; 17] = [
    Stored::I8,
    Stored::U8,
    Stored::I16,
    Stored::U16,
    Stored::I24,
    Stored::U24,
    Stored::I32,
    Stored::U32,
    Stored::I64,
    Stored::U64,
    Stored::F32,
    Stored::F64,
    Stored::ALaw,
    Stored::MuLaw,
    Stored::F16,
    Stored::C64,
    Stored::C128,
];

impl Stored {
    pub fn from_code(code: u32) -> Result<Stored> {
        STORED
            .get(code as usize)
            .copied()
            .ok_or_else(|| Error::unsupported(format!("element kind {code}")))
    }

    /// Bytes of one stored sample.
    pub fn width(self) -> usize {
        match self {
            Stored::I8 | Stored::U8 | Stored::ALaw | Stored::MuLaw => 1,
            Stored::I16 | Stored::U16 | Stored::F16 => 2,
            Stored::I24 | Stored::U24 => 3,
            Stored::I32 | Stored::U32 | Stored::F32 => 4,
            Stored::I64 | Stored::U64 | Stored::F64 | Stored::C64 => 8,
            Stored::C128 => 16,
        }
    }

    /// Bytes that are reversed together when the byte order differs.
    pub fn swap_unit(self) -> usize {
        match self {
            Stored::C64 => 4,
            Stored::C128 => 8,
            other => other.width(),
        }
    }

    /// The kind after decoding: packed 24-bit words widen to 32 bits, the G.711 laws to linear 16.
    pub fn decoded(self, flip_sign: bool) -> Stored {
        match (self, flip_sign) {
            (Stored::I24, _) | (Stored::U24, true) | (Stored::U32, true) => Stored::I32,
            (Stored::U24, false) => Stored::U32,
            (Stored::ALaw | Stored::MuLaw, _) => Stored::I16,
            (Stored::U8, true) => Stored::I8,
            (Stored::U16, true) => Stored::I16,
            (Stored::U64, true) => Stored::I64,
            (other, _) => other,
        }
    }

    pub fn is_integer(self) -> bool {
        (self as u32) <= Stored::U64 as u32
    }

    pub fn is_complex(self) -> bool {
        matches!(self, Stored::C64 | Stored::C128)
    }
}

/// What calibrated values are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    Raw,
    F32,
    F64,
}

impl Output {
    pub fn from_code(code: u32) -> Result<Output> {
        match code {
            0 => Ok(Output::Raw),
            1 => Ok(Output::F32),
            2 => Ok(Output::F64),
            _ => Err(Error::unsupported(format!("output kind {code}"))),
        }
    }

    /// Bytes of one output element for samples decoded to `decoded`.
    pub fn width(self, decoded: Stored) -> usize {
        match self {
            Output::Raw => decoded.width(),
            Output::F32 => 4,
            Output::F64 => 8,
        }
    }
}
