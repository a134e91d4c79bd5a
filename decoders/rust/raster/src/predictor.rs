//! Undoing the predictors, one row at a time.
//!
//! Predictor 2: differences between samples of the same kind (TIFF 6.0 section 14), modulo the
//! sample's width. Predictor 3: Adobe Photoshop TIFF Technical Note 3, floating point.

/// Undoes horizontal differences of 8-bit samples.
pub fn sum8(row: &mut [u8], stride: usize) {
    match stride {
        1 => simd::sum8(row),
        3 => sum_pixels::<u8, 3>(row),
        4 => sum_pixels::<u8, 4>(row),
        _ => sum(row, stride),
    }
}

/// Undoes horizontal differences of 16-bit samples in the machine's order.
pub fn sum16(row: &mut [u16], stride: usize) {
    match stride {
        1 => simd::sum16(row),
        3 => sum_pixels::<u16, 3>(row),
        4 => sum_pixels::<u16, 4>(row),
        _ => sum(row, stride),
    }
}

/// Unsigned words that wrap around.
pub trait Word: Copy + Default {
    fn plus(self, other: Self) -> Self;
}

macro_rules! words {
    ($($t:ty),*) => { $(impl Word for $t {
        #[inline(always)]
        fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
    })* };
}
words!(u8, u16, u32, u64);

/// Undoes horizontal differences; neighbours are `stride` words apart.
pub fn sum<T: Word>(row: &mut [T], stride: usize) {
    for i in stride..row.len() {
        row[i] = row[i].plus(row[i - stride]);
    }
}

/// The same with the running sums held in registers.
fn sum_pixels<T: Word, const N: usize>(row: &mut [T]) {
    let mut totals = [T::default(); N];
    for pixel in row.chunks_exact_mut(N) {
        for (value, total) in pixel.iter_mut().zip(totals.iter_mut()) {
            *total = total.plus(*value);
            *value = *total;
        }
    }
}

/// Undoes predictor 3 of one row of `width`-byte floats into `out`, little-endian.
///
/// The stored bytes are planes, most significant first whatever the file's byte order, each byte the
/// difference to the one `stride` before it.
pub fn float(row: &mut [u8], stride: usize, width: usize, out: &mut [u8]) {
    sum8(row, stride);
    let count = row.len() / width;
    match width {
        2 => interleave::<2>(row, count, out),
        3 => interleave::<3>(row, count, out),
        4 => interleave::<4>(row, count, out),
        _ => interleave::<8>(row, count, out),
    }
}

fn interleave<const W: usize>(row: &[u8], count: usize, out: &mut [u8]) {
    let planes: [&[u8]; W] = std::array::from_fn(|k| &row[k * count..(k + 1) * count]);
    for (i, value) in out.chunks_exact_mut(W).take(count).enumerate() {
        for k in 0..W {
            value[W - 1 - k] = planes[k][i];
        }
    }
}

/// Running sums of neighbouring words, eight or sixteen at a time where the machine can.
mod simd {
    #[cfg(target_arch = "wasm32")]
    use core::arch::wasm32::*;

