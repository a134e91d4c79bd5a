//! What the host tells of a chunk: one packed block of 32-bit words.

use fuse_core::{Error, Result};

/// Words of the fixed part; the bits of each sample follow when they are not all the same.
pub const WORDS: usize = 32;

/// Tile or strip parameters, named as the TIFF tags they come from.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    pub compression: u32,
    pub predictor: u32,
    /// Bits of every sample; the widest when [`Params::sample_bits`] is not empty.
    pub bits: u32,
    /// 1 unsigned, 2 signed, 3 float, 4 untyped, 5 complex integer, 6 complex float.
    pub format: u32,
    /// Samples interleaved in this chunk: 1 for planar images.
    pub samples: usize,
    pub fill_order: u32,
    pub big_endian: bool,
    pub photometric: u32,
    pub width: usize,
    /// Rows of a full chunk; of all slices when the tile has a depth.
    pub rows: usize,
    /// Rows this chunk holds; the last strip may hold fewer.
    pub stored_rows: usize,
    /// YCbCrSubSampling, horizontal and vertical.
    pub subsampling: (usize, usize),
    /// Bytes of an output element.
    pub out_width: usize,
    /// JPEGTables, or bytes the host has put together for an old-style JPEG.
    pub tables: &'a [u8],
    /// T4Options or T6Options.
    pub fax_options: u32,
    /// Second compression of LERC: 0 none, 1 deflate, 2 zstd.
    pub lerc_inner: u32,
    /// YCbCrCoefficients.
    pub luma: [f32; 3],
    /// ReferenceBlackWhite.
    pub reference: [f32; 6],
    /// True when the last sample is an alpha channel (ExtraSamples 1 or 2).
    pub alpha: bool,
    /// Rows of the strip before the chunk's first, when the chunk is a band of a strip.
    pub skipped_rows: usize,
    /// Bits of each sample when they differ, else empty.
    pub sample_bits: Vec<u32>,
}

impl<'a> Params<'a> {
    /// Reads the packed words; `bytes` turns an address and a length into the host's bytes.
    pub fn parse(words: &[u32], bytes: impl Fn(usize, usize) -> &'a [u8]) -> Result<Self> {
        if words.len() < WORDS {
            return Err(Error::limit("too few parameters"));
        }
        let at = |i: usize| words[i];
        let float = |i: usize| f32::from_bits(words[i]);
        let p = Params {
            compression: at(0),
            predictor: at(1),
            bits: at(2),
            format: at(3),
            samples: at(4) as usize,
            fill_order: at(5),
            big_endian: at(6) != 0,
            photometric: at(7),
            width: at(8) as usize,
            rows: at(9) as usize,
            stored_rows: at(10) as usize,
            subsampling: (at(11).max(1) as usize, at(12).max(1) as usize),
            out_width: at(13) as usize,
            tables: bytes(at(14) as usize, at(15) as usize),
            fax_options: at(16),
            lerc_inner: at(17),
            luma: [float(18), float(19), float(20)],
            reference: [
                float(21),
                float(22),
                float(23),
                float(24),
                float(25),
                float(26),
            ],
            alpha: at(27) != 0,
            skipped_rows: at(28) as usize,
            sample_bits: words[WORDS..].to_vec(),
        };
        p.check()?;
        Ok(p)
    }

    fn check(&self) -> Result<()> {
        let bits = |b: u32| (1..=64).contains(&b) || b == 128;
        if !bits(self.bits) || !self.sample_bits.iter().all(|b| (1..=32).contains(b)) {
            return Err(Error::unsupported(format!("{} bits per sample", self.bits)));
        }
        if !self.sample_bits.is_empty() && self.sample_bits.len() != self.samples {
            return Err(Error::corrupt(
                "BitsPerSample does not have one value per sample",
            ));
        }
        if self.samples == 0 || self.width == 0 || self.rows == 0 || self.stored_rows > self.rows {
            return Err(Error::corrupt("a chunk without pixels"));
        }
        if ![1, 2, 4, 8, 16].contains(&self.out_width) {
            return Err(Error::unsupported(format!(
                "{} bytes per sample",
                self.out_width
            )));
        }
        Ok(())
    }

    /// Bytes of the decoded chunk.
    pub fn out_bytes(&self) -> Result<usize> {
        product(&[self.width, self.rows, self.samples, self.out_width])
    }

    /// Bits of one pixel as stored.
    pub fn pixel_bits(&self) -> usize {
        if self.sample_bits.is_empty() {
            self.samples * self.bits as usize
        } else {
            self.sample_bits.iter().map(|b| *b as usize).sum()
        }
    }

    /// Bytes of one stored row; rows start on a byte boundary.
    pub fn row_bytes(&self) -> Result<usize> {
        Ok(product(&[self.width, self.pixel_bits()])?.div_ceil(8))
    }

    /// Bytes of the stored rows once decompressed.
    pub fn stored_bytes(&self) -> Result<usize> {
        product(&[self.row_bytes()?, self.stored_rows])
    }

    /// FillOrder 2 turns the bits of every stored byte, but not of codecs with an order of their own.
    pub fn reversed_bits(&self, input: &[u8]) -> bool {
        if self.fill_order != 2 {
            return false;
        }
        match self.compression {
            1..=5 | 32766 | 32771 | 32773 | 32809 | 34925 | 34926 | 50000 => true,
            // Some writers state FillOrder 2 and leave the deflate stream as it is.
            8 | 32946 | 50013 => !matches!(input, [a, b, ..] if zlib_header(*a, *b)),
            _ => false,
        }
    }
}

/// The product of sizes, or a `Limit` error when it passes what memory can hold.
pub fn product(sizes: &[usize]) -> Result<usize> {
    let mut total = 1usize;
    for size in sizes {
        total = total
            .checked_mul(*size)
            .filter(|t| *t <= 1 << 31)
            .ok_or_else(|| Error::limit(format!("a chunk of {sizes:?} is too large")))?;
    }
    Ok(total)
}

fn zlib_header(first: u8, second: u8) -> bool {
    first & 15 == 8 && (u32::from(first) * 256 + u32::from(second)).is_multiple_of(31)
}
