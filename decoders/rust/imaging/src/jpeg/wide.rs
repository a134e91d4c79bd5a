//! The JPEG processes of more than 8 bits: lossless (T.81 annex H) and sequential DCT, and of 8 bits
//! with a number of components other decoders do not take.

use super::dct::{inverse, ZIGZAG};
use super::entropy::{BitSource, Huffman};
use super::{Colour, Process, Stream};
use fuse_core::{buffer, Error, Result};
use fuse_raster::Pixels;

/// How much longer lines and columns may get when they are filled up to whole units of up to 32
/// samples.
const PADDING: u64 = 4;

pub(super) struct Component {
    pub(super) id: u8,
    pub(super) h: usize,
    pub(super) v: usize,
    pub(super) quant: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
    /// Samples of a line and lines, padded to whole blocks or units.
    pub(super) line: usize,
    pub(super) lines: usize,
    pub(super) samples: Vec<u16>,
    pub(super) previous: i32,
}

pub(super) struct Decoder {
    pub(super) process: Process,
    pub(super) precision: u32,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) restart: usize,
    pub(super) quant: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Huffman>; 4],
    pub(super) ac: [Option<Huffman>; 4],
    pub(super) components: Vec<Component>,
    /// Samples an image may have.
    most: usize,
}

/// Decodes a whole stream of at most `most` samples to two-byte samples (one-byte ones for a precision
/// of 8 or less).
pub fn decode(stream: &Stream, colour: Colour, most: usize) -> Result<Pixels> {
    let mut d = Decoder {
        process: stream.process,
        precision: u32::from(stream.precision),
        width: stream.width,
        height: stream.height,
        restart: 0,
        quant: [None; 4],
        dc: [const { None }; 4],
        ac: [const { None }; 4],
        components: Vec::new(),
        most,
    };
    let depths = if d.process == Process::Lossless {
        2..=16
    } else {
        8..=12
    };
    if !depths.contains(&d.precision) {
        return Err(Error::unsupported(format!("JPEG of {} bits", d.precision)));
    }
    d.read(&stream.body)?;
    let transformed = colour == Colour::YCbCr
        || colour == Colour::Guess && stream.components == 3 && stream.adobe != Some(0);
    d.image(transformed && d.process != Process::Lossless && stream.components == 3)
}

impl Decoder {
    fn read(&mut self, body: &[u8]) -> Result<()> {
        let mut at = 0;
        let mut scans = 0;
        while let Some([0xff, code]) = body.get(at..at + 2).and_then(|b| b.first_chunk::<2>()) {
            if *code == 0xff {
                at += 1;
                continue;
            }
            if *code == 0xd9 {
                break;
            }
            let Some([a, b]) = body.get(at + 2..at + 4) else {
                break;
            };
            let length = usize::from(*a) << 8 | usize::from(*b);
            let payload = body
                .get(at + 4..at + 2 + length.max(2))
                .ok_or_else(|| Error::truncated("a JPEG marker segment is cut off").at(at))?;
            at += 2 + length.max(2);
            match code {
                0xdb => self.quant_tables(payload)?,
                0xc4 => self.huffman_tables(payload)?,
                0xdd if payload.len() >= 2 => {
                    self.restart = usize::from(payload[0]) << 8 | usize::from(payload[1]);
                }
                0xc0 | 0xc1 | 0xc3 if scans > 0 => {
                    return Err(Error::corrupt("a second JPEG frame header").at(at));
                }
                0xc0 | 0xc1 | 0xc3 => self.frame(payload)?,
                0xda => {
                    at += self.scan(payload, &body[at..])?;
                    scans += 1;
                }
                _ => {}
            }
        }
        if scans == 0 {
            return Err(Error::truncated("the JPEG stream has no scan"));
        }
        Ok(())
    }

    fn quant_tables(&mut self, mut data: &[u8]) -> Result<()> {
        while let Some((&head, rest)) = data.split_first() {
            let wide = head >> 4 != 0;
            let size = if wide { 128 } else { 64 };
            let (Some(values), Some(slot)) =
                (rest.get(..size), self.quant.get_mut(usize::from(head & 15)))
            else {
                return Err(Error::corrupt("an invalid JPEG quantization table"));
            };
            let mut table = [0u16; 64];
            for (i, entry) in table.iter_mut().enumerate() {
                *entry = if wide {
                    u16::from_be_bytes([values[2 * i], values[2 * i + 1]])
                } else {
                    u16::from(values[i])
                };
            }
            *slot = Some(table);
            data = &rest[size..];
        }
        Ok(())
    }

