//! JPEG XL tiles (TIFF compressions 50002 and 52546).

use fuse_core::{buffer, Error, Result};
use fuse_raster::{check_size, Pixels};
use jxl_oxide::{image::BitDepth, JxlImage};

/// Decodes a picture of at most `most` bytes to samples of `bytes` bytes, integers or floats.
pub fn decode(data: &[u8], bytes: usize, floats: bool, most: usize) -> Result<Pixels> {
    let invalid = |e: Box<dyn std::error::Error + Send + Sync>| {
        Error::corrupt(format!("invalid JPEG XL data: {e}"))
    };
    let mut image = JxlImage::builder().build_uninit();
    image.feed_bytes(data).map_err(invalid)?;
    let jxl_oxide::InitializeResult::Initialized(image) = image.try_init().map_err(invalid)? else {
        return Err(Error::truncated("the JPEG XL data end too early"));
    };
    let (width, height) = (image.width(), image.height());
    let extra = image.image_header().metadata.ec_info.len();
    let bits = match image.image_header().metadata.bit_depth {
        BitDepth::IntegerSample { bits_per_sample } => Some(bits_per_sample),
        BitDepth::FloatSample { .. } => None,
    };
    check_size(
        u64::from(width),
        u64::from(height),
        4 * (3 + extra as u64),
        most.saturating_mul(2),
    )?;
    if floats != bits.is_none() || !floats && bits.is_some_and(|b| b > 24) {
        return Err(Error::unsupported(format!(
            "JPEG XL samples of {bits:?} bits"
        )));
    }
    let render = image.render_frame(0).map_err(invalid)?;
    let decoded = render.image_all_channels();
    let (width, height, samples) = (decoded.width(), decoded.height(), decoded.channels());
    let mut out = buffer(width * height * samples * bytes, most)?;
    let top = bits.map_or(1.0, |b| ((1u64 << b) - 1) as f64);
    for (target, value) in out.chunks_exact_mut(bytes).zip(decoded.buf()) {
        match (floats, bytes) {
            (true, 4) => target.copy_from_slice(&value.to_le_bytes()),
            (false, 1 | 2 | 4) => {
                let code = (f64::from(*value) * top + 0.5).floor().clamp(0.0, top) as u32;
                target.copy_from_slice(&code.to_le_bytes()[..bytes]);
            }
            _ => {
                return Err(Error::unsupported(format!(
                    "JPEG XL samples of {bytes} bytes"
                )))
            }
        }
    }
    Ok(Pixels {
        width,
        height,
        samples,
        bytes,
        data: out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_jpeg_xl() {
        assert!(decode(b"nothing", 1, false, 1 << 20).is_err());
        assert!(decode(&[0xff, 0x0a], 1, false, 1 << 20).is_err());
    }
}
