//! The shuffle filter (HDF5 filter 2): byte k of every element together.

/// Puts the bytes of each element of `size` bytes together again; bytes after the last whole element
/// were left as they were.
pub fn undo(size: usize, data: &[u8]) -> Vec<u8> {
    let mut out = vec![0u8; data.len()];
    let count = data.len().checked_div(size).unwrap_or(0);
    if size < 2 || count < 2 {
        out.copy_from_slice(data);
        return out;
    }
    let whole = count * size;
    match size {
        2 => planes::<2>(&data[..whole], &mut out[..whole]),
        4 => planes::<4>(&data[..whole], &mut out[..whole]),
        8 => planes::<8>(&data[..whole], &mut out[..whole]),
        _ => {
            for (k, plane) in data[..whole].chunks_exact(count).enumerate() {
                for (i, &byte) in plane.iter().enumerate() {
                    out[i * size + k] = byte;
                }
            }
        }
    }
    out[whole..].copy_from_slice(&data[whole..]);
    out
}

/// All planes of a common size at once, so that every element is written once.
fn planes<const N: usize>(data: &[u8], out: &mut [u8]) {
    let count = data.len() / N;
    let mut rows = [&data[..0]; N];
    for (k, row) in rows.iter_mut().enumerate() {
        *row = &data[k * count..(k + 1) * count];
    }
    for (i, element) in out.chunks_exact_mut(N).enumerate() {
        for k in 0..N {
            element[k] = rows[k][i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_elements_together() {
        for size in [1usize, 2, 3, 4, 7, 8, 16] {
            let plain: Vec<u8> = (0..size * 11 + 1).map(|i| i as u8).collect();
            let mut packed = Vec::new();
            for k in 0..size {
                packed.extend((0..11).map(|i| plain[i * size + k]));
            }
            packed.extend_from_slice(&plain[size * 11..]);
            assert_eq!(undo(size, &packed), plain, "size {size}");
        }
        assert_eq!(undo(0, &[1, 2]), [1, 2]);
        assert_eq!(undo(4, &[1, 2]), [1, 2]);
    }
}