    fn huffman_tables(&mut self, mut data: &[u8]) -> Result<()> {
        while data.len() >= 17 {
            let (head, counts) = (data[0], &data[1..17]);
            let total: usize = counts.iter().map(|c| usize::from(*c)).sum();
            let values = data
                .get(17..17 + total)
                .ok_or_else(|| Error::corrupt("a JPEG Huffman table is cut off"))?;
            let tables = if head >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            let slot = tables
                .get_mut(usize::from(head & 15))
                .ok_or_else(|| Error::corrupt("an invalid JPEG Huffman table number"))?;
            *slot = Some(Huffman::new(counts, values)?);
            data = &data[17 + total..];
        }
        Ok(())
    }

    fn frame(&mut self, data: &[u8]) -> Result<()> {
        let count = usize::from(data.get(5).copied().unwrap_or(0));
        let list = data
            .get(6..6 + 3 * count)
            .filter(|list| !list.is_empty())
            .ok_or_else(|| Error::corrupt("the JPEG frame header is too short"))?;
        self.components.clear();
        let unit = if self.process == Process::Lossless {
            1
        } else {
            8
        };
        let factors: Vec<(usize, usize)> = list
            .chunks(3)
            .map(|c| (usize::from(c[1] >> 4), usize::from(c[1] & 15)))
            .collect();
        if factors
            .iter()
            .any(|(h, v)| !(1..=4).contains(h) || !(1..=4).contains(v))
        {
            return Err(Error::corrupt("invalid JPEG sampling factors"));
        }
        let h_max = factors.iter().map(|f| f.0).max().unwrap_or(1);
        let v_max = factors.iter().map(|f| f.1).max().unwrap_or(1);
        let across = self.width.div_ceil(unit * h_max);
        let down = self.height.div_ceil(unit * v_max);
        let mut total = 0u64;
        for (c, (h, v)) in list.chunks(3).zip(factors) {
            let (line, lines) = (across * h * unit, down * v * unit);
            total += line as u64 * lines as u64;
            if total > PADDING * self.most as u64 {
                return Err(Error::limit(format!(
                    "a JPEG image of {total} samples with those around it"
                )));
            }
            self.components.push(Component {
                id: c[0],
                h,
                v,
                quant: usize::from(c[2] & 3),
                dc: 0,
                ac: 0,
                line,
                lines,
                samples: vec![0; line * lines],
                previous: 0,
            });
        }
        Ok(())
    }

    /// Decodes one scan; gives the length of its entropy-coded data.
    fn scan(&mut self, head: &[u8], data: &[u8]) -> Result<usize> {
        let bad = || Error::corrupt("an invalid JPEG scan header");
        let count = usize::from(*head.first().ok_or_else(bad)?);
        let list = head.get(1..1 + 2 * count).ok_or_else(bad)?;
        let [first, _, low] = *head.get(1 + 2 * count..4 + 2 * count).ok_or_else(bad)? else {
            return Err(bad());
        };
        let mut chosen = Vec::new();
        for pair in list.chunks(2) {
            let i = self
                .components
                .iter()
                .position(|c| c.id == pair[0])
                .ok_or_else(bad)?;
            self.components[i].dc = usize::from(pair[1] >> 4 & 3);
            self.components[i].ac = usize::from(pair[1] & 3);
            chosen.push(i);
        }
        if chosen.is_empty() {
            return Err(bad());
        }
        let mut bits = BitSource::new(data);
        if self.process == Process::Lossless {
            self.lossless(&mut bits, &chosen, first, u32::from(low & 15))?;
        } else {
            self.sequential(&mut bits, &chosen)?;
        }
        Ok(bits.end())
    }

    pub(super) fn check(&self, bits: &BitSource) -> Result<()> {
        if bits.overrun() {
            return Err(Error::truncated("the JPEG data end before the image does"));
        }
        Ok(())
    }

