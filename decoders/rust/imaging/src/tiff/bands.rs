//! Large strips: decompressed piece by piece, so that neither the strip nor a second copy of the chunk is
//! held in memory, and a chunk may be a band of its strip.

use fuse_core::{Error, Result};
use fuse_raster::store::{clear_rest, write_rows};
use fuse_raster::{short, Params};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::Read;
use weezl::LzwStatus;

/// Chunks from this size on are decompressed piece by piece.
pub const LARGE_BYTES: usize = 16 << 20;
/// Bytes of rows held at once.
const PIECE_BYTES: usize = 1 << 20;
/// How far back deflate may refer.
const HISTORY: usize = 32 << 10;

/// Decompressed bytes of a strip, in order.
trait Bytes {
    /// Fills some of `out`; 0 at the end.
    fn some(&mut self, out: &mut [u8]) -> Result<usize>;
}

/// True for compressions that can be read piece by piece.
pub fn applies(compression: u32) -> bool {
    matches!(
        compression,
        5 | 8 | 32946 | 50013 | 32773 | 34925 | 34926 | 50000
    )
}

/// Decodes rows `skipped_rows` and on of a strip into the chunk.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let mut source: Box<dyn Bytes + '_> = match p.compression {
        5 => Box::new(Lzw {
            input,
            decoder: super::lzw::decoder(input),
        }),
        32773 => Box::new(PackBits {
            input,
            run: Run::None,
        }),
        34925 => Box::new(Reader(super::lzma::reader(input))),
        34926 | 50000 => Box::new(Reader(zstd(input)?)),
        _ => Box::new(Inflate::new(input)),
    };
    let row_bytes = p.row_bytes()?;
    let batch = (PIECE_BYTES / row_bytes).max(1);
    let mut rows = vec![0u8; batch * row_bytes];
    let mut done = 0;
    let total = p.skipped_rows + p.stored_rows;
    while done < total {
        // A batch lies wholly before the chunk or wholly in it.
        let end = if done < p.skipped_rows {
            p.skipped_rows
        } else {
            total
        };
        let piece = &mut rows[..batch.min(end - done) * row_bytes];
        let mut filled = 0;
        while filled < piece.len() {
            match source.some(&mut piece[filled..])? {
                0 => return Err(short(done * row_bytes + filled, total * row_bytes)),
                n => filled += n,
            }
        }
        let count = piece.len() / row_bytes;
        if done >= p.skipped_rows {
            write_rows(p, piece, done - p.skipped_rows, out)?;
        }
        done += count;
    }
    clear_rest(p, out);
    p.out_bytes()
}

fn zstd(input: &[u8]) -> Result<StreamingDecoder<&[u8], FrameDecoder>> {
    StreamingDecoder::new_with_max_window_size(input, 128 << 20)
        .map_err(|e| Error::corrupt(format!("invalid zstd data: {e}")))
}

/// Decoders that are readers themselves.
struct Reader<R>(R);

impl<R: Read> Bytes for Reader<R> {
    fn some(&mut self, out: &mut [u8]) -> Result<usize> {
        self.0
            .read(out)
            .map_err(|e| Error::corrupt(format!("invalid compressed data: {e}")))
    }
}

struct Lzw<'a> {
    input: &'a [u8],
    decoder: weezl::decode::Decoder,
}