    #[cfg(not(target_arch = "wasm32"))]
    pub fn sum8(row: &mut [u8]) {
        super::sum_pixels::<u8, 1>(row);
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn sum16(row: &mut [u16]) {
        super::sum_pixels::<u16, 1>(row);
    }

    #[cfg(target_arch = "wasm32")]
    pub fn sum8(row: &mut [u8]) {
        let zero = i8x16_splat(0);
        let mut total = 0u8;
        let mut chunks = row.chunks_exact_mut(16);
        for chunk in &mut chunks {
            // SAFETY: the chunk is 16 bytes long.
            unsafe {
                let at = chunk.as_mut_ptr() as *mut v128;
                let mut v = v128_load(at);
                v = i8x16_add(
                    v,
                    i8x16_shuffle::<0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(
                        zero, v,
                    ),
                );
                v = i8x16_add(
                    v,
                    i8x16_shuffle::<0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29>(
                        zero, v,
                    ),
                );
                v = i8x16_add(
                    v,
                    i8x16_shuffle::<0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27>(
                        zero, v,
                    ),
                );
                v = i8x16_add(
                    v,
                    i8x16_shuffle::<0, 0, 0, 0, 0, 0, 0, 0, 16, 17, 18, 19, 20, 21, 22, 23>(
                        zero, v,
                    ),
                );
                v = i8x16_add(v, u8x16_splat(total));
                total = u8x16_extract_lane::<15>(v);
                v128_store(at, v);
            }
        }
        for value in chunks.into_remainder() {
            total = total.wrapping_add(*value);
            *value = total;
        }
    }

    #[cfg(target_arch = "wasm32")]
    pub fn sum16(row: &mut [u16]) {
        let zero = i16x8_splat(0);
        let mut total = 0u16;
        let mut chunks = row.chunks_exact_mut(8);
        for chunk in &mut chunks {
            // SAFETY: the chunk is 16 bytes long; wasm loads need no alignment.
            unsafe {
                let at = chunk.as_mut_ptr() as *mut v128;
                let mut v = v128_load(at);
                v = i16x8_add(v, i16x8_shuffle::<0, 8, 9, 10, 11, 12, 13, 14>(zero, v));
                v = i16x8_add(v, i16x8_shuffle::<0, 0, 8, 9, 10, 11, 12, 13>(zero, v));
                v = i16x8_add(v, i16x8_shuffle::<0, 0, 0, 0, 8, 9, 10, 11>(zero, v));
                v = i16x8_add(v, u16x8_splat(total));
                total = u16x8_extract_lane::<7>(v);
                v128_store(at, v);
            }
        }
        for value in chunks.into_remainder() {
            total = total.wrapping_add(*value);
            *value = total;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_neighbours_of_each_sample() {
        let mut row = [10u8, 20, 30, 1, 2, 3, 255, 0, 1];
        sum8(&mut row, 3);
        assert_eq!(row, [10, 20, 30, 11, 22, 33, 10, 22, 34]);
        let mut row = [65_535u16, 2, 3];
        sum16(&mut row, 1);
        assert_eq!(row, [65_535, 1, 4]);
        let mut row = [1u32, 2, 3, 4, 5, 6];
        sum(&mut row, 2);
        assert_eq!(row, [1, 2, 4, 6, 9, 12]);
    }

    #[test]
    fn sums_long_rows_like_short_ones() {
        let differences: Vec<u8> = (0..1003u32).map(|i| (i * 7) as u8).collect();
        let mut fast = differences.clone();
        sum8(&mut fast, 1);
        let mut slow = differences.clone();
        sum(&mut slow, 1);
        assert_eq!(fast, slow);
        let mut fast: Vec<u16> = differences
            .iter()
            .map(|d| u16::from(*d).wrapping_mul(300))
            .collect();
        let mut slow = fast.clone();
        sum16(&mut fast, 1);
        sum(&mut slow, 1);
        assert_eq!(fast, slow);
    }

    #[test]
    fn puts_float_planes_together() {
        // 1.0 and -2.5 as big-endian planes, then byte differences.
        let values = [1.0f32, -2.5];
        let mut planes = [0u8; 8];
        for (i, v) in values.iter().enumerate() {
            for (k, b) in v.to_be_bytes().iter().enumerate() {
                planes[k * 2 + i] = *b;
            }
        }
        let mut row = planes;
        for i in (1..8).rev() {
            row[i] = planes[i].wrapping_sub(planes[i - 1]);
        }
        let mut out = [0u8; 8];
        float(&mut row, 1, 4, &mut out);
        assert_eq!(out[..4], 1.0f32.to_le_bytes());
        assert_eq!(out[4..], (-2.5f32).to_le_bytes());
    }
}
