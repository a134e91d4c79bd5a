//! Half-size images: the mean, or the first, of each 2 x 2 block of pixels.

use crate::kinds::Stored;
use fuse_core::abi::{input, output, status};
use fuse_core::{Error, Result};

/// A band of an image inside a bigger buffer; strides are in elements.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    pub width: usize,
    pub height: usize,
    pub src_stride: usize,
    pub dst_stride: usize,
}

/// How four pixels become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Integers are rounded half up; at odd edges only the pixels that exist count.
    Mean,
    /// The top left pixel, for labels.
    First,
}

/// Pixel types that can be averaged.
trait Pixel: Copy {
    fn mean4(a: Self, b: Self, c: Self, d: Self) -> Self;
    fn mean2(a: Self, b: Self) -> Self;
}

macro_rules! integer_pixel {
    ($t:ty, $wide:ty) => {
        impl Pixel for $t {
            #[inline(always)]
            fn mean4(a: $t, b: $t, c: $t, d: $t) -> $t {
                ((a as $wide + b as $wide + c as $wide + d as $wide + 2) >> 2) as $t
            }
            #[inline(always)]
            fn mean2(a: $t, b: $t) -> $t {
                ((a as $wide + b as $wide + 1) >> 1) as $t
            }
        }
    };
}
integer_pixel!(u8, u16);
integer_pixel!(i8, i16);
integer_pixel!(u16, u32);
integer_pixel!(i16, i32);
integer_pixel!(u32, u64);
integer_pixel!(i32, i64);
integer_pixel!(u64, u128);
integer_pixel!(i64, i128);

macro_rules! float_pixel {
    ($t:ty) => {
        impl Pixel for $t {
            #[inline(always)]
            fn mean4(a: $t, b: $t, c: $t, d: $t) -> $t {
                (((a as f64 + b as f64) + (c as f64 + d as f64)) * 0.25) as $t
            }
            #[inline(always)]
            fn mean2(a: $t, b: $t) -> $t {
                ((a as f64 + b as f64) * 0.5) as $t
            }
        }
    };
}
float_pixel!(f32);
float_pixel!(f64);

/// Writes `ceil(height / 2)` rows of `ceil(width / 2)` pixels; returns the number of rows.
pub fn downsample(
    kind: Stored,
    method: Method,
    src: &[u8],
    band: &Band,
    dst: &mut [u8],
) -> Result<usize> {
    let (rows, columns) = (band.height.div_ceil(2), band.width.div_ceil(2));
    if rows == 0 || columns == 0 {
        return Ok(0);
    }
    // Rows over each other would be as many as a number can say, in no memory at all.
    if band.height > 1 && band.src_stride < band.width || rows > 1 && band.dst_stride < columns {
        return Err(Error::limit("the rows of a band lie over each other"));
    }
    let span = |rows: usize, stride: usize, columns: usize| {
        ((rows as u128 - 1) * stride as u128)
            .saturating_add(columns as u128)
            .saturating_mul(kind.width() as u128)
    };
    if span(band.height, band.src_stride, band.width) > src.len() as u128 {
        return Err(Error::truncated("fewer pixels than the band should have").at(src.len()));
    }
    if span(rows, band.dst_stride, columns) > dst.len() as u128 {
        return Err(Error::limit(
            "the buffer for the smaller image is too small",
        ));
    }
    let (s, d) = (src.as_ptr(), dst.as_mut_ptr());
    macro_rules! run {
        ($t:ty) => {
            // SAFETY: both spans were checked above.
            match method {
                Method::Mean => unsafe { mean::<$t>(s.cast(), band, d.cast()) },
                Method::First => unsafe { first::<$t>(s.cast(), band, d.cast()) },
            }
        };
    }
    match kind {
        Stored::U8 => run!(u8),
        Stored::I8 => run!(i8),
        Stored::U16 => run!(u16),
        Stored::I16 => run!(i16),
        Stored::U32 => run!(u32),
        Stored::I32 => run!(i32),
        Stored::U64 => run!(u64),
        Stored::I64 => run!(i64),
        Stored::F32 => run!(f32),
        Stored::F64 => run!(f64),
        other => {
            return Err(Error::unsupported(format!(
                "downsampling of {other:?} pixels"
            )))
        }
    }
    Ok(rows)
}

