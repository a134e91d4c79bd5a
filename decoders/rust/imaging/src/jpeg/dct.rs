//! The inverse cosine transform of a block of 8 x 8 coefficients (T.81 annex A.3.3).

use std::sync::OnceLock;

/// Place of each coefficient in the order they are coded.
pub const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// The inverse DCT by its definition, rows and then columns.
pub fn inverse(values: &mut [f32; 64]) {
    static BASIS: OnceLock<[[f32; 8]; 8]> = OnceLock::new();
    let basis = BASIS.get_or_init(|| {
        std::array::from_fn(|x| {
            std::array::from_fn(|u| {
                let scale = if u == 0 { 0.125f64.sqrt() } else { 0.5 };
                let angle = (2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0;
                (scale * angle.cos()) as f32
            })
        })
    });
    let mut half = [0f32; 64];
    for y in 0..8 {
        for x in 0..8 {
            half[y * 8 + x] = (0..8).map(|u| basis[x][u] * values[y * 8 + u]).sum();
        }
    }
    for y in 0..8 {
        for x in 0..8 {
            values[y * 8 + x] = (0..8).map(|v| basis[y][v] * half[v * 8 + x]).sum();
        }
    }
}
