//! The two filters Blosc applies before the compressor: bytes by significance, and bits by significance.

use crate::bitplanes;

/// Byte shuffle: all first bytes of the elements, then all second bytes, ...; a rest shorter than an
/// element follows unchanged. `dst` is as long as `src`.
pub fn shuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    let batches = if matches!(size, 2 | 4 | 8) { n / 16 } else { 0 };
    for i in 0..batches {
        // SAFETY: batch i reads 16 elements of `src`, and writes 16 bytes at 16 i of each plane.
        unsafe {
            let (from, to) = (
                src.as_ptr().add(i * 16 * size),
                dst.as_mut_ptr().add(16 * i),
            );
            match size {
                2 => bytes::split::<2>(from, to, n),
                4 => bytes::split::<4>(from, to, n),
                _ => bytes::split::<8>(from, to, n),
            }
        }
    }
    for i in batches * 16..n {
        for j in 0..size {
            dst[j * n + i] = src[i * size + j];
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Undoes [`shuffle`].
pub fn unshuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    let batches = if matches!(size, 2 | 4 | 8) { n / 16 } else { 0 };
    for i in 0..batches {
        // SAFETY: as in `shuffle`, with the roles of source and destination changed.
        unsafe {
            let (from, to) = (
                src.as_ptr().add(16 * i),
                dst.as_mut_ptr().add(i * 16 * size),
            );
            match size {
                2 => bytes::join::<2>(from, n, to),
                4 => bytes::join::<4>(from, n, to),
                _ => bytes::join::<8>(from, n, to),
            }
        }
    }
    for i in batches * 16..n {
        for j in 0..size {
            dst[i * size + j] = src[j * n + i];
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Sixteen elements of 2, 4 or 8 bytes to byte planes and back, by zipping vectors.
mod bytes {
    use crate::simd::*;

    #[inline(always)]
    pub unsafe fn split<const S: usize>(src: *const u8, dst: *mut u8, plane: usize) {
        let mut v = [splat8(0); S];
        for (k, x) in v.iter_mut().enumerate() {
            *x = load(src.add(16 * k));
        }
        // Each round moves the lowest bit of a byte's address to the top: after log2(S) rounds the
        // vector's number is the byte's place in its element.
        let mut width = 1;
        while width < S {
            let mut next = v;
            for k in 0..S / 2 {
                (next[k], next[k + S / 2]) = unzip8(v[2 * k], v[2 * k + 1]);
            }
            v = next;
            width *= 2;
        }
        for (k, x) in v.into_iter().enumerate() {
            store(dst.add(k * plane), x);
        }
    }

    #[inline(always)]
    pub unsafe fn join<const S: usize>(src: *const u8, plane: usize, dst: *mut u8) {
        let mut v = [splat8(0); S];
        for (k, x) in v.iter_mut().enumerate() {
            *x = load(src.add(k * plane));
        }
        let mut width = 1;
        while width < S {
            let mut next = v;
            for k in 0..S / 2 {
                (next[2 * k], next[2 * k + 1]) = zip8(v[k], v[k + S / 2]);
            }
            v = next;
            width *= 2;
        }
        for (k, x) in v.into_iter().enumerate() {
            store(dst.add(16 * k), x);
        }
    }
}

/// Bit shuffle: bit 0 of all first bytes, bit 1 of all first bytes, ...; the first element is the
/// lowest bit of a plane's first byte. Only when the number of elements is a multiple of eight,
/// as c-blosc has it (otherwise the block is copied); a rest shorter than an element follows unchanged.
pub fn bitshuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    if !n.is_multiple_of(8) {
        return dst.copy_from_slice(src);
    }
    let plane = n / 8;
    let batches = n / bitplanes::ELEMENTS;
    let (from, to) = (src.as_ptr(), dst.as_mut_ptr());
    for i in 0..batches {
        // SAFETY: batch i reads 128 elements of `src`, and writes 16 bytes at 16 i of each plane.
        unsafe {
            let (from, to) = (from.add(i * bitplanes::ELEMENTS * size), to.add(16 * i));
            match size {
                1 => bitplanes::split1(from, to, plane),
                2 => bitplanes::split2(from, to, plane),
                4 => bitplanes::split4(from, to, plane),
                8 => bitplanes::split8(from, to, plane),
                _ => {
                    let mut column = [0u8; bitplanes::ELEMENTS];
                    for j in 0..size {
                        for (e, byte) in column.iter_mut().enumerate() {
                            *byte = *from.add(e * size + j);
                        }
                        bitplanes::split1(column.as_ptr(), to.add(j * 8 * plane), plane);
                    }
                }
            }
        }
    }
    for g in batches * 16..plane {
        for j in 0..size {
            let x = (0..8).fold(0, |x, e| {
                x | u64::from(src[(g * 8 + e) * size + j]) << (8 * e)
            });
            for (b, byte) in transpose8(x).to_le_bytes().into_iter().enumerate() {
                dst[(j * 8 + b) * plane + g] = byte;
            }
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Undoes [`bitshuffle`].
pub fn bitunshuffle(size: usize, src: &[u8], dst: &mut [u8]) {
    let dst = &mut dst[..src.len()];
    let n = src.len() / size;
    if !n.is_multiple_of(8) {
        return dst.copy_from_slice(src);
    }
    let plane = n / 8;
    let batches = n / bitplanes::ELEMENTS;
    let (from, to) = (src.as_ptr(), dst.as_mut_ptr());
    for i in 0..batches {
        // SAFETY: as in `bitshuffle`, with the roles of source and destination changed.
        unsafe {
            let (from, to) = (from.add(16 * i), to.add(i * bitplanes::ELEMENTS * size));
            match size {
                1 => bitplanes::join1(from, plane, to),
                2 => bitplanes::join2(from, plane, to),
                4 => bitplanes::join4(from, plane, to),
                8 => bitplanes::join8(from, plane, to),
                _ => {
                    let mut column = [0u8; bitplanes::ELEMENTS];
                    for j in 0..size {
                        bitplanes::join1(from.add(j * 8 * plane), plane, column.as_mut_ptr());
                        for (e, byte) in column.iter().enumerate() {
                            *to.add(e * size + j) = *byte;
                        }
                    }
                }
            }
        }
    }
    for g in batches * 16..plane {
        for j in 0..size {
            let x = (0..8).fold(0, |x, b| {
                x | u64::from(src[(j * 8 + b) * plane + g]) << (8 * b)
            });
            for (e, byte) in transpose8(x).to_le_bytes().into_iter().enumerate() {
                dst[(g * 8 + e) * size + j] = byte;
            }
        }
    }
    dst[n * size..].copy_from_slice(&src[n * size..]);
}

/// Transposes an 8 x 8 bit matrix whose rows are the bytes of `x` (Hacker's Delight, 7-3).
#[inline(always)]
fn transpose8(mut x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00aa_00aa_00aa_00aa;
    x ^= t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_cccc_0000_cccc;
    x ^= t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_f0f0_f0f0;
    x ^ t ^ (t << 28)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// The definition: bit `b` of byte `j` of element `e` is bit `e % 8` of byte `e / 8` of plane `8 j + b`.
    fn by_definition(size: usize, src: &[u8]) -> Vec<u8> {
        let n = src.len() / size;
        let mut out = src.to_vec();
        if n.is_multiple_of(8) {
            out[..n * size].fill(0);
            for e in 0..n {
                for bit in 0..8 * size {
                    let value = src[e * size + bit / 8] >> (bit % 8) & 1;
                    out[bit * (n / 8) + e / 8] |= value << (e % 8);
                }
            }
        }
        out
    }

    #[test]
    fn bits_go_where_the_definition_puts_them_and_come_back() {
        let mut random = Random::new(1);
        for size in [1, 2, 3, 4, 5, 8, 12, 16, 255] {
            for n in [0, 1, 8, 9, 120, 128, 136, 256, 1000, 1024, 1032] {
                for rest in [0, size - 1] {
                    let src = random.bytes(n * size + rest);
                    let mut packed = vec![0; src.len()];
                    bitshuffle(size, &src, &mut packed);
                    assert_eq!(packed, by_definition(size, &src), "size {size} n {n}");
                    let mut back = vec![0; src.len()];
                    bitunshuffle(size, &packed, &mut back);
                    assert_eq!(back, src);
                }
            }
        }
    }

    #[test]
    fn bytes_go_where_the_definition_puts_them_and_come_back() {
        let mut random = Random::new(2);
        for size in [1, 2, 3, 4, 7, 8, 16, 200] {
            for length in [0, 1, 7, 64, 500, 4096, 4099] {
                let src = random.bytes(length);
                let (mut packed, mut back) = (vec![0; length], vec![0; length]);
                shuffle(size, &src, &mut packed);
                let n = length / size;
                for i in 0..n * size {
                    assert_eq!(packed[i % size * n + i / size], src[i]);
                }
                assert_eq!(packed[n * size..], src[n * size..]);
                unshuffle(size, &packed, &mut back);
                assert_eq!(back, src);
            }
        }
    }
}
