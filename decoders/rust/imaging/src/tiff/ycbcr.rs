//! YCbCr pixels outside of JPEG streams (TIFF 6.0 section 21), turned into RGB.

use fuse_core::Result;
use fuse_raster::store as raster;
use fuse_raster::{short, Params};

/// True when the stored rows are luma and chroma of 8 bits, interleaved.
pub fn applies(p: &Params) -> bool {
    p.photometric == 6
        && p.samples == 3
        && p.bits == 8
        && p.sample_bits.is_empty()
        && p.out_width == 1
}

/// Bytes of the stored rows: data units of `h * v` luma samples, one Cb and one Cr.
pub fn stored_bytes(p: &Params) -> usize {
    let (h, v) = p.subsampling;
    p.width.div_ceil(h) * p.stored_rows.div_ceil(v) * (h * v + 2)
}

/// Turns data units into RGB rows of the chunk.
pub fn store(p: &Params, data: &[u8], out: &mut [u8]) -> Result<usize> {
    let wanted = stored_bytes(p);
    if data.len() < wanted {
        return Err(short(data.len(), wanted));
    }
    let (h, v) = p.subsampling;
    let unit = h * v + 2;
    let units = p.width.div_ceil(h);
    let convert = Conversion::new(p);
    let mut row = vec![0u8; p.width * 3];
    for y in 0..p.stored_rows {
        let line = &data[(y / v) * units * unit..];
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let at = (x / h) * unit;
            let luma = line[at + (y % v) * h + x % h];
            pixel.copy_from_slice(&convert.rgb(luma, line[at + h * v], line[at + h * v + 1]));
        }
        raster::planar(p, &row, y, out);
    }
    raster::clear_rest(p, out);
    p.out_bytes()
}

/// The equations of section 21 with the file's coefficients and reference levels.
struct Conversion {
    luma: [f32; 3],
    offset: [f32; 3],
    scale: [f32; 3],
}

impl Conversion {
    fn new(p: &Params) -> Self {
        let r = p.reference;
        // Full range of the codes: 255 for luma, 127 for chroma.
        let scale = |white: f32, black: f32, range: f32| {
            if white == black {
                1.0
            } else {
                range / (white - black)
            }
        };
        let green = if p.luma[1] == 0.0 {
            [0.299, 0.587, 0.114]
        } else {
            p.luma
        };
        Conversion {
            luma: green,
            offset: [r[0], r[2], r[4]],
            scale: [
                scale(r[1], r[0], 255.0),
                scale(r[3], r[2], 127.0),
                scale(r[5], r[4], 127.0),
            ],
        }
    }

    fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let full = |code: u8, i: usize| (f32::from(code) - self.offset[i]) * self.scale[i];
        let (y, cb, cr) = (full(y, 0), full(cb, 1), full(cr, 2));
        let [lr, lg, lb] = self.luma;
        let r = cr * (2.0 - 2.0 * lr) + y;
        let b = cb * (2.0 - 2.0 * lb) + y;
        let g = (y - lb * b - lr * r) / lg;
        [r, g, b].map(|v| (v + 0.5).floor().clamp(0.0, 255.0) as u8)
    }
}