impl Bytes for Lzw<'_> {
    fn some(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let step = self.decoder.decode_bytes(self.input, out);
            self.input = &self.input[step.consumed_in..];
            match step.status {
                Err(_) => return Err(Error::corrupt("invalid LZW code")),
                Ok(LzwStatus::Ok) if step.consumed_out == 0 => {}
                Ok(_) => return Ok(step.consumed_out),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Run {
    None,
    Literal(usize),
    Repeat(u8, usize),
}

struct PackBits<'a> {
    input: &'a [u8],
    run: Run,
}

impl Bytes for PackBits<'_> {
    fn some(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            match self.run {
                Run::Literal(left) => {
                    let n = left.min(out.len()).min(self.input.len());
                    out[..n].copy_from_slice(&self.input[..n]);
                    self.input = &self.input[n..];
                    self.run = if left > n && n > 0 {
                        Run::Literal(left - n)
                    } else {
                        Run::None
                    };
                    return Ok(n);
                }
                Run::Repeat(value, left) => {
                    let n = left.min(out.len());
                    out[..n].fill(value);
                    self.run = if left > n {
                        Run::Repeat(value, left - n)
                    } else {
                        Run::None
                    };
                    return Ok(n);
                }
                Run::None => match self.input {
                    [0x80, rest @ ..] => self.input = rest,
                    [n @ 0..=0x7f, rest @ ..] => {
                        self.run = Run::Literal(usize::from(*n) + 1);
                        self.input = rest;
                    }
                    [n, value, rest @ ..] => {
                        self.run = Run::Repeat(*value, 257 - usize::from(*n));
                        self.input = rest;
                    }
                    _ => return Ok(0),
                },
            }
        }
    }
}

/// Deflate through a window that keeps as much of the past as codes may refer to.
struct Inflate<'a> {
    input: &'a [u8],
    decoder: fdeflate::Decompressor,
    window: Vec<u8>,
    /// Decoded bytes in the window, and how many of them have been handed out.
    filled: usize,
    taken: usize,
}

impl<'a> Inflate<'a> {
    fn new(input: &'a [u8]) -> Self {
        Inflate {
            input,
            decoder: fdeflate::Decompressor::new(),
            window: vec![0; HISTORY + (256 << 10)],
            filled: 0,
            taken: 0,
        }
    }
}

impl Bytes for Inflate<'_> {
    fn some(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.taken == self.filled {
            if self.decoder.is_done() {
                return Ok(0);
            }
            if self.filled == self.window.len() {
                self.window.copy_within(self.filled - HISTORY.., 0);
                (self.filled, self.taken) = (HISTORY, HISTORY);
            }
            let (used, made) = self
                .decoder
                .read(self.input, &mut self.window, self.filled, true)
                .map_err(|e| Error::corrupt(format!("invalid deflate data: {e:?}")))?;
            self.input = &self.input[used..];
            self.filled += made;
        }
        let n = out.len().min(self.filled - self.taken);
        out[..n].copy_from_slice(&self.window[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(compression: u32, predictor: u32, skipped: usize, rows: usize) -> Params<'static> {
        let mut words = vec![0u32; fuse_raster::params::WORDS];
        words[..14].copy_from_slice(&[
            compression,
            predictor,
            16,
            1,
            1,
            1,
            0,
            1,
            300,
            700,
            rows as u32,
            1,
            1,
            2,
        ]);
        words[28] = skipped as u32;
        Params::parse(&words, |_, _| &[]).unwrap()
    }

    #[test]
    fn gives_any_band_of_a_strip() {
        let plain: Vec<u8> = (0..300 * 2000 * 2u32)
            .map(|i| ((i / 7).wrapping_mul(i) >> 9) as u8)
            .collect();
        let lzw = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
        let packed = plain
            .chunks(128)
            .flat_map(|c| [&[c.len() as u8 - 1], c].concat());
        for (compression, bytes) in [
            (8, fdeflate::compress_to_vec(&plain)),
            (5, { lzw }.encode(&plain).unwrap()),
            (32773, packed.collect()),
        ] {
            for (skipped, rows) in [(0, 700), (700, 700), (1400, 600), (1999, 1)] {
                let p = params(compression, 1, skipped, rows);
                let mut out = vec![1u8; 300 * 700 * 2];
                decode(&p, &bytes, &mut out).unwrap();
                let wanted = &plain[skipped * 600..(skipped + rows) * 600];
                assert!(out.starts_with(wanted), "{compression} {skipped}");
                assert!(out[wanted.len()..].iter().all(|b| *b == 0));
            }
            let past = params(compression, 1, 1400, 700);
            assert!(decode(&past, &bytes, &mut vec![0; 300 * 700 * 2]).is_err());
            let cut = params(compression, 1, 0, 700);
            assert!(decode(&cut, &bytes[..100], &mut vec![0; 300 * 700 * 2]).is_err());
        }
    }
}