    /// Blocks of a scan: in the order of minimum coded units, or of one component's own lines.
    fn sequential(&mut self, bits: &mut BitSource, chosen: &[usize]) -> Result<()> {
        let h_max = self.components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = self.components.iter().map(|c| c.v).max().unwrap_or(1);
        let alone = chosen.len() == 1;
        let (across, down) = if alone {
            let c = &self.components[chosen[0]];
            (
                (self.width * c.h).div_ceil(8 * h_max),
                (self.height * c.v).div_ceil(8 * v_max),
            )
        } else {
            (
                self.width.div_ceil(8 * h_max),
                self.height.div_ceil(8 * v_max),
            )
        };
        for c in &mut self.components {
            c.previous = 0;
        }
        for unit in 0..across * down {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                bits.restart()?;
                self.components.iter_mut().for_each(|c| c.previous = 0);
            }
            for &i in chosen {
                let (h, v) = if alone {
                    (1, 1)
                } else {
                    (self.components[i].h, self.components[i].v)
                };
                for k in 0..h * v {
                    let x = (unit % across) * h + k % h;
                    let y = (unit / across) * v + k / h;
                    self.block(bits, i, x, y)?;
                }
            }
            self.check(bits)?;
        }
        Ok(())
    }

    fn block(&mut self, bits: &mut BitSource, i: usize, x: usize, y: usize) -> Result<()> {
        let c = &mut self.components[i];
        let missing = || Error::corrupt("a JPEG scan names a table that is not there");
        let quant = self.quant[c.quant].as_ref().ok_or_else(missing)?;
        let dc = self.dc[c.dc].as_ref().ok_or_else(missing)?;
        let ac = self.ac[c.ac].as_ref().ok_or_else(missing)?;
        let mut values = [0f32; 64];
        let size = u32::from(bits.code(dc)?).min(16);
        c.previous = c.previous.wrapping_add(bits.signed(size));
        values[0] = (c.previous.wrapping_mul(i32::from(quant[0]))) as f32;
        let mut k = 1;
        while k < 64 {
            let code = bits.code(ac)?;
            let (zeros, size) = (usize::from(code >> 4), u32::from(code & 15));
            if size == 0 {
                if zeros < 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += zeros;
            if k > 63 {
                return Err(Error::corrupt("a JPEG block has too many coefficients"));
            }
            values[ZIGZAG[k]] = (bits.signed(size) * i32::from(quant[k])) as f32;
            k += 1;
        }
        inverse(&mut values);
        let middle = (1 << (self.precision - 1)) as f32;
        let top = ((1 << self.precision) - 1) as f32;
        let at = y * 8 * c.line + x * 8;
        for (row, line) in values.chunks(8).enumerate() {
            let target = &mut c.samples[at + row * c.line..at + row * c.line + 8];
            for (sample, value) in target.iter_mut().zip(line) {
                *sample = (value + middle + 0.5).floor().clamp(0.0, top) as u16;
            }
        }
        Ok(())
    }

    /// Puts the components together, coarser ones repeated.
    fn image(&self, to_rgb: bool) -> Result<Pixels> {
        let n = self.components.len();
        let bytes = if self.precision > 8 { 2 } else { 1 };
        let h_max = self.components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = self.components.iter().map(|c| c.v).max().unwrap_or(1);
        let mut pixels = buffer(
            self.width * self.height * n * bytes,
            self.most.saturating_mul(bytes),
        )?;
        let mut values = vec![0u16; n];
        let top = ((1u32 << self.precision) - 1) as f32;
        for (p, pixel) in pixels.chunks_exact_mut(n * bytes).enumerate() {
            let (x, y) = (p % self.width, p / self.width);
            for (value, c) in values.iter_mut().zip(&self.components) {
                let (cx, cy) = (x * c.h / h_max, (y * c.v / v_max).min(c.lines - 1));
                *value = c.samples[cy * c.line + cx];
            }
            if to_rgb {
                let middle = (1u32 << (self.precision - 1)) as f32;
                let luma = f32::from(values[0]);
                let (cb, cr) = (f32::from(values[1]) - middle, f32::from(values[2]) - middle);
                let rgb = [
                    luma + 1.402 * cr,
                    luma - 0.344_136 * cb - 0.714_136 * cr,
                    luma + 1.772 * cb,
                ];
                for (value, v) in values.iter_mut().zip(rgb) {
                    *value = (v + 0.5).floor().clamp(0.0, top) as u16;
                }
            }
            for (target, value) in pixel.chunks_exact_mut(bytes).zip(&values) {
                target.copy_from_slice(&value.to_le_bytes()[..bytes]);
            }
        }
        Ok(Pixels {
            width: self.width,
            height: self.height,
            samples: n,
            bytes,
            data: pixels,
        })
    }
}

#[cfg(test)]
mod tests;
