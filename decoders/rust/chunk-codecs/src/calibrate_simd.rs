//! The inner loops of calibration with SIMD128: four values at a time, in float64 throughout.

use crate::calibrate::Calibration;
use crate::kinds::{Output, Stored};
use core::arch::wasm32::*;

/// Calibrates as many of `n` values as whole groups of four hold; returns how many that was.
///
/// # Safety
/// As for [`crate::calibrate::calibrate_row`].
pub unsafe fn calibrate_quads(
    kind: Stored,
    src: *const u8,
    n: usize,
    by: Calibration,
    to: Output,
    dst: *mut u8,
) -> usize {
    let n = n & !3;
    macro_rules! run {
        ($width:expr, $load:expr, $low:ident) => {
            quads(n, to, by, dst, |i| {
                let four: v128 = $load(src.add(i * $width));
                ($low(four), $low(i64x2_shuffle::<1, 1>(four, four)))
            })
        };
    }
    match kind {
        Stored::I8 => run!(
            1,
            |p| i32x4_extend_low_i16x8(i16x8_extend_low_i8x16(word(p))),
            i32_f64
        ),
        Stored::U8 => run!(
            1,
            |p| i32x4_extend_low_u16x8(i16x8_extend_low_u8x16(word(p))),
            i32_f64
        ),
        Stored::I16 => run!(2, |p: *const u8| i32x4_load_extend_i16x4(p.cast()), i32_f64),
        Stored::U16 => run!(2, |p: *const u8| i32x4_load_extend_u16x4(p.cast()), i32_f64),
        Stored::I32 => run!(4, |p: *const u8| v128_load(p.cast()), i32_f64),
        Stored::U32 => run!(4, |p: *const u8| v128_load(p.cast()), u32_f64),
        Stored::F32 => run!(4, |p: *const u8| v128_load(p.cast()), f32_f64),
        _ => return 0,
    }
    n
}

#[inline(always)]
unsafe fn word(at: *const u8) -> v128 {
    v128_load32_zero(at.cast())
}
#[inline(always)]
fn i32_f64(v: v128) -> v128 {
    f64x2_convert_low_i32x4(v)
}
#[inline(always)]
fn u32_f64(v: v128) -> v128 {
    f64x2_convert_low_u32x4(v)
}
#[inline(always)]
fn f32_f64(v: v128) -> v128 {
    f64x2_promote_low_f32x4(v)
}

#[inline(always)]
unsafe fn quads(
    n: usize,
    to: Output,
    by: Calibration,
    dst: *mut u8,
    load: impl Fn(usize) -> (v128, v128),
) {
    let (gain, offset) = (f64x2_splat(by.gain), f64x2_splat(by.offset));
    let scale = |v| f64x2_add(f64x2_mul(v, gain), offset);
    for i in (0..n).step_by(4) {
        let (a, b) = load(i);
        let (a, b) = (scale(a), scale(b));
        if to == Output::F32 {
            let both =
                i64x2_shuffle::<0, 2>(f32x4_demote_f64x2_zero(a), f32x4_demote_f64x2_zero(b));
            v128_store(dst.add(i * 4).cast(), both);
        } else {
            v128_store(dst.add(i * 8).cast(), a);
            v128_store(dst.add(i * 8 + 16).cast(), b);
        }
    }
}
