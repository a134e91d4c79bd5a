//! The lossless process of JPEG (T.81 annex H).

use super::entropy::BitSource;
use super::wide::Decoder;
use fuse_core::{Error, Result};

impl Decoder {
    /// Samples predicted from their neighbours (T.81 table H.1).
    pub(super) fn lossless(
        &mut self,
        bits: &mut BitSource,
        chosen: &[usize],
        predictor: u8,
        shift: u32,
    ) -> Result<()> {
        if !(1..=7).contains(&predictor) || shift >= self.precision {
            return Err(Error::corrupt("an invalid lossless JPEG predictor"));
        }
        let alone = chosen.len() == 1;
        let h_max = self.components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = self.components.iter().map(|c| c.v).max().unwrap_or(1);
        let (across, down) = if alone {
            let c = &self.components[chosen[0]];
            (
                (self.width * c.h).div_ceil(h_max),
                (self.height * c.v).div_ceil(v_max),
            )
        } else {
            (self.width.div_ceil(h_max), self.height.div_ceil(v_max))
        };
        let start = 1i32 << (self.precision - shift - 1);
        // The line a restart interval began on is predicted like the first line of the image.
        let mut first_line = 0;
        for unit in 0..across * down {
            let (ux, uy) = (unit % across, unit / across);
            let mut fresh = unit == 0;
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                bits.restart()?;
                first_line = uy;
                fresh = true;
            }
            for &i in chosen {
                let c = &mut self.components[i];
                let table = self.dc[c.dc]
                    .as_ref()
                    .ok_or_else(|| Error::corrupt("a JPEG scan names a table that is not there"))?;
                let (h, v) = if alone { (1, 1) } else { (c.h, c.v) };
                for k in 0..h * v {
                    let (x, y) = (ux * h + k % h, uy * v + k / h);
                    let size = u32::from(bits.code(table)?);
                    let difference = match size {
                        0..=15 => bits.signed(size),
                        16 => 32_768,
                        _ => return Err(Error::corrupt("an invalid lossless JPEG difference")),
                    };
                    let at = y * c.line + x;
                    let top = first_line * v;
                    let value = if fresh && k == 0 {
                        start
                    } else if y == top && x > 0 {
                        i32::from(c.samples[at - 1])
                    } else if y == top {
                        start
                    } else if x == 0 {
                        i32::from(c.samples[at - c.line])
                    } else {
                        let a = i32::from(c.samples[at - 1]);
                        let b = i32::from(c.samples[at - c.line]);
                        let d = i32::from(c.samples[at - c.line - 1]);
                        match predictor {
                            1 => a,
                            2 => b,
                            3 => d,
                            4 => a + b - d,
                            5 => a + ((b - d) >> 1),
                            6 => b + ((a - d) >> 1),
                            _ => (a + b) >> 1,
                        }
                    };
                    c.samples[at] = (value + difference) as u16;
                }
            }
            if ux == 0 {
                self.check(bits)?;
            }
        }
        self.check(bits)?;
        for &i in chosen {
            if shift > 0 {
                self.components[i]
                    .samples
                    .iter_mut()
                    .for_each(|s| *s <<= shift);
            }
        }
        Ok(())
    }
}
