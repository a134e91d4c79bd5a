//! Bits of 128 elements at a time to bit planes of 16 bytes, and back.
//!
//! Eight elements form a group, one byte of a plane. The bytes of 128 elements are brought to eight
//! vectors, of which vector `k` holds element `k` of each of the 16 groups; then an 8 x 8 transpose
//! of bits *across* the vectors, three rounds of masked swaps, leaves one plane in each vector.

use crate::simd::*;

/// Elements handled together.
pub const ELEMENTS: usize = 128;

/// Transposes 8 x 8 bits across vectors; its own inverse.
#[inline(always)]
fn transpose_bits(mut v: [V; 8]) -> [V; 8] {
    macro_rules! swap {
        ($a:expr, $b:expr, $bits:expr, $mask:expr) => {
            let t = and(xor(shr16(v[$a], $bits), v[$b]), $mask);
            v[$b] = xor(v[$b], t);
            v[$a] = xor(v[$a], shl16(t, $bits));
        };
    }
    let m4 = splat8(0x0f);
    swap!(0, 4, 4, m4);
    swap!(1, 5, 4, m4);
    swap!(2, 6, 4, m4);
    swap!(3, 7, 4, m4);
    let m2 = splat8(0x33);
    swap!(0, 2, 2, m2);
    swap!(1, 3, 2, m2);
    swap!(4, 6, 2, m2);
    swap!(5, 7, 2, m2);
    let m1 = splat8(0x55);
    swap!(0, 1, 1, m1);
    swap!(2, 3, 1, m1);
    swap!(4, 5, 1, m1);
    swap!(6, 7, 1, m1);
    v
}

/// One round of three that transpose 8 x 8 words of 16 bits.
#[inline(always)]
fn round16(v: [V; 8]) -> [V; 8] {
    let (a, b) = zip16(v[0], v[4]);
    let (c, d) = zip16(v[1], v[5]);
    let (e, f) = zip16(v[2], v[6]);
    let (g, h) = zip16(v[3], v[7]);
    [a, b, c, d, e, f, g, h]
}

/// Transposes 8 x 8 words of 16 bits.
#[inline(always)]
pub fn transpose16(v: [V; 8]) -> [V; 8] {
    round16(round16(round16(v)))
}

#[inline(always)]
unsafe fn load8(at: *const u8, step: usize) -> [V; 8] {
    [
        load(at),
        load(at.add(step)),
        load(at.add(2 * step)),
        load(at.add(3 * step)),
        load(at.add(4 * step)),
        load(at.add(5 * step)),
        load(at.add(6 * step)),
        load(at.add(7 * step)),
    ]
}

#[inline(always)]
unsafe fn store8(at: *mut u8, step: usize, v: [V; 8]) {
    for (k, v) in v.into_iter().enumerate() {
        store(at.add(k * step), v);
    }
}

/// Byte planes of words: bytes `k` of group pairs side by side, from vectors of eight 16-bit words.
#[inline(always)]
fn split16(a: V, b: V) -> (V, V) {
    (
        or(and(a, splat16(0x00ff)), shl16(b, 8)),
        or(shr16(a, 8), and(b, splat16(0xff00))),
    )
}

/// 128 bytes at `src` to 8 planes of 16 bytes, `plane` apart.
///
/// # Safety
/// 128 bytes must be readable, and the planes writable.
#[inline(always)]
pub unsafe fn split1(src: *const u8, dst: *mut u8, plane: usize) {
    let mut v = load8(src, 16);
    for x in &mut v {
        // Bytes k of the two groups in a vector side by side.
        let (low, _) = zip8(*x, zip64(*x, *x).1);
        *x = low;
    }
    store8(dst, plane, transpose_bits(transpose16(v)));
}

/// Undoes [`split1`].
///
/// # Safety
/// The planes must be readable, and 128 bytes writable.
#[inline(always)]
pub unsafe fn join1(src: *const u8, plane: usize, dst: *mut u8) {
    let v = transpose16(transpose_bits(load8(src, plane)));
    for (k, x) in v.into_iter().enumerate() {
        let (even, odd) = unzip8(x, x);
        store(dst.add(16 * k), zip64(even, odd).0);
    }
}

/// 128 words of 16 bits to 16 planes.
///
/// # Safety
/// 256 bytes must be readable, and the planes writable.
#[inline(always)]
pub unsafe fn split2(src: *const u8, dst: *mut u8, plane: usize) {
    let (mut low, mut high) = ([splat8(0); 8], [splat8(0); 8]);
    for k in 0..8 {
        (low[k], high[k]) = split16(load(src.add(32 * k)), load(src.add(32 * k + 16)));
    }
    store8(dst, plane, transpose_bits(transpose16(low)));
    store8(dst.add(8 * plane), plane, transpose_bits(transpose16(high)));
}

/// Undoes [`split2`].
///
/// # Safety
/// The planes must be readable, and 256 bytes writable.
#[inline(always)]
pub unsafe fn join2(src: *const u8, plane: usize, dst: *mut u8) {
    let low = transpose16(transpose_bits(load8(src, plane)));
    let high = transpose16(transpose_bits(load8(src.add(8 * plane), plane)));
    for k in 0..8 {
        let (a, b) = split16(low[k], high[k]);
        store(dst.add(32 * k), a);
        store(dst.add(32 * k + 16), b);
    }
}

#[repr(align(16))]
struct Halves<const N: usize>([u8; N]);

macro_rules! halved {
    ($split:ident, $join:ident, $bytes:expr, $unzip:ident, $zip:ident, $s:ident, $j:ident) => {
        /// Elements twice as wide, through their lower and upper halves.
        ///
        /// # Safety
        /// 128 elements must be readable, and the planes writable.
        pub unsafe fn $split(src: *const u8, dst: *mut u8, plane: usize) {
            const HALF: usize = $bytes * ELEMENTS / 2;
            let mut half = Halves([0u8; 2 * HALF]);
            let at = half.0.as_mut_ptr();
            for k in 0..HALF / 16 {
                let (a, b) = $unzip(load(src.add(32 * k)), load(src.add(32 * k + 16)));
                store(at.add(16 * k), a);
                store(at.add(HALF + 16 * k), b);
            }
            $s(at, dst, plane);
            $s(at.add(HALF), dst.add($bytes * 4 * plane), plane);
        }

        /// Undoes the split.
        ///
        /// # Safety
        /// The planes must be readable, and 128 elements writable.
        pub unsafe fn $join(src: *const u8, plane: usize, dst: *mut u8) {
            const HALF: usize = $bytes * ELEMENTS / 2;
            let mut half = Halves([0u8; 2 * HALF]);
            let at = half.0.as_mut_ptr();
            $j(src, plane, at);
            $j(src.add($bytes * 4 * plane), plane, at.add(HALF));
            for k in 0..HALF / 16 {
                let (a, b) = $zip(load(at.add(16 * k)), load(at.add(HALF + 16 * k)));
                store(dst.add(32 * k), a);
                store(dst.add(32 * k + 16), b);
            }
        }
    };
}
halved!(split4, join4, 4, unzip16, zip16, split2, join2);
halved!(split8, join8, 8, unzip32, zip32, split4, join4);
