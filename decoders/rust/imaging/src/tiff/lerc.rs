//! LERC tiles (TIFF compression 34887), alone or inside deflate or zstd, with the validity mask
//! applied as libtiff does: masked floats become NaN, and the mask becomes an alpha sample of 8 bits.

use super::{inflate, zstd};
use crate::lerc::{self, Blob};
use fuse_core::{Error, Result};
use fuse_raster::store as raster;
use fuse_raster::Params;

/// Decodes a LERC blob into the chunk.
pub fn decode(p: &Params, input: &[u8], out: &mut [u8]) -> Result<usize> {
    let inner;
    let data = match p.lerc_inner {
        0 => input,
        1 => {
            inner = inflate::decode_all(input, 2 * p.out_bytes()? + 4096)?;
            &inner[..]
        }
        2 => {
            inner = zstd::decode_all(input, 2 * p.out_bytes()? + 4096)?;
            &inner[..]
        }
        n => {
            return Err(Error::unsupported(format!(
                "LERC with second compression {n}"
            )))
        }
    };
    let image = lerc::decode(data, p.width * p.rows)?;
    let alpha = p.alpha && p.out_width == 1 && image.depth + 1 == p.samples;
    if image.width != p.width || image.height < p.stored_rows {
        return Err(Error::corrupt(format!(
            "the LERC blob is {}x{}, the tile {}x{}",
            image.width, image.height, p.width, p.stored_rows
        )));
    }
    if image.depth + usize::from(alpha) != p.samples || image.kind.bytes() != p.out_width {
        return Err(Error::corrupt(format!(
            "the LERC blob has {} values of {} bytes, the directory says {} of {}",
            image.depth,
            image.kind.bytes(),
            p.samples,
            p.out_width
        )));
    }
    store(p, image, alpha, out)
}

fn store(p: &Params, mut image: Blob, alpha: bool, out: &mut [u8]) -> Result<usize> {
    let pixel = image.depth * p.out_width;
    if let Some(nan) = image.kind.nan() {
        for (value, valid) in image.values.chunks_exact_mut(pixel).zip(&image.valid) {
            if !valid {
                value
                    .chunks_exact_mut(p.out_width)
                    .for_each(|v| v.copy_from_slice(&nan[..p.out_width]));
            }
        }
    }
    let mut with_alpha = vec![0u8; if alpha { p.width * p.samples } else { 0 }];
    let line = p.width * pixel;
    for (y, row) in image
        .values
        .chunks_exact(line)
        .take(p.stored_rows)
        .enumerate()
    {
        if alpha {
            let valid = &image.valid[y * p.width..(y + 1) * p.width];
            for ((target, value), valid) in with_alpha
                .chunks_exact_mut(p.samples)
                .zip(row.chunks_exact(pixel))
                .zip(valid)
            {
                target[..pixel].copy_from_slice(value);
                target[pixel] = if *valid { 255 } else { 0 };
            }
            raster::planar(p, &with_alpha, y, out);
        } else {
            raster::planar(p, row, y, out);
        }
    }
    raster::clear_rest(p, out);
    p.out_bytes()
}