unsafe fn mean<T: Pixel>(src: *const T, band: &Band, dst: *mut T) {
    for row in 0..band.height.div_ceil(2) {
        let top = src.add(2 * row * band.src_stride);
        let out = dst.add(row * band.dst_stride);
        let below = 2 * row + 1 < band.height;
        let bottom = if below { top.add(band.src_stride) } else { top };
        let pairs = band.width / 2;
        for i in 0..pairs {
            let (a, b) = (top.add(2 * i), bottom.add(2 * i));
            let (a0, a1) = (a.read_unaligned(), a.add(1).read_unaligned());
            let value = if below {
                T::mean4(a0, a1, b.read_unaligned(), b.add(1).read_unaligned())
            } else {
                T::mean2(a0, a1)
            };
            out.add(i).write_unaligned(value);
        }
        if band.width % 2 == 1 {
            let a = top.add(2 * pairs).read_unaligned();
            let b = bottom.add(2 * pairs).read_unaligned();
            out.add(pairs)
                .write_unaligned(if below { T::mean2(a, b) } else { a });
        }
    }
}

unsafe fn first<T: Copy>(src: *const T, band: &Band, dst: *mut T) {
    for row in 0..band.height.div_ceil(2) {
        let (from, out) = (
            src.add(2 * row * band.src_stride),
            dst.add(row * band.dst_stride),
        );
        for i in 0..band.width.div_ceil(2) {
            out.add(i).write_unaligned(from.add(2 * i).read_unaligned());
        }
    }
}

/// Halves a band of an image (`method` 0 mean, 1 first); returns the rows written.
///
/// # Safety
/// The pointers must be readable and writable for the lengths given and must not overlap.
#[no_mangle]
pub unsafe extern "C" fn downsample2x2(
    src: *const u8,
    src_len: usize,
    kind: u32,
    method: u32,
    width: usize,
    height: usize,
    src_stride: usize,
    dst_stride: usize,
    dst: *mut u8,
    dst_len: usize,
) -> i32 {
    status((|| {
        let kind = Stored::from_code(kind)?;
        let method = if method == 0 {
            Method::Mean
        } else {
            Method::First
        };
        let band = Band {
            width,
            height,
            src_stride,
            dst_stride,
        };
        downsample(
            kind,
            method,
            input(src, src_len),
            &band,
            output(dst, dst_len),
        )
    })())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_over_each_other_are_refused() {
        // Found by fuzzing: two thousand million rows of one pixel, for minutes.
        let band = Band {
            width: 4,
            height: 0x7fff_ffff,
            src_stride: 0,
            dst_stride: 0,
        };
        let halved = downsample(Stored::U8, Method::Mean, &[0; 64], &band, &mut [0; 64]);
        assert!(halved.is_err());
        let flat = Band { height: 1, ..band };
        let halved = downsample(Stored::U8, Method::Mean, &[8; 4], &flat, &mut [0; 2]);
        assert_eq!(halved, Ok(1));
    }

    #[test]
    fn bands_no_memory_holds_are_refused() {
        // Found by fuzzing, where addresses have 64 bits: the bytes needed went past 128.
        let band = Band {
            width: usize::MAX,
            height: usize::MAX,
            src_stride: usize::MAX,
            dst_stride: usize::MAX,
        };
        for method in [Method::Mean, Method::First] {
            let halved = downsample(Stored::F64, method, &[0; 64], &band, &mut [0; 64]);
            assert!(halved.is_err());
        }
    }
}
